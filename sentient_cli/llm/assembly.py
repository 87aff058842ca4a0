"""Puts the chunks of a stream together: text, tool calls, usage, the reason of the end."""

from __future__ import annotations

from collections.abc import AsyncIterable

from sentient_cli.errors import ProviderConnectionError
from sentient_cli.llm.types import Chunk, Completion, FinishReason, ToolCall, ToolCallDelta, Usage

__all__ = ["Assembly", "collect", "truncated"]


class _OpenCall:
    __slots__ = ("arguments", "id", "index", "name")

    def __init__(self, delta: ToolCallDelta) -> None:
        self.index = delta.index
        self.id = delta.id
        self.name = delta.name or ""
        self.arguments: list[str] = []


class Assembly:
    """An answer in the making.

    Example:
        >>> assembly = Assembly()
        >>> for chunk in (Chunk("Hel"), Chunk("lo"), Chunk(finish_reason="stop")):
        ...     assembly.add(chunk)
        >>> assembly.text, assembly.finish_reason
        ('Hello', 'stop')
    """

    __slots__ = ("_calls", "_texts", "finish_reason", "usage")

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._calls: list[_OpenCall] = []
        self.usage: Usage = Usage()
        self.finish_reason: FinishReason | None = None

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
        return tuple(
            ToolCall(call.id or f"call_{place}", call.name, "".join(call.arguments))
            for place, call in enumerate(self._calls, 1)
        )

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk."""
        if chunk.text:
            self._texts.append(chunk.text)
        if chunk.tool_call is not None:
            self._add_call(chunk.tool_call)
        if chunk.usage is not None:
            self.usage = chunk.usage
        if chunk.finish_reason is not None:
            self.finish_reason = chunk.finish_reason

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
        # By id first; a new id on a used index is a new call; neither id nor index belongs to the open call.
        if delta.id is not None:
            return next((call for call in self._calls if call.id == delta.id), None)
        if delta.index is not None:
            return next((call for call in reversed(self._calls) if call.index == delta.index), None)
        return self._calls[-1] if self._calls else None

    def completion(self, provider: str, model: str, *, attempts: int = 1, failovers: int = 0) -> Completion:
        """The whole answer.

        Raises:
            ProviderConnectionError: the terminal marker never came.
        """
        if self.finish_reason is None:
            raise truncated(provider, self.text)
        calls = self.tool_calls
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
        )


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
