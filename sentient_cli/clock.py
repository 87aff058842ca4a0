"""Time and identity, injected everywhere so that a run can be repeated exactly.

ULIDs follow https://github.com/ulid/spec: 48 bits of milliseconds, 80 random bits, Crockford base 32, and increments
within one millisecond so that the ids of one process strictly increase.
"""

from __future__ import annotations

import asyncio
import random
import re
import secrets
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from pydantic_core import CoreSchema

__all__ = ["Clock", "Ids", "SystemClock", "SystemIds", "Ulid", "uptime_ns"]

ULID_PATTERN = "[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}"
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUE = {char: value for value, char in enumerate(_ALPHABET)} | {
    char.lower(): value for value, char in enumerate(_ALPHABET)
}
_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_STREAM_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_ULID = re.compile(ULID_PATTERN)
_BYTE_PAIRS = tuple(pair.encode() for pair in _PAIRS)
_TAIL_BITS = 10
_TAIL_MASK = (1 << _TAIL_BITS) - 1
_HIGH_BITS = 70


def _encode(value: int, length: int) -> str:
    pairs = [_PAIRS[value >> shift & 1023] for shift in range(5 * length - 10, -1, -10)]
    return "".join(pairs)


class Ulid(str):
    """A ULID: a string of 26 characters that sorts by time.

    Raises:
        ValueError: the text is no ULID.

    Example:
        >>> ulid = Ulid("01JS4F4Z5V0000000000000001")
        >>> ulid.milliseconds
        1744980573371
        >>> ulid < Ulid("01JS4F4Z5V0000000000000002")
        True
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check the text and take it."""
        if not _ULID.fullmatch(text):
            raise ValueError("a ULID has 26 characters of Crockford base 32 and begins with 0 to 7")
        return super().__new__(cls, text.upper())

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> CoreSchema:
        """Let pydantic models hold ULIDs."""
        from pydantic_core import core_schema  # noqa: PLC0415 - only loaded where pydantic already is

        text = core_schema.str_schema(pattern=f"^{ULID_PATTERN}$")
        return core_schema.no_info_after_validator_function(cls, text)

    @property
    def milliseconds(self) -> int:
        """Milliseconds since the epoch at which the id was made."""
        value = 0
        for char in self[:10]:
            value = value << 5 | _VALUE[char]
        return value

    @property
    def timestamp(self) -> float:
        """Seconds since the epoch at which the id was made."""
        return self.milliseconds / 1000

    @property
    def datetime(self) -> datetime:
        """The moment at which the id was made, in UTC."""
        return datetime.fromtimestamp(self.timestamp, UTC)


class Clock(Protocol):
    """What the time is, and how to wait."""

    def now_ns(self) -> int:
        """Nanoseconds since the epoch; never goes back within a process."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``."""
        ...


class Ids(Protocol):
    """Where new identifiers come from."""

    def ulid(self) -> Ulid:
        """A ULID that is greater than every one given before."""
        ...

    def ulid_text(self) -> str:
        """The same as a plain string, which is cheaper."""
        ...

    def ulid_bytes(self, now_ns: int) -> bytes:
        """The same as bytes, for a moment that is known already: one for each event.

        Args:
            now_ns: What the clock says.
        """
        ...

    def run_id(self) -> str:
        """An identifier of a run: 128 random bits, since whoever has it may read the run."""
        ...

    def stream_id(self) -> str:
        """A short identifier of a text stream within a response."""
        ...


if sys.platform == "win32":
    _uptime = 0

    def _read_ns(clk_id: int, /) -> int:  # noqa: ARG001 - there is but one
        return time.monotonic_ns()
else:
    # The monotonic clock of Linux stands still while the machine sleeps, as laptops do; that of macOS goes on.
    _uptime = time.CLOCK_BOOTTIME if sys.platform == "linux" else time.CLOCK_MONOTONIC
    _read_ns = time.clock_gettime_ns


def uptime_ns() -> int:
    """Nanoseconds since the machine was started, those included in which it slept; alike in all its processes.

    Example:
        >>> uptime_ns() <= uptime_ns()
        True
    """
    return _read_ns(_uptime)


class SystemClock:
    """The machine's clock: the wall clock when the process began plus the time since, in which it may have slept.

    Example:
        >>> clock = SystemClock()
        >>> clock.now_ns() <= clock.now_ns()
        True
    """

    def __init__(self) -> None:
        self._offset = time.time_ns() - uptime_ns()

    def now_ns(self) -> int:
        """Nanoseconds since the epoch; never goes back within a process."""
        return self._offset + _read_ns(_uptime)

    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``."""
        await asyncio.sleep(seconds)


class SystemIds:
    """Identifiers from the clock and the operating system's random source. For one thread.

    Args:
        clock: Gives the milliseconds of the ULIDs.

    Example:
        >>> ids = SystemIds(SystemClock())
        >>> ids.ulid() < ids.ulid()
        True
    """

    def __init__(self, clock: Clock) -> None:
        self._now_ns = clock.now_ns
        # An event's id gives no right to anything: it has to be unique, not secret.
        self._random = random.Random(secrets.randbits(256)).getrandbits  # noqa: S311
        self._millisecond = -1
        self._next_ns = 0
        self._high = 0
        self._tail = 0
        self._prefix = b""

    def ulid(self) -> Ulid:
        """A ULID that is greater than every one given before."""
        return Ulid(self.ulid_bytes(self._now_ns()).decode())

    def ulid_text(self) -> str:
        """The same as a plain string, which is cheaper."""
        return self.ulid_bytes(self._now_ns()).decode()

    def ulid_bytes(self, now_ns: int) -> bytes:
        """The same as bytes, for a moment that is known already: one for each event."""
        tail = self._tail + 1
        if now_ns >= self._next_ns or tail > _TAIL_MASK:
            return self._roll(now_ns)
        self._tail = tail
        return self._prefix + _BYTE_PAIRS[tail]

    def _roll(self, now_ns: int) -> bytes:
        """Begin a millisecond, or carry within one."""
        if now_ns >= self._next_ns:
            self._millisecond = now_ns // 1_000_000
            self._high = self._random(_HIGH_BITS - 1)  # the highest bit is room to count
            self._tail = self._random(_TAIL_BITS)
        else:
            self._high += 1
            self._tail = 0
            if self._high >> _HIGH_BITS:
                self._millisecond += 1
                self._high = 0
        self._next_ns = (self._millisecond + 1) * 1_000_000
        self._prefix = (_encode(self._millisecond, 10) + _encode(self._high, 14)).encode()
        return self._prefix + _BYTE_PAIRS[self._tail]

    def run_id(self) -> str:
        """An identifier of a run: 128 random bits, since whoever has it may read the run."""
        return secrets.token_hex(16)

    def stream_id(self) -> str:
        """A short identifier of a text stream within a response."""
        random = secrets.randbits(52)
        chars: list[str] = []
        for _ in range(10):
            random, index = divmod(random, 36)
            chars.append(_STREAM_ALPHABET[index])
        return "".join(chars)
