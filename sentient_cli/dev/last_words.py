"""What clients are told whose answer is brought to an end in the place of a process that is no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from sentient_cli.clock import SystemClock, SystemIds, uptime_ns
from sentient_cli.runtime.events import ErrorContent, ErrorEvent, encode_event
from sentient_cli.server.frames import encode_entries
from sentient_cli.store.entry import Entry
from sentient_cli.store.rules import FINISHED

if TYPE_CHECKING:
    from sentient_cli.server.ledger import Answering

__all__ = ["LastWords"]

_CRASHED: Final = b"HTTP/1.1 500 Internal Server Error\r\ncontent-type: application/json\r\nconnection: close"
_A_MOMENT: Final = 1_000_000
"""Nanoseconds: ids of one millisecond are in order only within a process."""
_LEAVING: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-type: application/json\r\nconnection: close"
)


class LastWords:
    """Tells the clients of a process that it is no more.

    Args:
        message: What happened.
        is_crash: Whether it ended by itself; else it was to end, and its runs count as cancelled.

    Example:
        >>> from sentient_cli.server.ledger import Answering
        >>> words = LastWords("The agent's process ended: exit code 9", is_crash=True)
        >>> frames = words.ending(Answering("5f36", "sentient", chunked=False), 7).decode().splitlines()
        >>> [line for line in frames if line.startswith(("id:", "event:"))]
        ['id: 8', 'event: error', 'id: 9', 'event: done']
    """

    def __init__(self, message: str, *, is_crash: bool) -> None:
        self._message = message
        self._is_crash = is_crash
        self._ids = SystemIds(SystemClock())

    def ending(self, answering: Answering, last: int) -> bytes:
        """An error, `done`, and the end of the body.

        Args:
            answering: What stream it is.
            last: The seq of the last event of it.
        """
        # By the clock of that process, which may have begun in another time, and behind all that it said.
        at = uptime_ns() + answering.lead + _A_MOMENT
        first, second = (self._ids.ulid_bytes(at).decode() for _ in range(2))
        content = ErrorContent(self._message, 500 if self._is_crash else 499)
        error = encode_event(ErrorEvent(id=first, source=answering.source, content=content))
        end = msgspec.json.encode({"id": second, "source": answering.source})
        frames = encode_entries([Entry(last + 1, 0, "event", error), Entry(last + 2, 0, FINISHED, end)])
        return b"%x\r\n%b\r\n0\r\n\r\n" % (len(frames), frames) if answering.chunked else frames

    def refusal(self) -> bytes:
        """An answer to a request that has not been answered at all."""
        code = "agent-crash" if self._is_crash else "overloaded"
        body = msgspec.json.encode({"detail": self._message, "code": code})
        return b"%b\r\ncontent-length: %d\r\n\r\n%b" % (_CRASHED if self._is_crash else _LEAVING, len(body), body)
