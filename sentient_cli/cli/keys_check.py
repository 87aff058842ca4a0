"""A key tried at its provider: one real call, as cheap as the provider allows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from sentient_cli.errors import AuthenticationError, ProviderConnectionError, ProviderTimeoutError

if TYPE_CHECKING:
    from sentient_cli.config import Loaded
    from sentient_cli.config.secret import Secret

__all__ = ["check_key"]

_LONGEST: Final = 30.0
"""Seconds."""


def check_key(loaded: Loaded, provider_id: str, key: Secret) -> float:
    """Ask a provider with a key; the seconds that it took.

    Args:
        loaded: The settings, which may say where the provider is.
        provider_id: The provider.
        key: The key.

    Raises:
        AuthenticationError: the key is not taken.
        ProviderError: the provider cannot be reached, or does not answer as it should.
        ConfigError: there is no such provider.
    """
    import asyncio

    began = time.perf_counter()
    try:
        asyncio.run(_ask(loaded, provider_id, key))
    except AuthenticationError as error:
        error.fix = "Make another key at the provider, and store it with `sentient keys set`; nothing was changed"
        raise
    except ProviderConnectionError as error:
        error.fix = error.fix or "Check that this machine is online, and whether a proxy is needed"
        raise
    return time.perf_counter() - began


async def _ask(loaded: Loaded, provider_id: str, key: Secret) -> None:
    import asyncio

    from sentient_cli.llm.providers.factory import provider_factory

    provider = provider_factory(
        provider_id,
        loaded.settings.llm.providers.get(provider_id),
        loaded.environment,
        api_key=key,
        profile=loaded.settings.profile,
    )
    try:
        async with asyncio.timeout(_LONGEST):
            await provider.validate()
    except TimeoutError:
        raise ProviderTimeoutError(
            f"The provider {provider_id!r} did not answer within {_LONGEST:g} s", provider=provider_id
        ) from None
    finally:
        await provider.aclose()
