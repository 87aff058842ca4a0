"""Calls that are cancelled at each of their awaits: before what is awaited has come, and just when it has."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Coroutine, Generator
from typing import Final, TypeVar, cast

import pytest

from sentient_cli.config.secret import Secret
from sentient_cli.llm.openai import OpenAIConfig, OpenAIProvider
from sentient_cli.llm.provider import LLMProvider
from sentient_cli.llm.wire.remote import RemoteProvider
from tests.llm.providers.chat_wire import MODEL
from tests.llm.providers.faulty import (
    IMPATIENCE,
    PATIENCE,
    Outcome,
    ask,
    nothing_left,
    opened,
    over_http2,
    served,
    wires,
    with_another_model,
)
from tests.llm.providers.wires import KEY, TEXT, WIRES, Wire
from tests.support.llm_server import Answer

T = TypeVar("T")
_MOST: Final = 1000
RESPONSES: Final = next(wire for wire in WIRES if wire.name == "responses")
late = pytest.mark.parametrize("late", [False, True], ids=["before", "when it has come"])


class _Cancelled(Coroutine[object, object, T]):
    """Work whose task is cancelled where it waits for the so many-th time.

    Args:
        work: What is done.
        at: Where, counted from 0.
        late: Whether what is waited for has come in that moment, so that it is there and nobody takes it.
    """

    def __init__(self, work: Coroutine[object, object, T], at: int, *, late: bool) -> None:
        self._work = work
        self._left = at
        self._late = late

    def __await__(self) -> Generator[object, object, T]:
        return self  # type: ignore[return-value]

    def send(self, value: object) -> object:
        return self._waits(self._work.send(value))

    def throw(self, *error: object) -> object:
        return self._waits(self._work.throw(*error))  # type: ignore[call-overload]

    def close(self) -> None:
        self._work.close()

    def _waits(self, awaited: object) -> object:
        if self._left == 0:
            task = asyncio.current_task()
            assert task is not None
            if self._late and asyncio.isfuture(awaited):
                # Before the task's own, which takes the result.
                cast("asyncio.Future[object]", awaited).add_done_callback(lambda _: task.cancel())
            else:
                task.cancel()
        self._left -= 1
        return awaited


async def _everywhere(
    wire: Wire,
    answer: Answer,
    *,
    late: bool,
    patience: float = PATIENCE,
    other: LLMProvider | None = None,
    idle: bool = True,
) -> Outcome:
    """Cancel a call at each of its awaits, until one comes to its end; what came of that one.

    Args:
        wire: How it is asked.
        answer: What comes.
        late: As for `_Cancelled`.
        patience: Seconds of silence.
        other: Who is asked too.
        idle: Whether no connection is in use any more once it is left.
    """
    for at in range(_MOST):
        async with nothing_left(), served(answer) as server:
            async with opened(wire, server.url, patience) as provider:
                call = asyncio.create_task(_Cancelled(ask(provider, wire), at, late=late))
                await asyncio.wait([call])
                for each in (provider, other or provider):
                    assert isinstance(each, RemoteProvider)
                    assert (each.pool.waiting, each.metrics().active) == (0, 0)
                    assert each.pool.in_use == 0 or not idle
                if call.cancelled() and other is None:
                    assert provider.metrics().errors == 0
            await server.left()
        if not call.cancelled():
            assert at > 1
            return call.result()
    raise AssertionError("it never ends")


def _answers(wire: Wire) -> Answer:
    return Answer(wire.events, pace=0.001)


def _breaks(wire: Wire) -> Answer:
    return Answer(wire.body, cut=wire.complete_at // 2, how="close")


@wires
@late
@pytest.mark.story("4.3")
async def test_a_call_leaves_nothing_wherever_it_is_cancelled(wire: Wire, *, late: bool) -> None:
    outcome = await _everywhere(wire, _answers(wire), late=late)
    assert (outcome.text, outcome.error) == (TEXT, None)


@wires
@late
@pytest.mark.story("4.3", "13.1")
async def test_nor_does_it_in_http2(wire: Wire, *, late: bool) -> None:
    async with over_http2():
        outcome = await _everywhere(wire, _answers(wire), late=late)
    assert (outcome.text, outcome.error) == (TEXT, None)


@wires
@late
async def test_nor_while_a_refusal_is_read(wire: Wire, *, late: bool) -> None:
    answer = Answer([b'{"error": ', b'{"message": "No"}}'], 503, pace=0.001)
    outcome = await _everywhere(wire, answer, late=late)
    assert outcome.error is not None
    assert outcome.error.code == "provider-server"


@wires
@late
@pytest.mark.slow
async def test_nor_while_nothing_comes(wire: Wire, *, late: bool) -> None:
    for answer in (Answer(wire.body, delay=60), Answer(wire.body, cut=300, how="stall")):
        outcome = await _everywhere(wire, answer, late=late, patience=IMPATIENCE)
        assert outcome.error is not None
        assert outcome.error.code == "provider-timeout"


@wires
@late
@pytest.mark.story("4.3", "E4.1")
async def test_nor_while_another_model_takes_over(wire: Wire, *, late: bool) -> None:
    other = WIRES[(WIRES.index(wire) + 1) % len(WIRES)]
    async with with_another_model(other) as standing_in:
        outcome = await _everywhere(wire, _breaks(wire), late=late, other=standing_in)
    assert (outcome.text, outcome.error) == (TEXT, None)


def _in_the_background(url: str, patience: float, name: str | None = None) -> OpenAIProvider:
    config = OpenAIConfig(
        base_url=f"{url}/v1",
        api_key=Secret(KEY),
        api="responses",
        background=True,
        default_model=MODEL,
        timeout=patience,
    )
    return OpenAIProvider(config, provider_id=name)


@late
@pytest.mark.parametrize("breaks", [False, True], ids=["answers", "breaks"])
@pytest.mark.story("4.3")
async def test_nor_where_what_is_left_is_cancelled_at_the_provider(*, late: bool, breaks: bool) -> None:
    wire = dataclasses.replace(RESPONSES, make=_in_the_background)
    answer = _breaks(wire) if breaks else _answers(wire)
    await _everywhere(wire, answer, late=late, idle=False)
