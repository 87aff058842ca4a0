"""A stream of chat completions as it comes in, taken apart into chunks: bytes in, chunks out, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from sentient_cli.errors import ProviderConnectionError, ProviderError, ServerError
from sentient_cli.llm.assembly import truncated
from sentient_cli.llm.chatwire.frames import Choice, Frame, read_frame
from sentient_cli.llm.chatwire.toolcalls import CallSorter
from sentient_cli.llm.chatwire.usage import usage_of
from sentient_cli.llm.parts import ThinkingPart
from sentient_cli.llm.types import Chunk, FinishReason, JsonValue, Usage
from sentient_cli.llm.wire.failures import error_of, read_refusal
from sentient_cli.llm.wire.sse import EventDecoder, OversizedEventError

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


class ChatDecoder:
    r"""Takes the body of a streamed answer apart, whatever the pieces in which it comes.

    The reason of the end is held until all is said, and comes last, with the usage that came with it or after it.

    Args:
        provider: Whose; errors name it.
        notices: What was not asked as it was wanted; told with the first chunk.
        reasoning_apart: As for `Dialect`.

    Example:
        >>> decoder = ChatDecoder("mine")
        >>> [chunk.text for chunk in decoder.feed(b'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\n')]
        ['Hi']
        >>> decoder.feed(b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')
        []
        >>> [chunk.finish_reason for chunk in decoder.end()]
        ['stop']
    """

    __slots__ = (
        "_apart",
        "_calls",
        "_events",
        "_failure",
        "_finish",
        "_notices",
        "_provider",
        "_texts",
        "_told",
        "_usage",
        "done",
    )

    def __init__(self, provider: str, notices: list[str] | None = None, *, reasoning_apart: bool = False) -> None:
        self._provider = provider
        self._apart = reasoning_apart
        self._events = EventDecoder()
        self._calls = CallSorter()
        self._texts: list[str] = []
        self._notices = notices
        self._told = False
        self._finish: FinishReason | None = None
        self._usage: Usage | None = None
        self._failure: ProviderError | None = None
        self.done: bool = False
        """Whether all is said: what comes now is of no interest."""

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._texts)

    @property
    def usage(self) -> Usage | None:
        """The tokens, as far as they were told."""
        return self._usage

    @property
    def finished(self) -> bool:
        """Whether the answer is known to be complete."""
        return self._finish is not None

    def feed(self, data: bytes) -> list[Chunk]:
        """Take the next piece, and give what it says. A failure is held until `end`: what came before it counts.

        Args:
            data: Bytes of the body.
        """
        chunks: list[Chunk] = []
        try:
            for event in self._events.feed(data):
                self._take(event.data, chunks)
        except OversizedEventError:
            self._failure = self._malformed("An event in its stream is larger than any that models send")
            self.done = True
        except ProviderError as failure:
            self._failure = failure
            self.done = True
        return chunks

    def whole(self, body: bytes) -> list[Chunk]:
        """Take an answer that was not streamed though that was asked for.

        Args:
            body: All of it.

        Raises:
            ProviderError: as `end`.
        """
        chunks: list[Chunk] = []
        self._take(body, chunks)
        return chunks + self.end()

    def end(self) -> list[Chunk]:
        """The body is over: give what was held.

        Raises:
            ProviderError: the answer is not complete, the provider told of an error, or cannot be understood.
        """
        if self._failure is not None and self._finish is None:  # after the end nothing of the answer is missing
            raise self._failure
        chunks: list[Chunk] = []
        last = self._events.end()
        if last is not None and not self.done:
            self._take(last.data, chunks)
        finish = self._finish
        if finish is None:
            raise truncated(self._provider, self.text)
        if finish == "stop" and self._calls.count:
            finish = "tool_call"
        chunks.append(Chunk(usage=self._usage, finish_reason=finish))
        return chunks

    def _take(self, data: bytes, chunks: list[Chunk]) -> None:
        if data == _DONE:
            self.done = True
        if self.done:
            return
        try:
            frame = read_frame(data)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            if self._finish is not None:  # nothing of the answer is missing
                self.done = True
                return
            failure = self._malformed(f"A part of its answer cannot be read: {error}")
        else:
            choices = frame.choices
            # What nearly every frame is: one piece of text, and nothing else that counts.
            if self._told and choices and frame.usage is None and frame.error is None and frame.citations is None:
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
                    and not choice.index
                ):
                    self._texts.append(delta.content)
                    chunks.append(Chunk(delta.content))
                    return
            self._take_all(frame, data, chunks)
            return
        raise failure

    def _take_all(self, frame: Frame, data: bytes, chunks: list[Chunk]) -> None:
        self._check(frame, data)
        if not self._told:
            self._tell(frame.model, chunks)
        usage = frame.usage or (frame.x_groq.usage if frame.x_groq else None)
        for choice in frame.choices or ():
            if not choice.index:
                usage = usage or choice.usage
                self._take_choice(choice, frame, chunks)
        told = usage_of(usage, reasoning_apart=self._apart) if usage else None
        if told is not None:
            if self._finish is None:
                chunks.append(Chunk(usage=told))
            self._usage = told

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
        failure = error_of(self._provider, status, refusal)
        failure.partial_text = self.text
        raise failure

    def _tell(self, model: str | None, chunks: list[Chunk]) -> None:
        """Say once who answers, and what was not asked as it was wanted."""
        self._told = True
        notices: list[JsonValue] = [*(self._notices or ())]
        if model or notices:
            chunks.append(Chunk(model=model, extra={"notices": notices} if notices else None))

    def _take_choice(self, choice: Choice, frame: Frame, chunks: list[Chunk]) -> None:
        delta = choice.delta or choice.message
        if delta is not None:
            thoughts = delta.reasoning_content or delta.reasoning
            if thoughts:
                chunks.append(Chunk(thinking=ThinkingPart(thoughts)))
            if delta.content:
                self._texts.append(delta.content)
                chunks.append(Chunk(delta.content))
            if delta.refusal:
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
                partial_text=self.text,
            )
        known = _REASONS.get(reason)
        if known is None:
            chunks.append(Chunk(extra={"finish_reason": reason}))
        if self._finish is None or known is not None:
            self._finish = known or "stop"

    def _malformed(self, why: str) -> ProviderConnectionError:
        return ProviderConnectionError(
            f"The answer of the provider {self._provider!r} is malformed",
            why=why,
            fix="Try again, and check its `base_url`",
            provider=self._provider,
            partial_text=self.text,
        )


def _packed(data: bytes) -> bytes:
    return data.replace(b" ", b"")


def _extra(choice: Choice, frame: Frame) -> dict[str, JsonValue]:
    extra: dict[str, JsonValue] = {}
    if choice.logprobs:
        extra["logprobs"] = choice.logprobs
    delta = choice.delta or choice.message
    if delta is not None and delta.annotations:
        extra["annotations"] = delta.annotations
    # They come with every frame; the last one counts.
    if choice.finish_reason and frame.citations:
        extra["citations"] = frame.citations
    if choice.finish_reason and frame.search_results:
        extra["search_results"] = frame.search_results
    return extra
