"""What comes after the reason of the end: usage in odd places counts, and nothing else does harm."""

from __future__ import annotations

import pytest

from sentient_cli.llm import Message, Request, Usage
from sentient_cli.llm.types import Completion
from tests.llm.providers.chat_wire import call_frame, ending, frame, text_frame
from tests.llm.providers.wires import WIRES, Wire
from tests.support.llm_server import Answer, LLMServer, as_sse

CHAT = [wire for wire in WIRES if wire.name in {"compatible", "openai"}]
SAID = [text_frame("Hello"), frame({}, "stop")]
USAGE = {"prompt_tokens": 12, "completion_tokens": 10}
NOTHING = Usage()
TOLD = Usage(input=12, output=10)


async def _answer(wire: Wire, *events: object, done: bool = True) -> Completion:
    with LLMServer(Answer(as_sse(events, done=done))) as server:
        provider = wire.make(server.url, 5.0)
        answer = await provider.generate(Request(model=wire.model, messages=(Message.user("Hi"),)))
        await provider.aclose()
    return answer


@pytest.mark.slow
@pytest.mark.parametrize("wire", CHAT, ids=lambda wire: wire.name)
@pytest.mark.parametrize(
    "odd",
    [
        {"choices": [], "usage": USAGE},
        {"choices": None, "usage": USAGE},
        {"usage": USAGE},
        {"choices": [{"index": 0, "delta": {}, "usage": USAGE}]},
        {"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": None}], "usage": USAGE},
        {"choices": [], "x_groq": {"id": "r", "usage": USAGE}},
        {"object": "chat.completion.chunk.usage", "choices": [], "usage": {**USAGE, "total_tokens": 22, "more": "x"}},
        {"choices": [], "usage": {"prompt_tokens": 12.0, "completion_tokens": 10.0}},
    ],
)
async def test_usage_in_an_odd_piece_after_the_end_counts(wire: Wire, odd: dict[str, object]) -> None:
    answer = await _answer(wire, *SAID, {"choices": []}, odd, {"choices": [], "usage": None})
    assert (answer.text, answer.finish_reason, answer.usage) == ("Hello", "stop", TOLD)


@pytest.mark.slow
@pytest.mark.parametrize("wire", CHAT, ids=lambda wire: wire.name)
@pytest.mark.parametrize(
    "late",
    [
        {"error": {"message": "Late", "code": 500}},
        b"data: {no json\n\n",
        b"data: [DONE]\n\ndata: {no json\n\n",
        *(b"data: [DONE]\n\n" + piece for piece in as_sse([text_frame("Late"), *ending("length")])),
        b"data: [DONE]\n\n: a comment\n\nevent: ping\n\ndata: [DONE]\n\n",
    ],
)
async def test_nothing_of_what_comes_too_late_changes_the_answer(wire: Wire, late: object) -> None:
    answer = await _answer(wire, *SAID, late)
    assert (answer.text, answer.finish_reason, answer.usage) == ("Hello", "stop", NOTHING)


@pytest.mark.parametrize("wire", CHAT, ids=lambda wire: wire.name)
async def test_numbers_that_cannot_be_are_no_numbers(wire: Wire) -> None:
    answer = await _answer(wire, *SAID, {"choices": [], "usage": {"prompt_tokens": 1e300, "completion_tokens": -5}})
    assert answer.usage in (NOTHING, Usage(input=None, output=None))


@pytest.mark.parametrize("wire", CHAT, ids=lambda wire: wire.name)
async def test_a_call_that_is_told_with_the_end_or_after_it_is_there(wire: Wire) -> None:
    usage: dict[str, object] = {"choices": [], "usage": USAGE}
    answer = await _answer(
        wire,
        call_frame(0, "c1", name="add", arguments='{"a":'),
        frame({}, "stop"),
        call_frame(0, arguments="1}"),
        usage,
    )
    assert (answer.finish_reason, answer.usage) == ("tool_call", TOLD)
    assert [call.parsed() for call in answer.tool_calls] == [{"a": 1}]
