"""From events to blocks in the order in which they began.

Several text streams may interleave. A transcript has one order, so the block that began first is shown as it grows, and
those after it wait until it is complete.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

import msgspec

from sentient_cli.chat.escape import escape_unprintable
from sentient_cli.runtime.events import ErrorEvent, Event, JsonEvent, TextBlockEvent, TextChunkEvent, encode_json
from sentient_cli.sanitize import Sanitizer, sanitize, sanitize_line

__all__ = ["Block", "Kind", "Order"]

MAX_WAITING = 256 * 1024
"""So many characters may wait behind an open block; then it is interrupted, and goes on below them."""


class Kind(Enum):
    """What a block holds, and so how it is drawn."""

    TEXT = "text"
    JSON = "json"
    ERROR = "error"


class Block:
    """A part of an answer that is drawn as one: a text, a JSON object, an error.

    Its text is safe for a terminal: nothing else is let in.
    """

    def __init__(self, kind: Kind, label: str) -> None:
        self.kind = kind
        self.label: str = sanitize_line(label)
        self.closed: bool = False
        self._sanitizer = Sanitizer()
        self._pieces: list[str] = []
        self.waiting: int = 0
        """How many characters were added and not taken."""

    def add(self, text: str) -> None:
        """Add text of the agent's to the block."""
        safe = self._sanitizer.feed(text)
        if safe:
            self._pieces.append(safe)
            self.waiting += len(safe)

    def take(self) -> str:
        """What was added since the last time."""
        text = "".join(self._pieces)
        self._pieces.clear()
        self.waiting = 0
        return text

    def close(self) -> None:
        """Nothing will be added any more."""
        self.closed = True


class Order:
    """The blocks of one answer. The first of the queue is the one to draw; the others wait for it."""

    def __init__(self) -> None:
        self.queue: deque[Block] = deque()
        self._open: dict[str, Block] = {}

    def add(self, event: Event) -> None:
        """Take in the next event."""
        match event:
            case TextChunkEvent():
                self._add_chunk(event)
            case TextBlockEvent():
                self._add_whole(Kind.TEXT, event.event_name, event.content)
            case JsonEvent():
                self._add_whole(Kind.JSON, event.event_name, pretty_json(event.content))
            case ErrorEvent():
                self._add_whole(Kind.ERROR, event.event_name, error_text(event))
            case _:
                self.close()
        self._interrupt_a_long_wait()

    def close(self) -> None:
        """Close every block: nothing more comes."""
        for block in self._open.values():
            block.close()
        self._open.clear()

    def finished(self) -> Block | None:
        """The first block, when the next one may be drawn after it."""
        return self.queue.popleft() if self.queue and self.queue[0].closed else None

    def _add_chunk(self, event: TextChunkEvent) -> None:
        block = self._open.get(event.stream_id)
        if block is None:
            block = self._open[event.stream_id] = Block(Kind.TEXT, event.event_name)
            self.queue.append(block)
        if not event.is_complete or event.content.strip():
            block.add(event.content)
        if event.is_complete:
            block.close()
            del self._open[event.stream_id]

    def _add_whole(self, kind: Kind, label: str, text: str) -> None:
        block = Block(kind, label)
        block.add(text)
        block.close()
        self.queue.append(block)

    def _interrupt_a_long_wait(self) -> None:
        if len(self.queue) < 2 or self.queue[0].closed:  # noqa: PLR2004 - nobody waits behind a single one
            return
        if sum(block.waiting for block in self.queue) - self.queue[0].waiting <= MAX_WAITING:
            return
        first = self.queue[0]
        first.close()
        self._open = {stream: block for stream, block in self._open.items() if block is not first}


def pretty_json(value: object) -> str:
    """JSON over several lines; characters that a terminal cannot show stand as escapes."""
    return escape_unprintable(msgspec.json.format(encode_json(value), indent=2).decode())


def error_text(event: ErrorEvent) -> str:
    """The message of an error with its code, and the details below."""
    content = event.content
    text = f"{sanitize(content.error_message).strip() or 'The agent failed'} ({content.error_code})"
    return f"{text}\n{pretty_json(content.details)}" if content.details else text
