"""A key tried at its provider: one real call, as cheap as the provider allows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from sentient_cli.errors import AuthenticationError, ProviderConnectionError, ProviderTimeoutError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sentient_cli.config import Loaded
    from sentient_cli.config.secret import Secret

__all__ = ["Taken", "check_key"]

_LONGEST: Final = 30.0
"""Seconds."""
_PATIENCE: Final = 3.0
_USUAL_PORT: Final = 443


class Taken(NamedTuple):
    """How a provider took a key.

    Args:
        seconds: How long that took.
        account: Whose key it is, as far as the provider tells: ``organization``, ``project``, ``team``, ``key``.
    """

    seconds: float
    account: Mapping[str, str]

    @property
    def text(self) -> str:
        """It in a few words, for people."""
        whose = "".join(f", {name} {value}" for name, value in self.account.items())
        return f"{self.seconds * 1e3:.0f} ms{whose}"


def check_key(loaded: Loaded, provider_id: str, key: Secret) -> Taken:
    """Ask a provider with a key.

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

    from sentient_cli.llm.wire.account import account_heard

    began = time.perf_counter()
    try:
        with account_heard() as account:
            asyncio.run(_ask(loaded, provider_id, key))
    except AuthenticationError as error:
        error.fix = "Make another key at the provider, and store it with `sentient keys set`; nothing was changed"
        raise
    except (ProviderConnectionError, ProviderTimeoutError) as error:
        if _leads_nowhere(loaded, provider_id):
            told = "This machine seems to be offline, or a proxy is needed; the key was not tried"
            error.why = f"{error.why.rstrip('.')}. {told}" if error.why else told
        raise
    return Taken(time.perf_counter() - began, account)


def _leads_nowhere(loaded: Loaded, provider_id: str) -> bool:
    """Whether nobody can be connected to where the key would have gone."""
    import socket
    from urllib.parse import urlsplit

    from sentient_cli.llm.providers.destinations import destination_of

    hosts = destination_of(provider_id, loaded.settings.llm.providers.get(provider_id)).hosts
    for host in hosts:
        place = urlsplit(f"//{host}")
        try:
            socket.create_connection((place.hostname or "", place.port or _USUAL_PORT), _PATIENCE).close()
        except OSError:
            continue
        return False
    return bool(hosts)


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
