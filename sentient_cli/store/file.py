"""An `EventLog` in a directory, one file a run: to be read with any tool, carried away, and replayed.

DIR/0f3c….jsonl            the entries, one a line (see `jsonl`)
DIR/0f3c….blobs/9f86d0…    data over 256 KiB, named by its SHA-256
DIR/.lock                  held by the process that writes
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from sentient_cli.clock import Clock, SystemClock
from sentient_cli.errors import LogSequenceError, StoreError
from sentient_cli.store.batch import EntryBatch, Lines, check_lines
from sentient_cli.store.directory import SharedDirectory, disk_error
from sentient_cli.store.entry import Entry
from sentient_cli.store.hints import Hints
from sentient_cli.store.jsonl import FORMAT, SCHEMA_VERSION, Header, Line, encode_entries, encode_header
from sentient_cli.store.lane import Lane, acquire_writer, release_writer
from sentient_cli.store.listing import Listing, Summary
from sentient_cli.store.ports import KeptRun, LogHead
from sentient_cli.store.rules import FINISHED, check_append, check_cursor, check_run_id, closed_error, is_run_id
from sentient_cli.store.runfile import RunFile

__all__ = ["FileEventLog"]

T = TypeVar("T")
LOCK_SECONDS: Final = 10.0
"""How long a write waits for another process that writes."""
_OPEN_RUNS: Final = 512
"""So many runs are known by heart; others are scanned when they are asked for."""
_SUFFIX: Final = ".jsonl"


class _Files:
    """What one thread knows of the files, the last used of them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files: OrderedDict[str, RunFile] = OrderedDict()

    def get(self, run_id: str) -> RunFile:
        file = self._files.pop(run_id, None) or RunFile(self._directory / (run_id + _SUFFIX))
        self._files[run_id] = file
        if len(self._files) > _OPEN_RUNS:
            self._files.popitem(last=False)
        return file

    def forget(self, run_id: str) -> None:
        self._files.pop(run_id, None)


def _held(entries: Sequence[Entry]) -> Sequence[Entry]:
    """Entries that their owner does not change while they are on their way."""
    return entries if isinstance(entries, EntryBatch) else tuple(entries)


class FileEventLog:
    """An `EventLog` of JSON lines, shared by any number of processes of one machine.

    The start of a run and its end are on the disk when `append` returns; a power cut may take the last entries of a
    run that has not ended.

    Args:
        directory: Where the files are; made at the first append.
        clock: Gives the time that stands in the first line of a file.
        lock_timeout: Seconds to wait while another process writes.
        durable: Whether what was appended has to outlive a power cut; a crash it outlives anyway.

    Example:
        >>> import asyncio, tempfile
        >>> async def main(directory: str) -> list[str]:
        ...     log = FileEventLog(Path(directory))
        ...     await log.append("0f3c", [Entry(1, 0, "run.started", b"{}")])
        ...     await log.aclose()
        ...     return sorted(path.name for path in Path(directory).iterdir())
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     asyncio.run(main(directory))
        ['.lock', '0f3c.jsonl']
    """

    def __init__(
        self,
        directory: Path,
        *,
        clock: Clock | None = None,
        lock_timeout: float = LOCK_SECONDS,
        durable: bool = True,
    ) -> None:
        self.directory: Path = directory.absolute()
        self._durable = durable
        self._clock = clock or SystemClock()
        self._shared = SharedDirectory(self.directory, timeout=lock_timeout, durable=durable)
        self._hints = Hints()
        self._reader = Lane("sentient-store-reader", wanted=self._hints.any, tick=self._poll)
        self._writer: Lane | None = None
        self._reading = _Files(self.directory)
        self._writing = _Files(self.directory)
        self._listing = Listing(self.directory, _SUFFIX)
        self._seen: dict[str, tuple[int, int]] = {}
        self._created = 0
        self._closed = False

    async def append(self, run_id: str, entries: Sequence[Entry]) -> None:
        """Append entries that continue the log, all or none."""
        check_run_id(run_id)
        await self._write(partial(self._locked, partial(self._append, run_id, _held(entries))))
        self._hints.wake(run_id)

    async def append_all(self, appends: Sequence[tuple[str, Sequence[Entry]]]) -> list[Exception | None]:
        """Append to many runs, to each all or none, and return what went wrong with each, or None."""
        return await self._write_all(
            [(run_id, partial(self._append, run_id, _held(entries))) for run_id, entries in appends]
        )

    async def append_all_lines(self, appends: Sequence[Lines]) -> list[Exception | None]:
        """Append entries that are encoded already, to each run all or none. Only the first and last are decoded.

        Args:
            appends: What `sentient_cli.store.jsonl.encode_entries` made of them, once or several times.

        Returns:
            What went wrong with each, or None: a `LogSequenceError` when they do not continue the log, or are not what
            they are said to be; a `StoreError` when they cannot be kept.
        """
        return await self._write_all([(lines.run_id, partial(self._append_lines, lines)) for lines in appends])

    async def keep_blob(self, run_id: str, digest: str, data: bytes) -> None:
        """Keep data of an entry that is about to be appended as a line.

        Args:
            run_id: Whose.
            digest: The SHA-256 of the data, hexadecimal.
            data: What to keep.

        Raises:
            LogSequenceError: the digest is another one.
            StoreError: the data cannot be kept.
        """
        check_run_id(run_id)
        await self._write(partial(self._check_and_keep, run_id, digest, data))

    async def read(self, run_id: str, *, after: int = 0, limit: int = 1000) -> list[Entry]:
        """At most ``limit`` entries with a seq greater than ``after``, in order."""
        return await self._read(partial(self._entries, run_id, after, limit))

    async def wait(self, run_id: str, *, after: int) -> None:
        """Return once there may be entries after ``after``, whichever process appends them."""
        with self._hints.waiter(run_id) as event:
            head = await self.head(run_id)
            if head is None or not (head.finished or head.last_seq > after):
                await event.wait()

    async def head(self, run_id: str) -> LogHead | None:
        """Where the log stands, or None when the run is unknown."""
        return await self._read(partial(self._head, run_id))

    async def runs(self, *, limit: int = 1000) -> list[str]:
        """The ids of the runs kept, the newest first."""
        return [summary.run_id for summary in (await self._read(self._listing.newest_first))[: max(0, limit)]]

    async def unfinished(self, *, limit: int = 1000) -> list[str]:
        """The ids of the runs without a terminal entry, the oldest first."""
        summaries: list[Summary] = await self._read(self._listing.newest_first)
        return [summary.run_id for summary in reversed(summaries) if not summary.finished][: max(0, limit)]

    async def kept(self, *, skip: int = 0, limit: int = 100_000) -> list[KeptRun]:
        """What each of the runs kept takes, the newest first, without the first ``skip`` of them."""
        summaries: list[Summary] = await self._read(self._listing.newest_first)
        return [
            KeptRun(summary.run_id, summary.last_at, summary.size, summary.finished)
            for summary in summaries[skip : skip + max(0, limit)]
        ]

    async def discard(self, run_id: str, *, before: int | None = None) -> None:
        """Forget a run, or only its entries with a seq less than ``before``."""
        if self._closed:
            raise closed_error()
        if is_run_id(run_id):
            await self._write(partial(self._discard, run_id, before))

    async def aclose(self) -> None:
        """Give everything back. May be called twice."""
        if self._closed:
            return
        self._closed = True
        self._hints.wake_all()
        await self._reader.aclose()
        if self._writer is not None:
            await self._writer.call(self._shared.close)
            await release_writer(self._writer)

    async def _write(self, work: Callable[[], T]) -> T:
        if self._closed:
            raise closed_error()
        if self._writer is None:
            self._writer = acquire_writer()
        return await self._writer.call(work)

    async def _read(self, work: Callable[[], T]) -> T:
        try:
            return await self._reader.call(work)
        except OSError as error:
            raise disk_error(self.directory, error) from error

    async def _write_all(self, works: Sequence[tuple[str, Callable[[], None]]]) -> list[Exception | None]:
        try:
            results = await self._write(partial(self._locked, partial(self._try_all, works)))
        except StoreError as error:
            return [error] * len(works)
        for run_id, _ in works:
            self._hints.wake(run_id)
        return results

    def _locked(self, work: Callable[[], T]) -> T:
        with self._shared.locked():
            return work()

    def _try_all(self, works: Sequence[tuple[str, Callable[[], None]]]) -> list[Exception | None]:
        return [self._try(run_id, work) for run_id, work in works]

    def _try(self, run_id: str, work: Callable[[], None]) -> Exception | None:
        try:
            check_run_id(run_id)
            work()
        except OSError as error:
            return disk_error(self.directory, error)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one run, the others are written
            return error
        return None

    def _append(self, run_id: str, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        file = self._writing.get(run_id)
        with file.opened(writing=True):
            check_append(file.head, entries.source() if isinstance(entries, EntryBatch) else entries)
            keep_blob = partial(self._keep_blob, run_id)
            batch = entries.lines(keep_blob) if isinstance(entries, EntryBatch) else encode_entries(entries, keep_blob)
            last = entries.source()[-1] if isinstance(entries, EntryBatch) else entries[-1]
            self._put(file, run_id, batch, Line(last.seq, last.at, last.type))

    def _append_lines(self, lines: Lines) -> None:
        file = self._writing.get(lines.run_id)
        with file.opened(writing=True):
            last = check_lines(file.head, lines)
            self._put(file, lines.run_id, lines.text, last)

    def _check_and_keep(self, run_id: str, digest: str, data: bytes) -> None:
        if hashlib.sha256(data).hexdigest() != digest:
            raise LogSequenceError(f"Data of run {run_id} is damaged", why="It does not match its SHA-256")
        with self._shared.locked():
            self._keep_blob(run_id, digest, data)

    def _put(self, file: RunFile, run_id: str, text: bytes, last: Line) -> None:
        if file.head is not None:
            file.grow(text, last, sync=self._durable and last.type == FINISHED)
            return
        # A file without a single whole append was left by a crash: nobody has ever seen an entry of it.
        if file.damaged:
            raise file.damage()
        file.close()  # some systems replace no file that is open
        header = Header(run=run_id, created=self._next_time(), format=FORMAT, schema=SCHEMA_VERSION)
        file.begin(header, text, last, partial(self._shared.create, file.path))

    def _next_time(self) -> int:
        self._created = max(self._created + 1, self._clock.now_ns())
        return self._created

    def _blobs(self, run_id: str) -> Path:
        return self.directory / f"{run_id}.blobs"

    def _keep_blob(self, run_id: str, digest: str, data: bytes) -> None:
        path = self._blobs(run_id) / digest
        if not path.exists():
            self._shared.create(path, data)

    def _read_blob(self, run_id: str, digest: str) -> bytes:
        # The name comes from a file that anybody may have written.
        if not digest.isalnum():
            raise StoreError(f"The log of run {run_id} is damaged", why="The name of a blob is no SHA-256")
        return (self._blobs(run_id) / digest).read_bytes()

    def _head(self, run_id: str) -> LogHead | None:
        if not is_run_id(run_id):
            return None
        file = self._reading.get(run_id)
        with file.opened():
            return file.head

    def _entries(self, run_id: str, after: int, limit: int) -> list[Entry]:
        if not is_run_id(run_id):
            check_cursor(None, after)
            return []
        try:
            return self._entries_once(run_id, after, limit)
        except FileNotFoundError:
            # Discarded between the line and its blob: what is left is read anew.
            return self._entries_once(run_id, after, limit)

    def _entries_once(self, run_id: str, after: int, limit: int) -> list[Entry]:
        file = self._reading.get(run_id)
        with file.opened():
            head = file.head
            check_cursor(head, after)
            if head is None:
                return []
            last = min(head.last_seq, after + max(0, limit))
            if file.damaged and last == after == head.last_seq and limit > 0:
                raise file.damage()
            return file.entries(after + 1, last, partial(self._read_blob, run_id))

    def _discard(self, run_id: str, before: int | None) -> None:
        if not self.directory.is_dir():
            return
        with self._shared.locked():
            file = self._writing.get(run_id)
            if before is None:
                file.path.unlink(missing_ok=True)
                shutil.rmtree(self._blobs(run_id), ignore_errors=True)
                self._writing.forget(run_id)
                return
            with file.opened():
                head, header = file.head, file.header
                if head is None or header is None or before <= head.first_seq:
                    return
                if file.damaged:
                    raise file.damage()
                first = min(before, head.last_seq + 1)
                gone = {line.blob for line in file.lines(head.first_seq, first - 1) if line.blob}
                gone -= {line.blob for line in file.lines(first, head.last_seq)}
                text = file.text(first, head.last_seq)
                begin = Header(
                    run=run_id,
                    created=header.created,
                    format=FORMAT,
                    schema=SCHEMA_VERSION,
                    first=first,
                    finished=head.finished and first > head.last_seq,
                    last_at=file.last_at,
                )
            self._shared.create(file.path, encode_header(begin) + text)
            for digest in gone:
                with contextlib.suppress(OSError):
                    (self._blobs(run_id) / digest).unlink()

    def _poll(self) -> None:
        """Wake those whose file has changed, whoever changed it."""
        seen: dict[str, tuple[int, int]] = {}
        for run_id in filter(is_run_id, self._hints.waiting()):
            try:
                status = (self.directory / (run_id + _SUFFIX)).stat()
            except OSError:
                continue
            seen[run_id] = (status.st_mtime_ns, status.st_size)
            if self._seen.get(run_id) != seen[run_id]:
                self._hints.wake(run_id)
        self._seen = seen
