"""Which runs a directory holds, without reading their files whole: the first line and the last one tell enough."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

from sentient_cli.errors import StoreError
from sentient_cli.store.jsonl import Line, decode_header, decode_line
from sentient_cli.store.rules import FINISHED, is_run_id
from sentient_cli.store.runfile import RunFile

__all__ = ["Listing", "Summary"]

_END_BYTES: Final = 8192


class Summary(NamedTuple):
    """What a listing tells of one run.

    Args:
        created: Nanoseconds since the epoch; the order of the runs.
        run_id: Whose log it is.
        last_at: The time of its last entry.
        size: Bytes on the disk.
        finished: Whether it has its terminal entry.
    """

    created: int
    run_id: str
    last_at: int
    size: int
    finished: bool


class Listing:
    """The runs of a directory. Files that have not changed are not read again. For one thread.

    Args:
        directory: Where the files are; need not exist.
        suffix: How their names end.
    """

    def __init__(self, directory: Path, suffix: str) -> None:
        self._directory = directory
        self._suffix = suffix
        self._known: dict[str, tuple[tuple[int, int, int], Summary | None]] = {}

    def newest_first(self) -> list[Summary]:
        """A summary of each run; files that are no logs, or of a newer version, are passed over.

        Raises:
            OSError: the directory cannot be read.
        """
        known: dict[str, tuple[tuple[int, int, int], Summary | None]] = {}
        try:
            entries = list(os.scandir(self._directory))
        except FileNotFoundError:
            entries = []
        for entry in entries:
            run_id = entry.name.removesuffix(self._suffix)
            if run_id == entry.name or not is_run_id(run_id):
                continue
            try:
                known[run_id] = self._look(run_id, entry)
            except FileNotFoundError:
                continue
        self._known = known
        return sorted((summary for _, summary in known.values() if summary is not None), reverse=True)

    def _look(self, run_id: str, entry: os.DirEntry[str]) -> tuple[tuple[int, int, int], Summary | None]:
        status = entry.stat()
        signature = (status.st_ino, status.st_size, status.st_mtime_ns)
        old = self._known.get(run_id)
        return old if old is not None and old[0] == signature else (signature, self._summary(run_id, status.st_size))

    def _summary(self, run_id: str, size: int) -> Summary | None:
        path = self._directory / (run_id + self._suffix)
        size += _blob_bytes(self._directory / f"{run_id}.blobs")
        try:
            with path.open("rb") as file:
                header = decode_header(file.readline(_END_BYTES))
                file.seek(max(0, os.fstat(file.fileno()).st_size - _END_BYTES))
                line = _last_line(file.read())
            if header is not None and line is not None:
                return Summary(header.created, run_id, line.at, size, line.type == FINISHED)
            return _scanned(run_id, path, size)
        except StoreError:
            return None


def _last_line(end: bytes) -> Line | None:
    """The last line, when it is whole, good, and the last of its append."""
    if not end.endswith(b"\n"):
        return None
    line = decode_line(end[end.rfind(b"\n", 0, -1) + 1 :])
    return None if line is None or line.left else line


def _scanned(run_id: str, path: Path, size: int) -> Summary | None:
    file = RunFile(path)
    with file.opened():
        if file.head is None or file.header is None:
            return None
        return Summary(file.header.created, run_id, file.last_at, size, file.head.finished)


def _blob_bytes(directory: Path) -> int:
    try:
        return sum(entry.stat().st_size for entry in os.scandir(directory))
    except FileNotFoundError:
        return 0
