"""Every fault at every place, as rows that run against a provider on loopback: what the documentation publishes."""

from __future__ import annotations

import gzip
import json
import re
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from unittest import mock

from tests.llm.providers import anthropic_wire, chat_wire, responses_wire
from tests.llm.providers.faulty import IMPATIENCE, PATIENCE, Outcome, answered, ask, greeting_server, opened
from tests.llm.providers.wires import TEXT, Wire
from tests.support.llm_server import Answer, How, LLMServer, as_sse

__all__ = ["PLACES", "Fault", "described", "faults"]

_LONG = 100
PLACES = ("first", "middle", "last")
"""Before the first byte or event, in the middle, and before the one that completes the answer."""


@dataclass(frozen=True)
class Fault:
    """One row.

    Args:
        group: What it is a kind of.
        name: What happens.
        place: Where in the answer, if it is one of `PLACES`.
        run: Lets it happen to a provider.
    """

    group: str
    name: str
    place: str
    run: Callable[[Wire], Awaitable[Outcome]]


def described(outcome: Outcome) -> str:
    """What came of a call, in a cell.

    >>> described(Outcome(text="One"))
    'answer is cut'
    """
    if outcome.error is None:
        if outcome.finish == "tool_call":
            return f"{len(outcome.calls)} calls, each as the model wrote it"
        if outcome.finish == "content_filter":
            return "the text so far, and the reason `content_filter`"
        return "the whole answer" if (outcome.text, outcome.finish) == (TEXT, "stop") else "answer is cut"
    wait = outcome.error.retry_after
    after = "" if not wait else f" after {wait:g} s" if wait < _LONG else f" after {round(wait, -1):g} s"
    again = f", again{after}" if outcome.error.retryable else ""
    kept = {"": "", TEXT: ", all the text"}.get(outcome.text, ", the text so far")
    assert outcome.error.partial_text == outcome.text
    return f"`{outcome.error.code}`{again}{kept}"


def faults() -> Iterator[Fault]:
    """All of them, in the order of the page."""
    yield from _connections()
    yield from _breaks()
    yield from _parts()
    yield from _forms()
    yield from _packed()
    yield from _contents()
    yield from _statuses()
    yield from _waits()


def _connections() -> Iterator[Fault]:
    async def refused(wire: Wire) -> Outcome:
        async with greeting_server(b"") as url:
            pass
        async with opened(wire, url) as provider:
            return await ask(provider, wire)

    async def unknown(wire: Wire) -> Outcome:
        missing = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        with mock.patch.object(socket, "getaddrinfo", side_effect=missing):
            async with opened(wire, "https://nowhere.invalid") as provider:
                return await ask(provider, wire)

    async def untrusted(wire: Wire) -> Outcome:
        async with (
            greeting_server(b"HTTP/1.1 400 Bad\r\n\r\n") as url,
            opened(wire, url.replace("http", "https")) as provider,
        ):
            return await ask(provider, wire)

    async def half_open(wire: Wire) -> Outcome:
        async with greeting_server(None) as url, opened(wire, url, IMPATIENCE) as provider:
            return await ask(provider, wire)

    async def no_http(wire: Wire) -> Outcome:
        async with greeting_server(b"SSH-2.0-x\r\n\r\n") as url, opened(wire, url) as provider:
            return await ask(provider, wire)

    async def elsewhere(wire: Wire) -> Outcome:
        with LLMServer(wire.handle) as other:
            return await answered(wire, Answer([], 307, {"location": other.url}))

    for name, run in {
        "nobody listens": refused,
        "the name is not known": unknown,
        "no TLS where there should be": untrusted,
        "half-open: taken, and then silent": half_open,
        "what answers speaks no HTTP": no_http,
        "a redirect to another origin": elsewhere,
    }.items():
        yield Fault("Connection", name, "", run)
    yield Fault(
        "Connection", "headers that do not come", "", _runs(lambda wire: Answer(wire.body, delay=60), IMPATIENCE)
    )


def _runs(answer: Callable[[Wire], Answer], patience: float = PATIENCE) -> Callable[[Wire], Awaitable[Outcome]]:
    return lambda wire: answered(wire, answer(wire), patience)


def _whole(wire: Wire, how: How) -> Answer:
    return Answer(wire.body, how=how)


def _formed(wire: Wire, form: Callable[[bytes], list[bytes]]) -> Answer:
    return Answer(form(wire.body))


def _refused(wire: Wire, status: int) -> Answer:
    return wire.refusal(status)


def _cut(wire: Wire, place: str) -> int:
    return {"first": 0, "middle": wire.complete_at // 2, "last": wire.complete_at - 1}[place]


def _before(wire: Wire, place: str) -> int:
    return {"first": 0, "middle": wire.terminal // 2, "last": wire.terminal}[place]


def _breaks() -> Iterator[Fault]:
    said: dict[str, How] = {
        "the answer ends early, in good order": "end",
        "the connection is closed": "close",
        "the connection is reset": "reset",
        "it stalls": "stall",
    }

    def breaking(how: How, place: str) -> Callable[[Wire], Awaitable[Outcome]]:
        patience = IMPATIENCE if how == "stall" else PATIENCE
        return _runs(lambda wire: Answer(wire.body, cut=_cut(wire, place), how=how), patience)

    for name, how in said.items():
        for place in PLACES:
            yield Fault("Break", name, place, breaking(how, place))
    for name, how in said.items():
        if how != "end":
            patience = IMPATIENCE if how == "stall" else PATIENCE
            run = _runs(partial(_whole, how=how), patience)
            yield Fault("Break", f"{name}, after all was said", "", run)


def _parts() -> Iterator[Fault]:
    bad = {"malformed JSON": b'{"choices": [{"delta"', "bytes that are no UTF-8": b"\xff\xfe", "JSON of no use": b"[]"}

    def within(place: str, piece: Callable[[Wire], bytes], *, goes_on: bool) -> Callable[[Wire], Awaitable[Outcome]]:
        def answer(wire: Wire) -> Answer:
            before = _before(wire, place)
            return Answer([*wire.events[:before], piece(wire), *(wire.events[before:] if goes_on else ())])

        return _runs(answer)

    def event(data: bytes) -> Callable[[Wire], bytes]:
        return lambda wire: (b"event: content_block_delta\n" if wire.name == "anthropic" else b"") + data_line(data)

    for name, data in bad.items():
        for place in PLACES:
            yield Fault("Part of a stream", name, place, within(place, event(data), goes_on=True))
    for place in PLACES:
        run = within(place, lambda wire: wire.error, goes_on=False)
        yield Fault("Part of a stream", "an error in band (overloaded)", place, run)


def data_line(data: bytes) -> bytes:
    """An event of data alone.

    >>> data_line(b"[]")
    b'data: []\\n\\n'
    """
    return b"data: " + data + b"\n\n"


def _forms() -> Iterator[Fault]:
    forms: dict[str, Callable[[bytes], list[bytes]]] = {
        "a byte at a time (split UTF-8)": lambda body: [body[place : place + 1] for place in range(len(body))],
        "line ends `\\r\\n`": lambda body: [body.replace(b"\n", b"\r\n")],
        "line ends `\\r`": lambda body: [body.replace(b"\n", b"\r")],
        "comments between the events": lambda body: [body.replace(b"\n\n", b"\n\n: waiting\n\n")],
        "data on several lines": lambda body: [body.replace(b', "', b',\ndata: "')],
        "unknown events": lambda body: [b'event: news\ndata: {"type": "news"}\n\n' + body],
        "one huge chunk": lambda body: [b": " + b"x" * 200_000 + b"\n\n" + body],
    }
    for name, form in forms.items():
        yield Fault("Odd but fine", name, "", _runs(partial(_formed, form=form)))
    yield Fault("Odd but fine", "a trickle", "", _runs(lambda wire: Answer(wire.events, pace=0.01), 1.0))
    packed = {"content-encoding": "gzip"}
    yield Fault("Odd but fine", "packed", "", _runs(lambda wire: Answer(gzip.compress(wire.body), headers=packed)))
    yield Fault("Content", "packed, it says, and is not", "", _runs(lambda wire: Answer(wire.body, headers=packed)))
    html = "text/html; charset=utf-8"
    yield Fault("Content", "a page for people", "", _runs(lambda _: Answer(b"<html>Welcome", content_type=html)))


def _statuses() -> Iterator[Fault]:
    for status in (400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529):
        yield Fault("Status", str(status), "", _runs(partial(_refused, status=status)))
    json_type = "application/json"

    def too_long(wire: Wire) -> Answer:
        return Answer(json.dumps(wire.too_long).encode(), 400, content_type=json_type)

    def no_credit(wire: Wire) -> Answer:
        body, status = wire.quota
        return Answer(json.dumps(body).encode(), status, content_type=json_type)

    yield Fault("Status", "the request is too long for the model", "", _runs(too_long))
    yield Fault("Status", "no credit", "", _runs(no_credit))
    yield Fault(
        "Status", "502 with a page for people", "", _runs(lambda _: Answer(b"<b>Bad", 502, content_type="text/html"))
    )
    stalls = _runs(lambda _: Answer(b'{"error"', 503, how="stall"), IMPATIENCE)
    yield Fault("Status", "503 whose text never ends", "", stalls)


def _waits() -> Iterator[Fault]:
    def told(value: Callable[[], str], name: str = "retry-after") -> Callable[[Wire], Awaitable[Outcome]]:
        return _runs(lambda wire: wire.refusal(429, **{name.replace("-", "_"): value()}))

    in_an_hour = partial(formatdate, usegmt=True)
    yield Fault("Status", "429, in seconds", "", told(lambda: "7"))
    yield Fault("Status", "429, in milliseconds", "", told(lambda: "1500", "retry-after-ms"))
    yield Fault("Status", "429, a date in an hour", "", told(lambda: in_an_hour(time.time() + 3600)))
    yield Fault("Status", "429, a date that is over", "", told(lambda: in_an_hour(0)))
    yield Fault("Status", "429, no number and no date", "", told(lambda: "soon"))


def _packed() -> Iterator[Fault]:
    packed = {"content-encoding": "gzip"}

    def cut(wire: Wire, place: str) -> Answer:
        body = gzip.compress(wire.body)
        return Answer(body, headers=packed, cut={"first": 0, "middle": len(body) // 2, "last": -9}[place], how="close")

    for place in PLACES:
        yield Fault("Break", "a packed answer is cut", place, _runs(partial(cut, place=place)))


def _contents() -> Iterator[Fault]:
    yield Fault("Content", "no usage is told", "", _runs(lambda wire: Answer(_without_usage(wire))))
    yield Fault("Content", "the answer is filtered", "", _runs(lambda wire: Answer(_filtered(wire))))
    bad = ("{", '{"a": 1}')
    yield Fault(
        "Content",
        "arguments of a tool that are no JSON, then others",
        "",
        _runs(lambda wire: Answer(_calls(wire, bad))),
    )


def _without_usage(wire: Wire) -> list[bytes]:
    return [re.sub(rb'"usage": (\{(?:[^{}]|\{[^{}]*\})*\}|null)', b'"usage": null', event) for event in wire.events]


def _filtered(wire: Wire) -> list[bytes]:
    if wire.name == "anthropic":
        return anthropic_wire.message(
            anthropic_wire.block(0, {"type": "text", "text": ""}, [{"type": "text_delta", "text": "One "}]),
            reason="refusal",
        )
    if wire.name == "responses":
        told = responses_wire.events(
            responses_wire.words()[0], last="incomplete", incomplete_details={"reason": "content_filter"}
        )
        return responses_wire.stream(told)
    return as_sse([chat_wire.text_frame("One "), *chat_wire.ending("content_filter")], done=True)


def _calls(wire: Wire, arguments: Sequence[str]) -> list[bytes]:
    """Calls of tools with these arguments."""
    if wire.name == "anthropic":
        blocks = [
            anthropic_wire.block(
                place,
                {"type": "tool_use", "id": f"c{place}", "name": "add", "input": {}},
                [{"type": "input_json_delta", "partial_json": text}],
            )
            for place, text in enumerate(arguments)
        ]
        return anthropic_wire.message(*blocks, reason="tool_use")
    if wire.name == "responses":
        told: list[dict[str, object]] = []
        for place, text in enumerate(arguments):
            item = {"type": "function_call", "id": f"f{place}", "call_id": f"c{place}", "name": "add", "arguments": ""}
            told.append({"type": "response.output_item.added", "output_index": place, "item": item})
            told.append({"type": "response.function_call_arguments.delta", "output_index": place, "delta": text})
        return responses_wire.stream(responses_wire.events(*told))
    frames = [
        chat_wire.call_frame(place, f"c{place}", name="add", arguments=text) for place, text in enumerate(arguments)
    ]
    return as_sse([*frames, *chat_wire.ending("tool_calls")], done=True)
