"""Who reads text is told when an answer begins anew, and what was read before is void."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import pytest

from sentient_cli import llm
from sentient_cli.errors import AnswerRestartedError, ServerError
from sentient_cli.llm import Chunk, ToolCallDelta
from sentient_cli.llm.resilience.failover import FailoverPolicy
from sentient_cli.llm.resilience.policies import ResiliencePolicies
from sentient_cli.llm.resilience.retry import RetryPolicy
from sentient_cli.runtime.events import TextChunkEvent
from sentient_cli.runtime.sink import TextStream
from sentient_cli.testing import RecordingResponse
from tests.llm.resilience.actors import STOP, Actor, Stage, said

RESTART = ResiliencePolicies(retry=RetryPolicy(attempts=1), failover=FailoverPolicy(after_content="restart"))
DOWN = ServerError("Down")


def _stage() -> Stage:
    return Stage(Actor([*said("Half an ans"), DOWN], [*said("The whole answer"), STOP]), policies=RESTART)


async def _read(stream: AsyncIterator[str], into: list[str]) -> None:
    async for text in stream:
        into.append(text)  # noqa: PERF401 - what was read before the error is needed


async def test_a_reader_of_text_is_told_and_can_read_on() -> None:
    async with _stage().manager.stream("hi") as stream:
        read = [await anext(stream)]
        with pytest.raises(AnswerRestartedError) as caught:
            await _read(stream, read)
        assert "".join(read) == caught.value.partial_text == "Half an ans"
        assert "".join([text async for text in stream]) == "The whole answer"
        assert (await stream.completion()).text == "The whole answer"


async def test_an_answer_with_tools_comes_again_as_a_whole() -> None:
    @llm.tool
    def add(a: int) -> int:
        """Adds one."""
        return a + 1

    call = Chunk(tool_call=ToolCallDelta(0, "1", "add", '{"a": 1}'))
    actor = Actor(
        [*said("Let me see."), call, Chunk(finish_reason="tool_call")],
        [*said("It is tw"), DOWN],
        [*said("It is two"), STOP],
    )
    stage = Stage(actor, policies=RESTART)
    async with llm.stream_tools("1 + 1?", tools=[add], manager=stage.manager) as stream:
        with pytest.raises(AnswerRestartedError) as caught:
            _ = [text async for text in stream]
        assert caught.value.partial_text == "Let me see.\n\nIt is tw"
        assert "".join([text async for text in stream]) == "Let me see.\n\nIt is two"
        assert (await stream.completion()).text == "It is two"


async def test_a_text_stream_of_a_response_ends_and_another_one_begins() -> None:
    response = RecordingResponse()
    stream: TextStream = _stage().manager.stream("hi")
    assert await response.stream_llm("ANSWER", stream) == "The whole answer"
    await response.complete()
    chunks = [event for event in response.events if isinstance(event, TextChunkEvent)]
    streams = list(dict.fromkeys(chunk.stream_id for chunk in chunks))
    texts = ["".join([chunk.content for chunk in chunks if chunk.stream_id == name]).rstrip() for name in streams]
    assert texts == ["Half an ans", "The whole answer"]
    reasons = [(chunk.metadata or {}).get("finish_reason") for chunk in chunks if chunk.is_complete]
    assert reasons == ["restarted", "stop"]


async def test_what_is_no_stream_of_a_model_is_refused_in_words() -> None:
    response = RecordingResponse()
    with pytest.raises(TypeError, match="and not str"):
        await response.stream_llm("ANSWER", cast("TextStream", "some text"))
