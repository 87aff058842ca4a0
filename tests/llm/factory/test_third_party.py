"""Providers of somebody else's packages that are broken: an error that says whose it is, and others answer."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable

import pytest

from sentient_cli.config.llm import ProviderSettings
from sentient_cli.errors import ConfigError, ProviderError
from sentient_cli.llm import Chunk, LLMManager, OfflineProvider, Request
from sentient_cli.llm.providers import factory
from sentient_cli.llm.providers.factory import provider_factory

Made = Callable[..., object]


@pytest.fixture(name="installed")
def _installed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Made], None]:
    """Has a package with a provider of the kind `theirs` installed, as what loads its entry point."""

    def install(load: Made) -> None:
        monkeypatch.setattr(factory, "_third_parties", lambda: {"theirs": load})

    return install


def _refuse(*given: object) -> object:
    raise ValueError(f"{len(given)} values and the key sk-abcdefghijklmnopqrstuvwxyz0123")


def _make_none(*given: object) -> None:
    del given


def _make_odd(*given: object) -> object:
    return _Odd(provider_id=str(given[0]))


def _leave() -> object:
    raise SystemExit(9)


def _miss() -> object:
    raise ImportError("No module named 'parrots'")


class _Half:
    def __init__(self, *given: object) -> None:
        self.provider_id = str(given[0])


@pytest.mark.parametrize(
    ("load", "said"),
    [
        (_miss, "It raised ImportError: No module named 'parrots'"),
        (_leave, "It raised SystemExit: 9"),
        (lambda: _refuse, "It raised ValueError: 3 values"),
        (lambda: 5, "It raised TypeError: 'int' object is not callable"),
        (lambda: _make_none, "What it made is NoneType, without provider_id, config"),
        (lambda: _Half, "What it made is _Half, without config, capabilities"),
    ],
)
def test_one_that_cannot_be_made_says_whose_it_is(installed: Callable[[Made], None], load: Made, said: str) -> None:
    installed(load)
    with pytest.raises(ConfigError, match="The provider 'polly' cannot be made") as caught:
        _ = provider_factory("polly", ProviderSettings(kind="theirs"), {}).config
    assert said in caught.value.why
    assert "the kind 'theirs'" in caught.value.why
    assert "sk-abc" not in str(caught.value)


class _Odd(OfflineProvider):
    """Raises what is none of our errors, in the middle of its answer."""

    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        yield Chunk(model=request.model)
        raise KeyError("sk-abcdefghijklmnopqrstuvwxyz0123")


async def test_what_one_raises_is_a_typed_error_and_the_next_provider_answers(
    installed: Callable[[Made], None], caplog: pytest.LogCaptureFixture
) -> None:
    installed(lambda: _make_odd)
    provider = provider_factory("theirs", None, {})
    manager = LLMManager([provider, OfflineProvider()], default_model="theirs:echo")
    with caplog.at_level(logging.ERROR), pytest.raises(ProviderError, match="'theirs' failed with an error") as caught:
        await manager.generate("Hello")
    assert caught.value.provider == "theirs"
    assert "KeyError" in caught.value.why
    assert "sk-abc" not in str(caught.value)
    assert any(record.exc_info for record in caplog.records)
    manager.groups = {"both": ["theirs:echo", "offline:echo"]}
    answer = await manager.generate("Hello", model="both")
    assert (answer.provider, answer.text, answer.failovers) == ("offline", "Hello", 1)
    await manager.aclose()
