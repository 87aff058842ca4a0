"""What all decoders of streamed answers have in common: bytes in, chunks out, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from sentient_cli.errors import ProviderConnectionError, ProviderError
from sentient_cli.llm.assembly import truncated
from sentient_cli.llm.types import Chunk, JsonValue, Usage
from sentient_cli.llm.wire.halves import Halves, decoded_leniently, has_halves, with_whole_characters
from sentient_cli.llm.wire.sse import EventDecoder, OversizedEventError

__all__ = ["StreamDecoder"]

T = TypeVar("T")


class StreamDecoder:
    """Takes the body of an answer apart, whatever the pieces in which it comes; the wire of a vendor is a subclass.

    Args:
        provider: Whose; errors name it.
        notices: What was not asked as it was wanted; told with one of the first chunks.
    """

    __slots__ = (
        "_events",
        "_failure",
        "_halves",
        "_notices",
        "_provider",
        "_texts",
        "done",
        "finished",
        "usage",
    )

    def __init__(self, provider: str, notices: Sequence[str] | None = None) -> None:
        self._provider = provider
        self._notices: list[JsonValue] = list(notices or ())
        self._events = EventDecoder()
        self._halves: Halves | None = None
        self._texts: list[str] = []
        self._failure: ProviderError | None = None
        self.usage: Usage | None = None
        """The tokens, as far as they were told."""
        self.finished: bool = False
        """Whether the answer is known to be complete."""
        self.done: bool = False
        """Whether all is said: what comes now is of no interest."""

    def _spent(self, usage: Usage) -> None:
        """Note the tokens that were told of."""
        self.usage = usage

    def _complete(self) -> None:
        """Note that all is said."""
        self.finished = self.done = True

    @property
    def text(self) -> str:
        """The text so far."""
        text = "".join(self._texts)
        return text if self._halves is None else with_whole_characters(text)

    def feed(self, data: bytes) -> list[Chunk]:
        """Take the next piece, and give what it says. A failure is held until `end`: what came before it counts.

        Args:
            data: Bytes of the body.
        """
        chunks: list[Chunk] = []
        try:
            for frame in self._events.carried(data):  # some servers send empty ones as signs of life
                if self.done:
                    break
                self._take(frame, chunks)
        except Exception as error:  # noqa: BLE001 - sorted there
            self._stop(error)
        return chunks if self._halves is None else self._halves.mended(chunks)

    def whole(self, body: bytes) -> list[Chunk]:
        """Take an answer that was not streamed though that was asked for.

        Args:
            body: All of it.

        Raises:
            ProviderError: as `end`.
        """
        chunks: list[Chunk] = []
        try:
            self._take(body, chunks)
        except Exception as error:  # noqa: BLE001 - sorted there
            self._stop(error)
        return [*self._mended(chunks), *self.end()]

    def end(self) -> list[Chunk]:
        """The body is over: give what was held.

        Raises:
            ProviderError: the answer is not complete, the provider told of an error, or cannot be understood.
        """
        chunks: list[Chunk] = []
        last = self._events.end()
        if last is not None and last.data and not self.done:
            try:
                self._take(last.data, chunks)
            except Exception as error:  # noqa: BLE001 - sorted there
                self._stop(error)
        if not self.finished:  # after the end nothing of the answer is missing, whatever failed
            raise self._failure or truncated(self._provider, self.text)
        return self._mended([*chunks, *self._last()])

    def _take(self, data: bytes, chunks: list[Chunk]) -> None:
        """Take one event; see `_read` for its JSON.

        Raises:
            ProviderError: it tells of an error.
            msgspec.DecodeError: it cannot be understood.
        """
        raise NotImplementedError

    def _last(self) -> list[Chunk]:
        """What is said at the end of a complete answer."""
        return []

    def _told(self) -> dict[str, JsonValue] | None:
        """The notices, once."""
        notices, self._notices = self._notices, []
        return {"notices": notices} if notices else None

    def _mend(self, data: bytes, error: Exception, read: Callable[[JsonValue], T]) -> T:
        """Read what cannot be decoded since it has half a character somewhere.

        Args:
            data: JSON.
            error: Why it cannot be decoded.
            read: Makes an event of it.

        Raises:
            Exception: the error, when that is not why.
        """
        if not has_halves(data):
            raise error
        told = decoded_leniently(data)
        self._halves = self._halves or Halves()
        return read(told)

    def _mended(self, chunks: list[Chunk]) -> list[Chunk]:
        return chunks if self._halves is None else self._halves.mended(chunks)

    def _stop(self, error: Exception) -> None:
        """Take nothing more; the error is told at the end, unless the answer is complete."""
        if isinstance(error, ProviderError):
            self._failure = error
            error.partial_text = self.text
        elif isinstance(error, OversizedEventError):
            self._failure = self._malformed("An event in its stream is larger than any that models send")
        elif isinstance(error, msgspec.DecodeError | UnicodeError | RecursionError):
            self._failure = self._malformed(f"A part of its answer cannot be read: {error}")
        else:
            raise error
        self.done = True

    def _malformed(self, why: str) -> ProviderConnectionError:
        return ProviderConnectionError(
            f"The answer of the provider {self._provider!r} is malformed",
            why=why,
            fix="Try again, and check its `base_url`",
            provider=self._provider,
            partial_text=self.text,
        )
