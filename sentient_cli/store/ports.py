"""What a store must do. Each port has several adapters and one contract suite that all of them pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from sentient_cli.store.entry import Entry

__all__ = ["EventLog", "KeptRow", "KeptRun", "LogHead", "Row", "StateStore"]


class Row(NamedTuple):
    """A stored value and the version that a change of it must name."""

    value: bytes
    version: int


class KeptRow(NamedTuple):
    """What a store holds under one key: enough to decide what to forget.

    Args:
        key: Which.
        version: That of the row.
        at: What was given when it was written: nanoseconds since the epoch, or 0.
        size: Bytes of its value.
    """

    key: str
    version: int
    at: int
    size: int


class StateStore(Protocol):
    """Versioned rows with compare-and-set."""

    async def get(self, key: str) -> Row | None:
        """The row, or None when there is none."""
        ...

    async def put(self, key: str, value: bytes, *, expected: int, at: int = 0) -> int:
        """Write a row when its version is ``expected`` (0: it must not exist) and return the new version.

        A store never gives a version twice, so that a row which was deleted and made anew is not taken for the old one.
        What time it is, in nanoseconds since the epoch, is kept beside it for `kept`.

        Raises:
            VersionConflictError: the row has another version.
            StoreError: the key is empty, longer than 512 characters or no text; or the store could not keep the row.
        """
        ...

    async def delete(self, key: str, *, expected: int) -> None:
        """Remove a row when its version is ``expected``.

        Raises:
            VersionConflictError: the row has another version, or is gone.
        """
        ...

    async def kept(self, prefix: str = "", *, after: str = "", limit: int = 1000) -> list[KeptRow]:
        """What is kept under the keys that begin with ``prefix`` and come after another one, sorted by them."""
        ...

    async def aclose(self) -> None:
        """Give everything back. May be called twice."""
        ...


class LogHead(NamedTuple):
    """Where a log stands.

    Args:
        first_seq: The first seq that can still be read.
        last_seq: The last seq that was appended.
        finished: Whether the last entry is the terminal one.
    """

    first_seq: int
    last_seq: int
    finished: bool


class KeptRun(NamedTuple):
    """What a store holds of one run: enough to decide what to forget.

    Args:
        run_id: Whose log it is.
        last_at: Nanoseconds since the epoch at which its last entry happened.
        size: Bytes that its entries take, roughly.
        finished: Whether it has its terminal entry.
    """

    run_id: str
    last_at: int
    size: int
    finished: bool


class EventLog(Protocol):
    """The logs of many runs, each append-only with one start, one terminal entry and nothing after it."""

    async def append(self, run_id: str, entries: Sequence[Entry]) -> None:
        """Append entries that continue the log, all or none; nothing at all is fine.

        Of two writers that append the same seq exactly one succeeds. When the wait is cancelled the entries may have
        been stored or not: ``head`` tells.

        Raises:
            LogSequenceError: the first does not follow the last one stored, they have gaps, or the log is finished.
            StoreError: the store could not keep them, or the run id has other characters than 0-9, a-z and ``-``.
        """
        ...

    async def read(self, run_id: str, *, after: int = 0, limit: int = 1000) -> list[Entry]:
        """At most ``limit`` entries with a seq greater than ``after``, in order.

        Empty at the end, and for an unknown run.

        Raises:
            CursorError: ``after`` is negative or beyond the end.
            CursorExpiredError: the entries after it are no longer kept.
        """
        ...

    async def wait(self, run_id: str, *, after: int) -> None:
        """Return once there may be entries after ``after``, or none can come any more since the log is finished.

        A hint: it may also return early, so read again.
        """
        ...

    async def head(self, run_id: str) -> LogHead | None:
        """Where the log stands, or None when the run is unknown."""
        ...

    async def runs(self, *, limit: int = 1000) -> list[str]:
        """The ids of the runs kept, the newest first."""
        ...

    async def unfinished(self, *, limit: int = 1000) -> list[str]:
        """The ids of the runs without a terminal entry, the oldest first: those to recover."""
        ...

    async def kept(self, *, skip: int = 0, limit: int = 100_000) -> list[KeptRun]:
        """What each of the runs kept takes, the newest first, without the first ``skip`` of them."""
        ...

    async def discard(self, run_id: str, *, before: int | None = None) -> None:
        """Forget a run, or only its entries with a seq less than ``before``. The unknown is passed over.

        With ``before`` the log goes on where it stood, even when no entry is left.
        """
        ...

    async def aclose(self) -> None:
        """Give everything back. May be called twice."""
        ...
