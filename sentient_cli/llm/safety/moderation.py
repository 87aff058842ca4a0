"""A filter that asks OpenAI's moderation endpoint, or a server that speaks like it.

Source: https://platform.openai.com/docs/guides/moderation.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar, Final, Literal

import msgspec

from sentient_cli.config.secret import Secret
from sentient_cli.errors import ConfigError, CredentialNotFoundError, ProviderConnectionError, ProviderError
from sentient_cli.llm.parts import ImagePart
from sentient_cli.llm.provider import Request
from sentient_cli.llm.safety.filters import Finding, Verdict, asked, questions
from sentient_cli.llm.types import JsonValue
from sentient_cli.llm.wire.failures import error_of, read_refusal
from sentient_cli.llm.wire.keys import KeyRing
from sentient_cli.llm.wire.settings import RemoteConfig
from sentient_cli.llm.wire.transport import Transport

__all__ = ["CATEGORIES", "ModerationConfig", "ModerationFilter"]

CATEGORIES: Final = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
"""What OpenAI's endpoint looks for."""

_OK: Final = 200
_LARGEST: Final = 1024 * 1024
_OPENAI: Final = "https://api.openai.com/v1"
_BLIND: Final = "text-moderation"
"""What the names of models begin with that read no pictures."""


class _Result(msgspec.Struct, frozen=True):
    flagged: bool = False
    categories: dict[str, bool | None] = {}


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
    base_url: str = _OPENAI


class ModerationFilter:
    """Asks whether something is harmful: the texts of a request, each picture in it, and an answer in blocks.

    Args:
        config: Where the endpoint is, and its keys, which take turns.
        categories: Those that count, such as ``violence``; all unless given.
        step: Characters of an answer that are asked about together, and held back until they are.
        when_down: Whether calls pass (``pass``, with a notice) or fail (``fail``) while the endpoint does.

    Raises:
        ConfigError: OpenAI's endpoint has no such category, or another value cannot be. Another endpoint's categories
            are known by its first answer.

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
        if type(step) is not int or step < 1:
            raise ConfigError(f"The `step` of a filter cannot be {step!r:.40}", fix="Give characters, from 1")
        if when_down not in {"pass", "fail"}:
            raise ConfigError(f"`when_down` cannot be {when_down!r:.40}", fix="Use `pass` or `fail`")
        if isinstance(categories, str):
            raise ConfigError(f"The categories are one text, {categories!r:.80}", fix="Give a list: `[…]`")
        self._config = config
        self._categories = frozenset(categories)
        self._step = step
        self._passes = when_down == "pass"
        self._keys = KeyRing(config.keys)
        if config.base_url.rstrip("/") == _OPENAI:
            _check_categories(self._categories, CATEGORIES)
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

    async def check_request(self, request: Request) -> Verdict:
        """Ask about what users and tools say and show, since the last answer.

        Raises:
            ProviderError: the endpoint fails, and nothing may pass without it.
            ConfigError: it has no such category.
        """
        text = "\n\n".join(questions(request))
        pictures = [part for message in asked(request) for part in message.parts if isinstance(part, ImagePart)]
        told: list[JsonValue] = [text] if text.strip() else []
        notice = ""
        if pictures and self._config.default_model.startswith(_BLIND):
            notice = f"The pictures were not checked: {self._config.default_model!r} reads none"
        else:
            told += [_shown(picture) for picture in pictures]
        for each in told:
            verdict = await self._verdict(each, "The question")
            notice = notice or verdict.notice
            if verdict.finding is not None:
                return Verdict(0, verdict.finding, notice)
        return Verdict(0, notice=notice)

    async def check_text(self, text: str, *, is_end: bool) -> Verdict:
        """Ask about an answer, or about the end of what came of it so far.

        Raises:
            ProviderError: as for `check_request`.
            ConfigError: the same.
        """
        del is_end
        return await self._verdict(text, "The answer") if text.strip() else Verdict(len(text))

    async def _verdict(self, told: JsonValue, what: str) -> Verdict:
        """Ask about a text, or about a picture as the endpoint takes it."""
        size = len(told) if isinstance(told, str) else 0
        try:
            finding = self._finding(await self._ask(told))
        except ProviderError:
            if not self._passes:
                raise
            return Verdict(size, notice=f"{what} was not checked: the moderation endpoint failed")
        return Verdict(size if finding is None else 0, finding)

    def _finding(self, results: list[_Result]) -> Finding | None:
        for result in results:
            if result.categories:
                _check_categories(self._categories, result.categories)
            names = sorted(name for name, found in result.categories.items() if found)
            counted = [name for name in names if name in self._categories] if self._categories else names
            if counted or (result.flagged and not self._categories):
                category = counted[0] if counted else "harm"
                return Finding(self.NAME, category, f"It was found harmful: {', '.join(counted) or category}")
        return None

    async def _ask(self, told: JsonValue) -> list[_Result]:
        if not self._config.keys:
            raise CredentialNotFoundError("The moderation endpoint has no key", fix="Set OPENAI_API_KEY")
        body = msgspec.json.encode({"model": self._config.default_model, "input": told})
        return await self._keys.having(lambda key: self._send(key, body))

    async def _send(self, key: Secret | None, body: bytes) -> list[_Result]:
        if self._transport is None:
            self._transport = Transport(self.NAME, self._config)
        headers = {
            **self._config.headers,
            "Authorization": f"Bearer {key.reveal() if key else ''}",
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


def _shown(picture: ImagePart) -> JsonValue:
    url = picture.url or f"data:{picture.media_type};base64,{picture.base64}"
    return [{"type": "image_url", "image_url": {"url": url}}]  # it takes one picture a request


def _check_categories(wanted: frozenset[str], known: Iterable[str]) -> None:
    """See whether there are such categories: one that is misspelt would find nothing, and nobody would know.

    Raises:
        ConfigError: there are not.
    """
    names = sorted(known)
    for name in sorted(wanted.difference(names)):
        near = get_close_matches(name, names, n=1)
        hint = f"Did you mean `{near[0]}`? " if near else ""
        raise ConfigError(
            f"The moderation endpoint has no category {name!r:.60}",
            why=f"It has {', '.join(names)}",
            fix=f"{hint}Correct `categories` in [llm.safety]",
        )
