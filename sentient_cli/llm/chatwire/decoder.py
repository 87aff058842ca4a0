"""A stream of chat completions as it comes in, taken apart into chunks: bytes in, chunks out, nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from typing_extensions import override

from sentient_cli.errors import ServerError
from sentient_cli.llm.chatwire.details import Details, text_in
from sentient_cli.llm.chatwire.dialect import CONTENT, DETAILS
from sentient_cli.llm.chatwire.frames import Choice, Frame, decode_frame, lenient_frame, read_frame
from sentient_cli.llm.chatwire.toolcalls import CallSorter
from sentient_cli.llm.chatwire.usage import usage_of
from sentient_cli.llm.parts import ThinkingPart
from sentient_cli.llm.types import Chunk, FinishReason, JsonValue
from sentient_cli.llm.wire.decoding import StreamDecoder
from sentient_cli.llm.wire.failures import error_of, read_refusal

__all__ = ["ChatDecoder"]

_DONE: Final = b"[DONE]"
_REASONS: Final[Mapping[str, FinishReason]] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_call",
    "tool_call": "tool_call",
    "tool_use": "tool_call",
    "function_call": "tool_call",
    "content_filter": "content_filter",
    "safety": "content_filter",
}
_FAILED: Final = frozenset({"error", "insufficient_system_resource"})
"""Reasons by which a vendor says that it broke down, and not that the answer is complete."""


class ChatDecoder(StreamDecoder):
    r"""Takes the body of a streamed answer apart, whatever the pieces in which it comes.

    The reason of the end is held until all is said, and comes last, with the usage that came with it or after it.

    Args:
        provider: Whose; errors name it.
        notices: What was not asked as it was wanted; told with the first chunk.
        reasoning_apart: As for `Dialect`.
        thoughts: As for `Dialect`.

    Example:
        >>> decoder = ChatDecoder("mine")
        >>> [chunk.text for chunk in decoder.feed(b'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\n')]
        ['Hi']
        >>> decoder.feed(b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')
        []
        >>> [chunk.finish_reason for chunk in decoder.end()]
        ['stop']
    """

    __slots__ = ("_apart", "_begun", "_calls", "_declined", "_details", "_finish", "_tier")

    def __init__(
        self,
        provider: str,
        notices: Sequence[str] | None = None,
        *,
        reasoning_apart: bool = False,
        thoughts: str = "",
    ) -> None:
        super().__init__(provider, notices)
        self._details = Details() if thoughts in {CONTENT, DETAILS} else None
        self._apart = reasoning_apart
        self._calls = CallSorter()
        self._begun = False
        self._finish: FinishReason = "stop"
        self._declined = False
        self._tier: str | None = None

    @override
    def _last(self) -> list[Chunk]:
        finish = "tool_call" if self._finish == "stop" and self._calls.count else self._finish
        if self._declined and finish == "stop" and not self._texts:
            finish = "content_filter"
        last = Chunk(usage=self.usage, finish_reason=finish)
        signature = self._details.signature if self._details is not None else ""
        return [Chunk(thinking=ThinkingPart(signature=signature)), last] if signature else [last]

    @override
    def _take(self, data: bytes, chunks: list[Chunk]) -> None:
        try:
            frame = decode_frame(data)
        except (msgspec.DecodeError, UnicodeError):
            self._take_odd(data, chunks)
            return
        choices = frame.choices
        # What nearly every frame is: one piece of text, and nothing else that counts.
        if self._begun and choices and frame.usage is None and frame.error is None and frame.citations is None:
            choice = choices[0]
            delta = choice.delta
            if (
                delta is not None
                and delta.content
                and choice.finish_reason is None
                and delta.tool_calls is None
                and choice.logprobs is None
                and not delta.reasoning_content
                and not delta.reasoning
                and not delta.refusal
                and delta.annotations is None
                and not delta.reasoning_details
                and delta.audio is None
                and not choice.index
            ):
                self._texts.append(delta.content)
                chunks.append(Chunk(delta.content))
                return
        self._take_all(frame, data, chunks)

    def _take_odd(self, data: bytes, chunks: list[Chunk]) -> None:
        """Take what is no frame, or one that is not as it should be.

        Raises:
            msgspec.DecodeError: it cannot be understood.
        """
        if data == _DONE:
            self.done = True
            return
        try:
            frame = read_frame(data)
        except (msgspec.DecodeError, UnicodeError) as error:
            frame = self._mend(data, error, lenient_frame)
        self._take_all(frame, data, chunks)

    def _take_all(self, frame: Frame, data: bytes, chunks: list[Chunk]) -> None:
        self._check(frame, data)
        if not self._begun:
            self._begin(frame.model, chunks)
        if frame.service_tier is not None and frame.service_tier != self._tier:
            self._tier = frame.service_tier
            chunks.append(Chunk(extra={"service_tier": self._tier}))
        usage = frame.usage or (frame.x_groq.usage if frame.x_groq else None)
        for choice in frame.choices or ():
            if not choice.index:
                usage = usage or choice.usage
                self._take_choice(choice, frame, chunks)
        told = usage_of(usage, reasoning_apart=self._apart) if usage else None
        if told is not None:
            if not self.finished:
                chunks.append(Chunk(usage=told))
            self._spent(told)

    def _check(self, frame: Frame, data: bytes) -> None:
        """Look whether it tells of an error.

        Raises:
            ProviderError: it does.
        """
        groq = frame.x_groq.error if frame.x_groq else None
        if frame.error or (frame.choices is None and frame.usage is None and b'"object":"error"' in _packed(data)):
            refusal = read_refusal(data)
        elif groq:
            refusal = read_refusal(msgspec.json.encode({"error": groq}))
        else:
            return
        status = int(refusal.code) if refusal.code.isdecimal() and len(refusal.code) == 3 else None  # noqa: PLR2004
        raise error_of(self._provider, status, refusal)

    def _begin(self, model: str | None, chunks: list[Chunk]) -> None:
        """Say once who answers, and what was not asked as it was wanted."""
        self._begun = True
        extra = self._told()
        if model or extra:
            chunks.append(Chunk(model=model, extra=extra))

    def _take_choice(self, choice: Choice, frame: Frame, chunks: list[Chunk]) -> None:
        delta = choice.delta or choice.message
        if delta is not None:
            details = delta.reasoning_details or ()
            if self._details is not None:
                self._details.add(details)
            thoughts = delta.reasoning_content or delta.reasoning or text_in(details)
            if thoughts:
                chunks.append(Chunk(thinking=ThinkingPart(thoughts)))
            text = delta.content or _spoken(delta.audio)
            if text:
                self._texts.append(text)
                chunks.append(Chunk(text))
            if delta.refusal:
                self._declined = True
                chunks.append(Chunk(refusal=delta.refusal))
            chunks += [Chunk(tool_call=self._calls.sort(call)) for call in delta.tool_calls or ()]
        extra = _extra(choice, frame)
        if extra:
            chunks.append(Chunk(extra=extra))
        if choice.finish_reason:
            self._end_with(choice.finish_reason, chunks)

    def _end_with(self, reason: str, chunks: list[Chunk]) -> None:
        """Take the reason of the end.

        Raises:
            ServerError: by it the provider says that it broke down.
        """
        if reason in _FAILED:
            raise ServerError(
                f"The provider {self._provider!r} gave up in the middle of its answer",
                why=f"Its reason of the end is {reason!r}",
                fix="Try again, or add another provider to fall back on",
                provider=self._provider,
            )
        known = _REASONS.get(reason)
        if known is None:
            chunks.append(Chunk(extra={"finish_reason": reason}))
        if not self.finished or known is not None:
            self._finish = known or "stop"
        self.finished = True


def _packed(data: bytes) -> bytes:
    return data.replace(b" ", b"")


def _spoken(sound: dict[str, JsonValue] | None) -> str:
    """The words of what is said aloud."""
    words = sound.get("transcript") if sound else None
    return words if isinstance(words, str) else ""


def _extra(choice: Choice, frame: Frame) -> dict[str, JsonValue]:
    extra: dict[str, JsonValue] = {}
    if choice.logprobs:
        extra["logprobs"] = choice.logprobs
    delta = choice.delta or choice.message
    if delta is not None and delta.annotations:
        extra["annotations"] = delta.annotations
    if delta is not None and delta.audio:
        extra["audio"] = delta.audio
    # They come with every frame; the last one counts.
    if choice.finish_reason and frame.citations:
        extra["citations"] = frame.citations
    if choice.finish_reason and frame.search_results:
        extra["search_results"] = frame.search_results
    return extra
