"""What one request needs, at the settings of the moment when it begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from sentient_cli.config.secret import Secret
from sentient_cli.errors import ProviderConnectionError, ProviderError
from sentient_cli.llm.compatible.config import CompatibleConfig, address, request_headers
from sentient_cli.llm.compatible.vendors import Vendor
from sentient_cli.llm.types import JsonValue
from sentient_cli.llm.wire.account import hear_headers
from sentient_cli.llm.wire.keys import KeyRing
from sentient_cli.llm.wire.refusals import refusal_of
from sentient_cli.llm.wire.transport import Transport

__all__ = ["Asking"]

_OK = range(200, 300)


class Asking(NamedTuple):
    """What one request needs.

    Args:
        provider: The id of the provider.
        vendor: Its row.
        config: Its settings.
        transport: Its connections.
        keys: Its keys.
    """

    provider: str
    vendor: Vendor
    config: CompatibleConfig
    transport: Transport
    keys: KeyRing

    def headers(self, key: Secret | None) -> Mapping[str, str]:
        """The headers of a request with a key."""
        return request_headers(self.vendor, self.config, self.config.own(key))

    async def get(self, url: str) -> JsonValue:
        """What is at an address, from JSON.

        Raises:
            ProviderError: it cannot be had, or is no JSON.
        """
        return await self._fetch("GET", url, None)

    async def post(self, url: str, body: JsonValue) -> JsonValue:
        """What an address answers, from JSON.

        Raises:
            ProviderError: as for `get`.
        """
        return await self._fetch("POST", url, msgspec.json.encode(body))

    async def smallest(self, model: str) -> None:
        """Have the shortest answer made: the cheapest proof of a key where nothing else tells.

        Raises:
            ProviderError: it is not made.
        """
        limit = self.vendor.dialect.parameters.get("max_tokens", "max_tokens")
        body: JsonValue = {"model": model, "messages": [{"role": "user", "content": "Hi"}], limit: 1}
        await self.post(address(self.vendor, self.config, self.vendor.chat, model), body)

    async def _fetch(self, method: str, url: str, body: bytes | None) -> JsonValue:
        key = self.keys.take()
        fetched = await self.transport.fetch(method, url, self.headers(key), body, config=self.config)
        failure: ProviderError
        if fetched.status not in _OK:
            failure = refusal_of(self.provider, fetched.status, fetched.headers, fetched.body)
            self.keys.refused(key, failure)
            raise failure
        hear_headers(fetched.headers)
        try:
            told: JsonValue = msgspec.json.decode(fetched.body)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise ProviderConnectionError(
                f"The provider {self.provider!r} does not answer as it should",
                why="What it sends is no JSON",
                fix="Check its `base_url`: most end in `/v1`",
                provider=self.provider,
                retryable=False,
            ) from None
        return told
