"""What stands in the way of a filter, and does not help: invisible characters, escapes, other places than the text."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.clock import SystemClock
from sentient_cli.config.secret import Secret
from sentient_cli.llm import Chunk, LLMManager, Message, Request, ToolCallDelta
from sentient_cli.llm.call import Call
from sentient_cli.llm.compatible import CompatibleConfig, CompatibleProvider
from sentient_cli.llm.hooks import Recorder
from sentient_cli.llm.safety import Guarded, LocalFilter, PatternFilter, SafetyFilter
from tests.llm.providers.chat_wire import call_frame, ending, frame
from tests.support.llm_server import Answer, LLMServer, as_sse

WORD = "abracadabra"
FILTERS: list[SafetyFilter] = [LocalFilter(words=[WORD]), PatternFilter([WORD])]
INVISIBLE = "\u200b\u200d\u2060\ufeff\u00ad\u202e\ufe0f\U000e0041"


async def _shown(pieces: list[Chunk], each: SafetyFilter) -> list[Chunk]:
    class Saying:
        async def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
            for chunk in pieces:
                yield chunk

    guarded = Guarded(Saying(), [each], on_finding="end")
    request = Request(model="m", messages=(Message.user("Hi"),))
    async with aclosing(guarded.stream(request, Call(Recorder((), SystemClock(), "1")))) as chunks:
        return [chunk async for chunk in chunks]


@pytest.mark.slow
@pytest.mark.parametrize("each", FILTERS, ids=lambda each: each.name)
@pytest.mark.parametrize("hidden", INVISIBLE)
async def test_nothing_hides_behind_what_nobody_sees(each: SafetyFilter, hidden: str) -> None:
    text = f"Say {hidden.join(WORD)}!"
    chunks = await _shown([Chunk(text[:9]), Chunk(text[9:]), Chunk(finish_reason="stop")], each)
    assert chunks[-1].finish_reason == "content_filter"
    assert "abra" not in "".join(chunk.text for chunk in chunks).replace(hidden, "")


@given(st.lists(st.text(st.sampled_from("ab \u200b\u2060é"), max_size=5), max_size=8))
async def test_what_has_nothing_in_it_is_shown_as_it_was(pieces: list[str]) -> None:
    chunks = await _shown([*map(Chunk, pieces), Chunk(finish_reason="stop")], LocalFilter(words=[WORD]))
    assert "".join(chunk.text for chunk in chunks) == "".join(pieces)


def _call(name: str, arguments: str) -> Chunk:
    return Chunk(tool_call=ToolCallDelta(0, "c", name, arguments))


@pytest.mark.parametrize(
    "chunk",
    [
        _call(WORD, "{}"),
        _call("say", r'{"what": "\u0061bra\u0063adabra"}'),
        _call("say", r'{"abrac\u0061dabra": [1]}'),
        _call("say", r'{"what": {"in": ["abra\u200bcadabra"]}}'),
        _call("say", r'{"broken \u0061bracadabra '),
        Chunk(extra={"annotations": [{"title": WORD}]}),
        Chunk(extra={"logprobs": {"content": [{"token": WORD}]}}),
    ],
)
@pytest.mark.parametrize("each", FILTERS, ids=lambda each: each.name)
async def test_what_is_said_beside_the_text_is_looked_at_as_it_means(chunk: Chunk, each: SafetyFilter) -> None:
    chunks = await _shown([Chunk("Well"), chunk, Chunk(finish_reason="tool_call")], each)
    assert [one.text for one in chunks] == ["Well", ""]
    assert chunks[-1].finish_reason == "content_filter"


async def test_a_harmless_call_and_what_a_vendor_adds_pass_as_they_are() -> None:
    pieces = [Chunk("Well"), _call("say", '{"what": "hi"}'), Chunk(extra={"a": 1}), Chunk(finish_reason="tool_call")]
    assert await _shown(pieces, LocalFilter(words=[WORD])) == pieces


async def test_a_tool_of_a_forbidden_name_is_not_called_over_a_socket() -> None:
    body = as_sse([frame({"content": "Well"}), call_frame(0, "c1", name=WORD, arguments="{}"), *ending()], done=True)
    with LLMServer(Answer(body)) as server:
        config = CompatibleConfig(base_url=f"{server.url}/v1", api_key=Secret("sk-1"), default_model="m")
        provider = CompatibleProvider("compatible", config)
        manager = LLMManager(
            [provider],
            default_model="compatible",
            around_calls=[lambda inner: Guarded(inner, FILTERS, on_finding="end")],
        )
        answer = await manager.generate("Hi")
        await manager.aclose()
    assert (answer.finish_reason, answer.tool_calls) == ("content_filter", ())
