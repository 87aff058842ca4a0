"""What can be odd or wrong within a stream, though the connection holds."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from functools import partial

from tests.llm.providers.fault_row import PLACES, Fault, Run, before, runs
from tests.llm.providers.wires import Wire
from tests.support.llm_server import Answer

__all__ = ["stream_faults"]

_PACKED = {"content-encoding": "gzip"}


def stream_faults() -> Iterator[Fault]:
    """All of them."""
    for name, piece in _BROKEN.items():
        for place in PLACES:
            yield Fault("Part of a stream", name, place, _within(place, piece))
    for place in PLACES:
        run = _within(place, lambda wire: wire.error, goes_on=False)
        yield Fault("Part of a stream", "an error in band (overloaded)", place, run)
    for name, form in _FORMS.items():
        yield Fault("Odd but fine", name, "", runs(partial(_formed, form=form)))
    for name, piece in _ODD.items():
        for place in PLACES:
            yield Fault("Odd but fine", name, place, _within(place, piece))
    yield Fault("Odd but fine", "a trickle", "", runs(lambda wire: Answer(wire.events, pace=0.01), 1.0))
    yield Fault("Odd but fine", "packed", "", runs(lambda wire: Answer(gzip.compress(wire.body), headers=_PACKED)))
    yield Fault("Content", "packed, it says, and is not", "", runs(lambda wire: Answer(wire.body, headers=_PACKED)))
    yield Fault("Content", "a page for people", "", runs(_page))
    yield Fault("Content", "nothing at all", "", runs(lambda _: Answer(b"")))


def _within(place: str, piece: Callable[[Wire], bytes], *, goes_on: bool = True) -> Run:
    def answer(wire: Wire) -> Answer:
        at = before(wire, place)
        return Answer([*wire.events[:at], piece(wire), *(wire.events[at:] if goes_on else ())])

    return runs(answer)


def _event(data: bytes) -> Callable[[Wire], bytes]:
    """An event of this data, of a kind that the wire knows."""

    def told(wire: Wire) -> bytes:
        named = b"event: content_block_delta\n" if wire.name == "anthropic" else b""
        return b"%bdata: %b\n\n" % (named, data)

    return told


def _bytes(data: bytes) -> Callable[[Wire], bytes]:
    return lambda _: data


_BROKEN: dict[str, Callable[[Wire], bytes]] = {
    "malformed JSON": _event(b'{"choices": [{"delta"'),
    "bytes that are no UTF-8": _event(b"\xff\xfe"),
    "JSON of no use": _event(b"[]"),
    "JSON that is nested without end": _event(b"[" * 5000),
}
_ODD: dict[str, Callable[[Wire], bytes]] = {
    "unknown events": _bytes(b'event: news\ndata: {"type": "news"}\n\n'),
    "a comment of 200 kB": _bytes(b": " + b"x" * 200_000 + b"\n\n"),
    "lines that are no fields": _bytes(b"hello\n\n:\n\nid: 1\nretry: soon\n\n"),
    "events of nothing": _bytes(b"event: ping\n\ndata:\n\ndata: \n\ndata\n\n"),
}
_FORMS: dict[str, Callable[[bytes], list[bytes]]] = {
    "a byte at a time (split UTF-8)": lambda body: [body[place : place + 1] for place in range(len(body))],
    "line ends `\\r\\n`": lambda body: [body.replace(b"\n", b"\r\n")],
    "line ends `\\r`": lambda body: [body.replace(b"\n", b"\r")],
    "a mark of the byte order": lambda body: [b"\xef\xbb\xbf" + body],
    "comments between the events": lambda body: [body.replace(b"\n\n", b"\n\n: waiting\n\n")],
    "data on several lines": lambda body: [body.replace(b', "', b',\ndata: "')],
}


def _formed(wire: Wire, form: Callable[[bytes], list[bytes]]) -> Answer:
    return Answer(form(wire.body))


def _page(wire: Wire) -> Answer:
    del wire
    return Answer(b"<html>Welcome", content_type="text/html; charset=utf-8")
