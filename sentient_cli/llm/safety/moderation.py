"""A filter that asks OpenAI's moderation endpoint, or a server that speaks like it.

Source: https://platform.openai.com/docs/guides/moderation.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final, Literal

import msgspec

from sentient_cli.errors import CredentialNotFoundError, ProviderConnectionError, ProviderError
from sentient_cli.llm.provider import Request
from sentient_cli.llm.safety.filters import Finding, Verdict, questions
from sentient_cli.llm.wire.failures import error_of, read_refusal
from sentient_cli.llm.wire.settings import RemoteConfig
from sentient_cli.llm.wire.transport import Transport

__all__ = ["ModerationConfig", "ModerationFilter"]

_OK: Final = 200
_LARGEST: Final = 1024 * 1024


class _Result(msgspec.Struct, frozen=True):
    flagged: bool = False
    categories: dict[str, bool] = {}


class _Answer(msgspec.Struct, frozen=True):
    results: list[_Result]


class ModerationConfig(RemoteConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the endpoint is: OpenAI's unless told otherwise.

    Args:
        default_model: The model that is asked.
        base_url: Up to ``/v1``.

    Example:
        >>> ModerationConfig().base_url
        'https://api.openai.com/v1'
    """

    default_model: str = "omni-moderation-latest"
    base_url: str = "https://api.openai.com/v1"


class ModerationFilter:
    """Asks whether a text is harmful: once for a request, and for an answer once every so many characters.

    Args:
        config: Where the endpoint is, and its key.
        categories: Those that count, such as ``violence``; all unless given.
        step: Characters of an answer that are asked about together, and held back until they are.
        when_down: Whether answers pass (``pass``, with a notice) or fail (``fail``) while the endpoint does.

    Example:
        >>> from sentient_cli.config.secret import Secret
        >>> ModerationFilter(ModerationConfig(api_key=Secret("sk-1"))).name
        'moderation'
    """

    NAME: ClassVar[str] = "moderation"

    def __init__(
        self,
        config: ModerationConfig,
        *,
        categories: Iterable[str] = (),
        step: int = 500,
        when_down: Literal["pass", "fail"] = "fail",
    ) -> None:
        self._config = config
        self._categories = frozenset(categories)
        self._step = step
        self._passes = when_down == "pass"
        self._transport: Transport | None = None

    @property
    def name(self) -> str:
        """``moderation``."""
        return self.NAME

    @property
    def window(self) -> int:
        """As much as is asked about at once, so that nothing is torn out of its context."""
        return self._step

    @property
    def step(self) -> int:
        """Characters of an answer that are asked about together."""
        return self._step

    async def check_request(self, request: Request) -> Finding | None:
        """Ask about what users and tools say, since the last answer.

        Raises:
            ProviderError: the endpoint fails, and nothing may pass without it.
        """
        texts = questions(request)
        return (await self.check_text("\n\n".join(texts), is_end=True)).finding if texts else None

    async def check_text(self, text: str, *, is_end: bool) -> Verdict:
        """Ask about an answer, or about the end of what came of it so far.

        Raises:
            ProviderError: as for `check_request`.
        """
        del is_end
        if not text.strip():
            return Verdict(len(text))
        try:
            finding = self._finding(await self._ask(text))
        except ProviderError:
            if not self._passes:
                raise
            return Verdict(len(text), notice="The answer was not checked: the moderation endpoint failed")
        return Verdict(len(text) if finding is None else 0, finding)

    def _finding(self, results: list[_Result]) -> Finding | None:
        for result in results:
            names = sorted(name for name, found in result.categories.items() if found)
            counted = [name for name in names if name in self._categories] if self._categories else names
            if counted or (result.flagged and not self._categories):
                category = counted[0] if counted else "harm"
                return Finding(self.NAME, category, f"It was found harmful: {', '.join(counted) or category}")
        return None

    async def _ask(self, text: str) -> list[_Result]:
        if not self._config.keys:
            raise CredentialNotFoundError("The moderation endpoint has no key", fix="Set OPENAI_API_KEY")
        if self._transport is None:
            self._transport = Transport(self.NAME, self._config)
        body = msgspec.json.encode({"model": self._config.default_model, "input": text})
        headers = {
            **self._config.headers,
            "Authorization": f"Bearer {self._config.keys[0].reveal()}",
            "Content-Type": "application/json",
        }
        url = f"{self._config.base_url.rstrip('/')}/moderations"
        told = await self._transport.fetch("POST", url, headers, body, limit=_LARGEST)
        if told.status != _OK:
            raise error_of(self.NAME, told.status, read_refusal(told.body), headers=told.headers)
        try:
            return msgspec.json.decode(told.body, type=_Answer).results
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise ProviderConnectionError(
                "The answer of the moderation endpoint cannot be read", fix="Check its `base_url`", provider=self.NAME
            ) from None

    async def aclose(self) -> None:
        """Close its connections. May be called twice."""
        if self._transport is not None:
            await self._transport.aclose()
