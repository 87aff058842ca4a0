"""Puts the chunks of a stream together: text, tool calls, usage, the reason of the end."""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping, Sequence
from typing import Final

import msgspec

from sentient_cli.errors import ProviderConnectionError
from sentient_cli.llm.besides import Besides
from sentient_cli.llm.parts import ThinkingPart
from sentient_cli.llm.types import Chunk, Completion, FinishReason, JsonValue, ToolCall, ToolCallDelta, Usage

__all__ = ["Assembly", "collect", "is_whole", "tier_told", "truncated"]

_TIERS: Final = frozenset({"default", "standard", "flex", "priority", "batch"})
"""Those that have prices."""


def tier_told(extra: Mapping[str, JsonValue] | None) -> str | None:
    """The service tier that an answer was given in, where the provider tells it: it may not be the one that was wanted.

    Args:
        extra: What it sent besides the answer.

    Example:
        >>> tier_told({"service_tier": "flex"}), tier_told({"service_tier": "of-our-own"})
        ('flex', None)
    """
    told = extra.get("service_tier") if extra is not None else None
    return told if isinstance(told, str) and told in _TIERS else None


class _OpenCall:
    __slots__ = ("arguments", "id", "index", "name")

    def __init__(self, delta: ToolCallDelta) -> None:
        self.index = delta.index
        self.id = delta.id
        self.name = delta.name or ""
        self.arguments: list[str] = []


class Assembly(msgspec.Struct, eq=False):
    """An answer in the making.

    Example:
        >>> assembly = Assembly()
        >>> for chunk in (Chunk("Hel"), Chunk("lo"), Chunk(finish_reason="stop")):
        ...     assembly.add(chunk)
        >>> assembly.text, assembly.finish_reason
        ('Hello', 'stop')
    """

    model: str = ""
    """The model that answers, as the provider says."""
    usage: Usage = Usage()
    finish_reason: FinishReason | None = None
    _besides: Besides = msgspec.field(default_factory=Besides)
    _texts: list[str] = []
    _calls: list[_OpenCall] = []
    _thoughts: list[ThinkingPart] = []
    _refusals: list[str] = []

    def void(self) -> None:
        """Begin anew: what came before does not count."""
        self._texts, self._calls, self._thoughts, self._refusals = [], [], [], []
        self.usage, self.finish_reason = Usage(), None
        self._besides.void()

    @property
    def extra(self) -> dict[str, JsonValue] | None:
        """What the provider sent besides, by its own names; None: nothing."""
        return self._besides.told

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._texts)

    @property
    def texts(self) -> int:
        """How many pieces of text there were so far."""
        return len(self._texts)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls so far."""
        told = {call.id for call in self._calls}
        used: set[str] = set()
        calls: list[ToolCall] = []
        for place, call in enumerate(self._calls, 1):
            identity = call.id
            if not identity or identity in used:  # results are told apart by it
                identity, more = f"call_{place}", 0
                while identity in told or identity in used:
                    more += 1
                    identity = f"call_{place}_{more}"
            used.add(identity)
            calls.append(ToolCall(identity, call.name, "".join(call.arguments)))
        return tuple(calls)

    @property
    def thinking(self) -> tuple[ThinkingPart, ...]:
        """What the model thought, its pieces put together."""
        if not self._thoughts:
            return ()
        parts: list[ThinkingPart] = []
        texts: list[str] = []
        for piece in self._thoughts:
            texts.append(piece.text)
            if piece.signature or piece.redacted:
                parts.append(ThinkingPart("".join(texts), piece.signature, piece.redacted))
                texts = []
        if any(texts):
            parts.append(ThinkingPart("".join(texts)))
        return tuple(parts)

    @property
    def refusal(self) -> str:
        """Why the model does not answer, in its own words."""
        return "".join(self._refusals)

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk."""
        if chunk.restarted:
            self.void()
        if chunk.text:
            self._texts.append(chunk.text)
        if chunk.tool_call is not None:
            self._add_call(chunk.tool_call)
        if chunk.usage is not None:
            self.usage = chunk.usage
        if chunk.finish_reason is not None:
            self.finish_reason = chunk.finish_reason
        if chunk.thinking is not None:
            self._thoughts.append(chunk.thinking)
        if chunk.refusal:
            self._refusals.append(chunk.refusal)
        if chunk.model:
            self.model = chunk.model
        if chunk.extra:
            self._besides.add(chunk.extra)

    def _add_call(self, delta: ToolCallDelta) -> None:
        call = self._find(delta)
        if call is None:
            call = _OpenCall(delta)
            self._calls.append(call)
        elif delta.name and not call.name:
            call.name = delta.name
        if delta.arguments:
            call.arguments.append(delta.arguments)

    def _find(self, delta: ToolCallDelta) -> _OpenCall | None:
        call = self._named(delta)
        if call is None or not delta.name or not call.name:
            return call
        if delta.name != call.name:
            return None
        return None if delta.arguments.strip() and is_whole(call.arguments) else call

    def _named(self, delta: ToolCallDelta) -> _OpenCall | None:
        # By id first, and index; a new id on a used index is a new call; neither id nor index belongs to the open call.
        calls = reversed(self._calls)
        if delta.id:
            indexes = (delta.index, None)
            return next(
                (one for one in calls if one.id == delta.id and (delta.index is None or one.index in indexes)), None
            )
        if delta.index is not None:
            return next((call for call in calls if call.index == delta.index), None)
        return next(calls, None)

    def completion(
        self,
        provider: str,
        model: str,
        *,
        attempts: int = 1,
        failovers: int = 0,
        cost: float | None = None,
        degraded: str = "",
        cached: bool = False,
        notices: tuple[str, ...] = (),
    ) -> Completion:
        """The whole answer; the arguments are what its pieces do not tell.

        Raises:
            ProviderConnectionError: the terminal marker never came.
        """
        if self.finish_reason is None:
            raise truncated(provider, self.text)
        calls = self.tool_calls if self._calls else ()
        reason = "tool_call" if calls and self.finish_reason == "stop" else self.finish_reason
        return Completion(
            text=self.text,
            tool_calls=calls,
            usage=self.usage,
            finish_reason=reason,
            provider=provider,
            model=model,
            attempts=attempts,
            failovers=failovers,
            thinking=self.thinking,
            refusal=self.refusal if self._refusals else "",
            model_used=self.model,
            extra=self.extra,
            cost=cost,
            degraded=degraded,
            cached=cached,
            notices=notices,
        )


def is_whole(pieces: Sequence[str]) -> bool:
    """Whether the arguments of a call are complete: whole JSON, of which no beginning is whole.

    Args:
        pieces: What came so far.

    Example:
        >>> is_whole(['{"a"', ":1}"]), is_whole(['{"a"']), is_whole([])
        (True, False, False)
    """
    if not pieces or not pieces[-1].rstrip().endswith("}"):
        return False
    try:
        return isinstance(msgspec.json.decode("".join(pieces)), dict)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False


def truncated(provider: str, partial_text: str) -> ProviderConnectionError:
    """The error of a stream that ended without its terminal marker."""
    return ProviderConnectionError(
        f"The answer of {provider!r} was cut off",
        why="Its stream ended without saying that the answer is complete",
        fix="Try again",
        provider=provider,
        partial_text=partial_text,
    )


async def collect(provider: str, model: str, chunks: AsyncIterable[Chunk]) -> Completion:
    """Read a stream to its end and give the whole answer: how a provider makes ``generate`` of ``stream``.

    Raises:
        ProviderConnectionError: the stream ended without its terminal marker.
    """
    assembly = Assembly()
    async for chunk in chunks:
        assembly.add(chunk)
    return assembly.completion(provider, model)
