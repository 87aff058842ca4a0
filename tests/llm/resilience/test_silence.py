"""Somebody else's provider that hangs is given up, as the last one that can be asked too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

import pytest
from typing_extensions import override

from sentient_cli.errors import ConfigError, ProviderTimeoutError
from sentient_cli.llm import CallOptions, Chunk, LLMManager, ProviderConfig, Request
from sentient_cli.llm.providers import factory
from sentient_cli.llm.providers.lazy import LazyProvider
from sentient_cli.llm.resilience.deadlines import Deadlines
from sentient_cli.llm.resilience.policies import ProviderPolicies, ResiliencePolicies
from sentient_cli.llm.resilience.retry import RetryPolicy
from tests.llm.factory.socket_kit import configured
from tests.llm.resilience.actors import HANG, STOP, Actor, Deed, Stage, said

SOON = 0.02
WELL: list[Deed] = [*said("Hello"), STOP]
ONCE = RetryPolicy(attempts=1)


def _policies(**bounds: float | None) -> ResiliencePolicies:
    own = Deadlines(**{"first_token": SOON, "stall": SOON} | bounds)
    return ResiliencePolicies(retry=ONCE, deadlines=own)


async def test_the_last_that_can_be_asked_is_given_up_too() -> None:
    actor = Actor([HANG])
    with pytest.raises(ProviderTimeoutError, match="'plain' says nothing") as caught:
        await Stage(actor, policies=_policies()).manager.generate("hi")
    assert (actor.calls, actor.open, caught.value.provider) == (1, 0, "plain")
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def test_silence_in_the_middle_is_an_error_with_the_text_so_far() -> None:
    actor = Actor([*said("Hel"), HANG])
    options = CallOptions(after_content="fail")
    with pytest.raises(ProviderTimeoutError, match="says nothing") as caught:
        await Stage(actor, policies=_policies()).manager.generate("hi", options=options)
    assert (caught.value.partial_text, actor.open) == ("Hel", 0)


@pytest.mark.slow
async def test_another_takes_over_in_the_middle() -> None:
    one, two = Actor([*said("Hel"), HANG], name="one"), Actor(WELL, name="two")
    stage = Stage(one, two, policies=_policies())
    answer = await stage.manager.generate("hi", options=CallOptions(after_content="restart"))
    assert (answer.text, answer.provider, one.open) == ("Hello", "two", 0)


async def test_it_is_asked_again() -> None:
    actor = Actor([HANG], WELL)
    policies = ResiliencePolicies(retry=RetryPolicy(attempts=2), deadlines=Deadlines(first_token=None, stall=SOON))
    answer = await Stage(actor, policies=policies).manager.generate("hi")
    assert (answer.text, answer.attempts, actor.open) == ("Hello", 2, 0)


class _NeverReady(Actor):
    @override
    async def initialize(self) -> None:
        await asyncio.Event().wait()


async def test_getting_ready_has_an_end() -> None:
    with pytest.raises(ProviderTimeoutError, match="says nothing"):
        await Stage(_NeverReady(WELL), policies=_policies()).manager.generate("hi")


async def test_a_slow_reader_is_not_the_silence_of_the_provider() -> None:
    actor = Actor([*said("Hello you"), STOP])
    async with Stage(actor, policies=_policies()).manager.stream("hi") as stream:
        texts = [await anext(stream)]
        await asyncio.sleep(0.6)  # two looks of what watches it
        texts += [text async for text in stream]
    assert "".join(texts) == "Hello you"


async def test_it_has_as_long_as_its_own_timeout_says() -> None:
    class Quick(Actor):
        @property
        @override
        def config(self) -> ProviderConfig:
            return ProviderConfig(default_model="m", timeout=SOON / 4)

    actor = Quick([*said("Hel"), HANG])
    policies = ResiliencePolicies(retry=ONCE, deadlines=Deadlines(first_token=None))
    with pytest.raises(ProviderTimeoutError) as caught:
        await Stage(actor, policies=policies).manager.generate("hi", options=CallOptions(after_content="fail"))
    assert caught.value.why == f"It brought nothing of an answer for {SOON:g} s"


async def test_who_leaves_goes_first() -> None:
    actor = Actor([HANG])
    task = asyncio.create_task(Stage(actor, policies=_policies(stall=60.0)).manager.generate("hi"))
    await actor.has_begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert actor.open == 0


class _Deaf(Actor):
    """Goes on when it is interrupted."""

    @override
    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            yield Chunk("At last.")
        yield STOP


async def test_a_provider_that_keeps_an_interruption_to_itself_harms_nobody() -> None:
    answer = await Stage(_Deaf(), policies=_policies()).manager.generate("hi")
    task = asyncio.current_task()
    assert task is not None
    assert (answer.text, task.cancelling()) == ("At last.", 0)


async def test_what_is_missing_is_said_by_the_provider() -> None:
    def fails() -> Actor:
        raise ConfigError("Its settings lead nowhere", fix="Correct them")

    manager = LLMManager([LazyProvider("mine", fails)], default_model="mine:m")
    with pytest.raises(ConfigError, match="lead nowhere"):
        await manager.generate("hi")


@pytest.mark.parametrize("told", [{"timeout": SOON / 4}, {"stall_timeout": SOON}])
async def test_settings_bound_what_an_entry_point_gave(
    told: dict[str, object], third_party: Callable[[Actor], None]
) -> None:
    actor = Actor([HANG], name="mine")
    third_party(actor)
    bounds = {"kind": "theirs", "first_token_timeout": SOON, **told}
    settings = {"model": "mine:m", "providers": {"mine": bounds}, "retry": {"attempts": 1}, "usage": False}
    async with configured(settings) as manager:
        with pytest.raises(ProviderTimeoutError, match="'mine' says nothing"):
            await manager.generate("hi")
    assert actor.open == 0


@pytest.fixture(name="third_party")
def _third_party(monkeypatch: pytest.MonkeyPatch) -> Callable[[Actor], None]:
    """Has a provider be that of an installed package."""

    def install(actor: Actor) -> None:
        def made(*_: object) -> Actor:
            return actor

        monkeypatch.setattr(factory, "_third_parties", lambda: {"theirs": lambda: made})

    return install


async def test_a_provider_may_have_other_bounds() -> None:
    own = ProviderPolicies(deadlines=Deadlines(first_token=None, stall=SOON))
    policies = ResiliencePolicies(retry=ONCE, providers={"plain": own})
    with pytest.raises(ProviderTimeoutError):
        await Stage(Actor([HANG]), policies=policies).manager.generate("hi")
