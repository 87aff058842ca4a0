"""A clock and ids that are the same in every test."""

from __future__ import annotations

import asyncio

from sentient_cli.clock import Ulid

__all__ = ["FixedClock", "SequentialIds"]

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class FixedClock:
    """A clock that stands still until it is told to go on, or somebody sleeps.

    Args:
        now: Seconds since the epoch at the start; the first second of 2026 in UTC unless given.

    Example:
        >>> clock = FixedClock()
        >>> clock.advance(1.5)
        >>> clock.now_ns()
        1767225601500000000
    """

    def __init__(self, now: float = 1_767_225_600.0) -> None:
        self._now_ns = round(now * 1e9)

    def now_ns(self) -> int:
        """Nanoseconds since the epoch."""
        return self._now_ns

    def advance(self, seconds: float) -> None:
        """Go on by ``seconds``."""
        self._now_ns += round(seconds * 1e9)

    async def sleep(self, seconds: float) -> None:
        """Go on by ``seconds`` at once; others have their turn."""
        self.advance(seconds)
        await asyncio.sleep(0)


class SequentialIds:
    """Ids that count from 1.

    Example:
        >>> ids = SequentialIds()
        >>> ids.ulid(), ids.run_id()[-4:], ids.stream_id()
        ('01KDVDNA000000000000000001', '0001', 'stream0001')
    """

    def __init__(self) -> None:
        self._ulids = self._runs = self._streams = 0

    def ulid(self) -> Ulid:
        """The next ULID; its time is the first second of 2026."""
        return Ulid(self.ulid_text())

    def ulid_bytes(self, now_ns: int) -> bytes:
        """The next ULID as bytes."""
        del now_ns
        return self.ulid_text().encode()

    def ulid_text(self) -> str:
        """The next ULID as a plain string."""
        self._ulids += 1
        rest, chars = self._ulids, ""
        for _ in range(16):
            rest, digit = divmod(rest, 32)
            chars = _ALPHABET[digit] + chars
        return f"01KDVDNA00{chars}"

    def run_id(self) -> str:
        """The next id of a run."""
        self._runs += 1
        return f"{self._runs:032x}"

    def stream_id(self) -> str:
        """The next id of a text stream."""
        self._streams += 1
        return f"stream{self._streams:04d}"
