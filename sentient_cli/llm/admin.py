"""Keys that are made and removed by those providers that have an interface for it, with a key of an administrator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

import msgspec

from sentient_cli.config.secret import Secret
from sentient_cli.errors import ProviderConnectionError, UsageError
from sentient_cli.llm.types import JsonValue
from sentient_cli.llm.wire.addresses import check_address
from sentient_cli.llm.wire.refusals import refusal_of
from sentient_cli.llm.wire.settings import RemoteConfig
from sentient_cli.llm.wire.transport import Transport
from sentient_cli.redact import redactor

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["KeyAdmin", "Made", "can_make", "why_not"]

_LIMIT: Final = 1024 * 1024
_SECONDS: Final = 30.0
_OK: Final = range(200, 300)
_GONE: Final = 404
_BASES: Final = {"openai": "https://api.openai.com/v1", "openrouter": "https://openrouter.ai/api/v1"}
_NEVER: Final = {
    "anthropic": "Anthropic's Admin API lists keys and disables them, and makes none",
    "azure": "Azure gives each resource two keys, and makes one of them anew in its portal or by `az`",
}


class Made(NamedTuple):
    """A key that was made.

    Args:
        secret: The key.
        source: What the provider calls it, by which it is removed: ``openai:proj_1/svc_acct_1``.
    """

    secret: Secret
    source: str


def can_make(kind: str) -> bool:
    """Whether providers of a kind have an interface that makes keys.

    Example:
        >>> can_make("openai"), can_make("anthropic")
        (True, False)
    """
    return kind in _BASES


def why_not(kind: str) -> str:
    """Why keys of a kind of provider are not made here, for people."""
    return _NEVER.get(kind, f"There is no known interface of `{kind}` that makes keys")


class KeyAdmin:
    """Makes and removes keys of one provider; an asynchronous context manager.

    Args:
        provider: What the provider is called, for errors.
        kind: Its kind: ``openai`` or ``openrouter``.
        admin: The key of an administrator.
        project: In which project of the account keys are made, for OpenAI.
        config: How it is reached: its address unless the usual one, proxy and certificates.

    Example:
        >>> KeyAdmin("openai", "openai", Secret("sk-admin-1"), project="proj_1").provider
        'openai'
    """

    def __init__(
        self, provider: str, kind: str, admin: Secret, *, project: str = "", config: RemoteConfig | None = None
    ) -> None:
        given = config or RemoteConfig(default_model="", base_url="")
        base_url = (given.base_url or _BASES[kind]).rstrip("/")
        self.provider: str = provider
        self._kind = kind
        self._admin = admin
        self._project = project
        self._config = msgspec.structs.replace(given, base_url=base_url, timeout=_SECONDS)
        check_address(provider, base_url)
        self._transport = Transport(provider, self._config)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._transport.aclose()

    async def make(self, label: str) -> Made:
        """Make a key.

        Args:
            label: What it is called there.

        Raises:
            UsageError: no project is known, where one is needed.
            ProviderError: it is refused, or cannot be reached.
        """
        if self._kind == "openrouter":
            told = await self._ask("POST", "/keys", {"name": label})
            return self._made(_text(told, "key"), _text(told, "data", "hash"))
        if not self._project:
            raise UsageError(
                "It is not known in which project of the account the key is to be made",
                fix=f'Set `project = "proj_…"` in [llm.providers.{self.provider}]',
            )
        told = await self._ask("POST", self._accounts(self._project), {"name": label})
        return self._made(_text(told, "api_key", "value"), f"{self._project}/{_text(told, 'id')}")

    async def remove(self, source: str) -> bool:
        """Remove a key that was made here; whether it was still there.

        Args:
            source: What `make` said of it.

        Raises:
            ProviderError: it is refused, or cannot be reached.
        """
        kind, _, name = source.partition(":")
        if kind != self._kind:
            return False
        project, _, account = name.rpartition("/")
        path = f"{self._accounts(project)}/{quote(account, safe='')}" if project else f"/keys/{quote(name, safe='')}"
        return await self._ask("DELETE", path, None, may_be_gone=True) is not None

    def _accounts(self, project: str) -> str:
        return f"/organization/projects/{quote(project, safe='')}/service_accounts"

    def _made(self, value: str, name: str) -> Made:
        if value and not name.endswith("/") and name:
            redactor.register(value)
            return Made(Secret(value), f"{self._kind}:{name}")
        raise ProviderConnectionError(
            f"The provider {self.provider!r} does not answer as it should",
            why="What it says of the new key has no key or no name in it",
            fix="Look for a key that is not needed at the provider, and remove it there",
            provider=self.provider,
            retryable=False,
        )

    async def _ask(self, method: str, path: str, body: JsonValue, *, may_be_gone: bool = False) -> JsonValue:
        headers = {"authorization": f"Bearer {self._admin.reveal()}", "content-type": "application/json"}
        data = msgspec.json.encode(body) if body is not None else None
        fetched = await self._transport.fetch(method, f"{self._config.base_url}{path}", headers, data, limit=_LIMIT)
        if may_be_gone and fetched.status == _GONE:
            return None
        if fetched.status not in _OK:
            raise refusal_of(self.provider, fetched.status, fetched.headers, fetched.body)
        try:
            told: JsonValue = msgspec.json.decode(fetched.body or b"{}")
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            told = {}
        return told if told is not None else {}


def _text(told: JsonValue, *way: str) -> str:
    for name in way:
        told = told.get(name) if isinstance(told, dict) else None
    return told if isinstance(told, str) else ""
