"""What a provider promises about itself: its name, its settings, its models, its beginning and its end."""

from __future__ import annotations

import asyncio
import re

from sentient_cli.errors import ConfigError
from sentient_cli.llm.provider import Capabilities, ModelInfo, ProviderConfig, Request, TokenCount
from sentient_cli.testing.conformance.subject import Promise, Subject, expect, expect_kind, opened, read

__all__ = ["FACTS"]

_PROVIDER_ID = re.compile(r"[A-Za-z0-9_-]+")


async def names_itself(subject: Subject) -> None:
    """It has one id, of letters, digits, `-` and `_`, and settings with a default model."""
    async with opened(subject) as provider, opened(subject) as other:
        name = provider.provider_id
        expect(_PROVIDER_ID.fullmatch(name) is not None, f"the id is {name!r}")
        expect(other.provider_id == name, f"the id of another one is {other.provider_id!r}, not {name!r}")
        await read(provider, subject.request(provider))
        expect(provider.provider_id == name, f"the id has become {provider.provider_id!r} after a call")
        config = expect_kind(provider.config, ProviderConfig, "config")
        expect(bool(config.default_model), "there is no default model")


async def knows_its_capabilities(subject: Subject) -> None:
    """It says what it can do before it is ready, and says the same again."""
    async with opened(subject) as provider:
        capabilities = expect_kind(provider.capabilities, Capabilities, "capabilities")
        expect(provider.capabilities == capabilities, "asked again, it says something else")
        limits = (capabilities.max_input_tokens, capabilities.max_output_tokens)
        expect(all(limit is None or limit > 0 for limit in limits), f"a limit is not positive: {limits}")
        expect(all(capabilities.models), "a model has no name")


async def lists_its_models(subject: Subject) -> None:
    """It lists its models, each once and by its name."""
    async with opened(subject) as provider:
        await provider.initialize()
        names = [expect_kind(model, ModelInfo, "a model").id for model in await provider.models()]
        expect(all(names), "a model has no name")
        expect(len(names) == len(set(names)), f"a model is listed twice: {', '.join(names)}")


async def counts_tokens(subject: Subject) -> None:
    """It counts the tokens of a request; a longer one has more."""
    async with opened(subject) as provider:
        await provider.initialize()
        short = subject.request(provider)
        long = Request(model=short.model, messages=short.messages * 50, call=short.call)
        few, many = [
            expect_kind(await provider.count_tokens(request), TokenCount, "what it counts") for request in (short, long)
        ]
        expect(0 < few.tokens < many.tokens, f"{few.tokens} tokens, and fifty times the messages {many.tokens}")


async def gets_ready_more_than_once(subject: Subject) -> None:
    """`initialize` may be called again, also at the same time; a provider that works is valid."""
    async with opened(subject) as provider:
        await asyncio.gather(*(provider.initialize() for _ in range(3)))
        await provider.initialize()
        await provider.validate()
        await read(provider, subject.request(provider))


async def closes_more_than_once(subject: Subject) -> None:
    """`aclose` may be called twice, before and after it was used."""
    unused = subject.make()
    await unused.aclose()
    await unused.aclose()
    async with opened(subject) as provider:
        await read(provider, subject.request(provider))
        await provider.aclose()


async def changes_its_settings(subject: Subject) -> None:
    """`update_config` changes all the settings that are named, or none when one of them is wrong."""
    async with opened(subject) as provider:
        before = provider.config
        for wrong in ({"timeout": 12.5, "no_such_setting": 1}, {"default_model": "x", "timeout": "soon"}):
            try:
                await provider.update_config(dict(wrong))
            except ConfigError:
                expect(provider.config == before, f"it is refused, but has changed the settings: {wrong}")
            else:
                raise AssertionError(f"it takes {wrong}")
        await provider.update_config({"timeout": 12.5})
        expect(provider.config.timeout == 12.5, "the new timeout is not there")  # noqa: PLR2004 - the same number
        expect(provider.config.default_model == before.default_model, "another setting has changed")


FACTS: tuple[Promise, ...] = (
    names_itself,
    knows_its_capabilities,
    lists_its_models,
    counts_tokens,
    gets_ready_more_than_once,
    closes_more_than_once,
    changes_its_settings,
)
