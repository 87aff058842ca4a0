"""The event log of a worker: what is appended goes to the hub, which keeps it; what is read comes from the files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

from sentient_cli.dev.messages import BLOB, ENTRIES, BlobHead, EntriesHead
from sentient_cli.store.batch import EntryBatch
from sentient_cli.store.entry import Entry
from sentient_cli.store.file import FileEventLog
from sentient_cli.store.jsonl import encode_entries
from sentient_cli.store.ports import KeptRun, LogHead
from sentient_cli.store.rules import FINISHED, check_run_id

__all__ = ["FrameChannel", "HubLog"]

_FRAME: Final = 256 * 1024
"""Bytes of lines that make a frame of their own."""

_encode = msgspec.json.Encoder().encode


class FrameChannel(Protocol):
    """The way to the hub, as far as frames of entries go."""

    def send(self, kind: int, header: bytes, payload: bytes) -> None:
        """Take a frame, and return at once. Frames arrive in their order.

        Args:
            kind: One of those of `sentient_cli.dev.messages`.
            header: A line of JSON without its end.
            payload: What follows that line.

        Raises:
            StoreError: the hub is gone.
        """
        ...

    async def drain(self) -> None:
        """Return once there is room for more; at once while the hub keeps up."""
        ...


class HubLog:
    """An `EventLog` for the workers of a hub: several append, each to runs of its own, and only the hub writes.

    What was appended is read a moment later, when the hub has written it. Forgetting is the hub's as well.

    Args:
        directory: Where the hub keeps the runs.
        channel: The way to the hub.
    """

    def __init__(self, directory: Path, channel: FrameChannel) -> None:
        self._channel = channel
        self._files = FileEventLog(directory)

    async def append(self, run_id: str, entries: Sequence[Entry]) -> None:
        """Send entries that continue the log to the hub, and wait while it is behind."""
        heads, texts = list[EntriesHead](), list[bytes]()
        self._encode(run_id, entries, heads, texts)
        self._send(heads, texts)
        await self._channel.drain()

    async def append_all(self, appends: Sequence[tuple[str, Sequence[Entry]]]) -> list[Exception | None]:
        """The same for many runs; what went wrong with each, or None."""
        heads, texts = list[EntriesHead](), list[bytes]()
        results: list[Exception | None] = [None] * len(appends)
        waits = 0
        for place, (run_id, entries) in enumerate(appends):
            try:
                waits += self._encode(run_id, entries, heads, texts)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one run, the others are sent
                results[place] = error
            if waits > _FRAME:
                self._send(heads, texts)
                waits = 0
        self._send(heads, texts)
        await self._channel.drain()
        return results

    def _encode(self, run_id: str, entries: Sequence[Entry], heads: list[EntriesHead], texts: list[bytes]) -> int:
        check_run_id(run_id)
        if not entries:
            return 0

        def keep_blob(digest: str, data: bytes) -> None:
            self._channel.send(BLOB, _encode(BlobHead(run_id, digest)), data)

        if isinstance(entries, EntryBatch):
            held, lines = entries.source(), entries.lines(keep_blob)
        else:
            held, lines = entries, encode_entries(entries, keep_blob)
        last = held[-1]
        heads.append(EntriesHead(run_id, held[0].seq, last.seq, last.type == FINISHED, len(lines)))
        texts.append(lines)
        return len(lines)

    def _send(self, heads: list[EntriesHead], texts: list[bytes]) -> None:
        """Send what is there, if anything is, as one frame."""
        if heads:
            self._channel.send(ENTRIES, _encode(heads), b"".join(texts))
            heads.clear()
            texts.clear()

    async def read(self, run_id: str, *, after: int = 0, limit: int = 1000) -> list[Entry]:
        """At most ``limit`` entries with a seq greater than ``after``, as far as the hub has written them."""
        return await self._files.read(run_id, after=after, limit=limit)

    async def wait(self, run_id: str, *, after: int) -> None:
        """Return once there may be entries after ``after``."""
        await self._files.wait(run_id, after=after)

    async def head(self, run_id: str) -> LogHead | None:
        """Where the log stands, as far as the hub has written it."""
        return await self._files.head(run_id)

    async def runs(self, *, limit: int = 1000) -> list[str]:
        """The ids of the runs kept, the newest first."""
        return await self._files.runs(limit=limit)

    async def unfinished(self, *, limit: int = 1000) -> list[str]:
        """The ids of the runs without a terminal entry, the oldest first."""
        return await self._files.unfinished(limit=limit)

    async def kept(self, *, skip: int = 0, limit: int = 100_000) -> list[KeptRun]:  # noqa: ARG002
        """Nothing: whoever asks is about to forget some, and that is the hub's to do."""
        return []

    async def discard(self, run_id: str, *, before: int | None = None) -> None:
        """Nothing, as above."""

    async def aclose(self) -> None:
        """Close the files; the channel is not this log's. May be called twice."""
        await self._files.aclose()
