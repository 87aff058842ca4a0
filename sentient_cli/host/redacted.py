"""What is stored is stored without secrets: a wrapper around an event log."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from sentient_cli.host.threads import Threads
from sentient_cli.redact import Redactor
from sentient_cli.runtime.events import encode_json
from sentient_cli.store.entry import Entry
from sentient_cli.store.ports import EventLog, KeptRun, LogHead

__all__ = ["RedactedLog"]

_INLINE = 64 * 1024


class RedactedLog:
    """An event log that masks secrets in what is appended to it.

    Args:
        log: Keeps the entries.
        redactor: Knows the secrets.
        threads: Mask what would hold the loop; not closed with the log.
    """

    def __init__(self, log: EventLog, redactor: Redactor, threads: Threads) -> None:
        self._log = log
        self._redactor = redactor
        self._threads = threads

    async def append(self, run_id: str, entries: Sequence[Entry]) -> None:
        """Append entries, masked."""
        if sum(len(entry.data) for entry in entries) > _INLINE:
            masked = await self._threads.run(self._mask, entries)
        else:
            masked = self._mask(entries)
        await self._log.append(run_id, masked)

    def _mask(self, entries: Sequence[Entry]) -> list[Entry]:
        return [replace(entry, data=mask_json(entry.data, self._redactor)) for entry in entries]

    async def read(self, run_id: str, *, after: int = 0, limit: int = 1000) -> list[Entry]:
        """Read entries."""
        return await self._log.read(run_id, after=after, limit=limit)

    async def wait(self, run_id: str, *, after: int) -> None:
        """Wait for entries."""
        await self._log.wait(run_id, after=after)

    async def head(self, run_id: str) -> LogHead | None:
        """Where the log stands."""
        return await self._log.head(run_id)

    async def runs(self, *, limit: int = 1000) -> list[str]:
        """The runs kept."""
        return await self._log.runs(limit=limit)

    async def unfinished(self, *, limit: int = 1000) -> list[str]:
        """The runs without an end."""
        return await self._log.unfinished(limit=limit)

    async def kept(self, *, limit: int = 100_000) -> list[KeptRun]:
        """What each of the runs kept takes."""
        return await self._log.kept(limit=limit)

    async def discard(self, run_id: str, *, before: int | None = None) -> None:
        """Forget a run or its beginning."""
        await self._log.discard(run_id, before=before)

    async def aclose(self) -> None:
        """Close the log underneath."""
        await self._log.aclose()


def mask_json(data: bytes, redactor: Redactor) -> bytes:
    """JSON with the secrets in its strings, and what stands under a secret's name, masked.

    Args:
        data: Compact JSON.
        redactor: Knows the secrets.
    """
    # Text without a secret stays as it was, to the byte; the pattern alone is much cheaper than decoding.
    if redactor.redact(data) == data:
        return data
    return encode_json(redactor.redact_json(msgspec.json.decode(data)))
