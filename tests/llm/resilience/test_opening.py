"""An answer that is asked for when it is first read, or opened by whoever is next to it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from sentient_cli.errors import ServerError
from sentient_cli.llm import Chunk
from sentient_cli.llm.resilience.breaker import BreakerPolicy
from sentient_cli.llm.resilience.opening import Asked, Opened, opened
from sentient_cli.llm.resilience.policies import ResiliencePolicies
from tests.llm.resilience.actors import Actor, Stage


class _Source:
    def __init__(self) -> None:
        self.asked = 0
        self.open = 0

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        self.open += 1
        try:
            yield Chunk("lo")
            yield Chunk(finish_reason="stop")
        finally:
            self.open -= 1

    async def ask(self) -> Opened:
        self.asked += 1
        return Opened([Chunk("Hel")], self.chunks())


async def test_it_is_read_from_its_beginning() -> None:
    source = _Source()
    async with aclosing(Asked(source.ask)) as chunks:
        assert source.asked == 0
        assert "".join([chunk.text async for chunk in chunks]) == "Hello"
    assert (source.asked, source.open) == (1, 0)


async def test_who_is_next_to_it_opens_it() -> None:
    source = _Source()
    answer = await opened(Asked(source.ask))
    assert answer.held == [Chunk("Hel")]
    assert [chunk.text async for chunk in answer.source] == ["lo", ""]
    await answer.close()


async def test_it_ends_where_it_is_left() -> None:
    source = _Source()
    chunks = Asked(source.ask)
    await chunks.aclose()
    assert source.asked == 0
    assert [(await anext(chunks)).text, (await anext(chunks)).text] == ["Hel", "lo"]
    await chunks.aclose()
    assert (source.asked, source.open) == (1, 0)


@pytest.mark.parametrize("read", [0, 2])
async def test_an_error_can_be_raised_where_it_is_read(read: int) -> None:
    source = _Source()
    chunks = Asked(source.ask)
    for _ in range(read):
        await anext(chunks)
    with pytest.raises(ServerError, match="Down"):
        await chunks.athrow(ServerError("Down"))
    assert source.open == 0


async def test_what_fails_is_asked_for_once() -> None:
    asked: list[int] = []

    async def ask() -> Opened:
        asked.append(1)
        raise ServerError("Down")

    chunks = Asked(ask)
    with pytest.raises(ServerError):
        await anext(chunks)
    with pytest.raises(StopAsyncIteration):
        await anext(chunks)
    assert len(asked) == 1


async def test_new_breakers_follow_new_policies() -> None:
    stage = Stage(Actor(), policies=ResiliencePolicies(breaker=BreakerPolicy(failures=2)))
    breakers = stage.manager.breakers
    before = breakers.of("one", "m")
    stage.manager.policies = ResiliencePolicies(breaker=BreakerPolicy(failures=7))
    assert [before.policy.failures, breakers.of("one", "other").policy.failures] == [2, 7]
