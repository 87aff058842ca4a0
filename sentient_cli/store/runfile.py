"""One run's file: where its entries stand, which of its end counts, and how it grows.

The log is the longest prefix of whole appends. What follows it is the torn tail of a crash: readers pass it over, the
next append cuts it off. A broken line with good ones behind it is no torn tail but damage, and is never cut off.
"""

from __future__ import annotations

import contextlib
import os
from array import array
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final

from sentient_cli.errors import StoreError
from sentient_cli.store.directory import read_all, write_all
from sentient_cli.store.entry import Entry
from sentient_cli.store.jsonl import Header, Line, decode_header, decode_line, encode_header, to_entry
from sentient_cli.store.ports import LogHead
from sentient_cli.store.rules import FINISHED

__all__ = ["RunFile"]

_CHUNK: Final = 1 << 20
_BINARY: Final = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class RunFile:
    """What is known of a run's file; `opened` reads only what was added. For one thread.

    Args:
        path: The file, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        self._size = 0
        self._forget()

    def _forget(self) -> None:
        self.header: Header | None = None
        self._start = b""
        self.end: int = 0
        """The offset behind the last entry that counts."""
        self.last_at: int = 0
        self.damaged: bool = False
        self._finished = False
        self._offsets = array("Q")
        self._placed_end = 0
        self._unplaced = 0

    @property
    def head(self) -> LogHead | None:
        """Where the log stands, or None when there is none."""
        if self.header is None or self._last_seq() < 1:
            return None
        return LogHead(self.header.first, self._last_seq(), self._finished)

    def _last_seq(self) -> int:
        return 0 if self.header is None else self.header.first + len(self._offsets) + self._unplaced - 1

    @contextlib.contextmanager
    def opened(self, *, writing: bool = False) -> Generator[None]:
        """Read what was added since the last time, and keep the file open.

        Args:
            writing: Whether it may `grow`.

        Raises:
            StoreError: a newer version of this program wrote the file.
            OSError: it cannot be read.
        """
        try:
            self._descriptor = os.open(self.path, (os.O_RDWR if writing else os.O_RDONLY) | _BINARY)
        except FileNotFoundError:
            self._forget()
            yield
            return
        try:
            self._refresh(self._descriptor)
            yield
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the file before the end of `opened`."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _refresh(self, descriptor: int) -> None:
        size = self._size = os.fstat(descriptor).st_size
        # A number of a file says nothing: it is given anew once the file is gone. The header does not repeat.
        if size < self.end or os.read(descriptor, len(self._start)) != self._start:
            self._forget()
        if size > self.end:
            self._scan(descriptor)

    def _scan(self, descriptor: int) -> None:
        """Read what follows the last entry whose place is known."""
        if self._unplaced:
            self.end, self._unplaced, self._finished = self._placed_end, 0, False
        os.lseek(descriptor, self.end, os.SEEK_SET)
        self.damaged = False
        offset = self.end
        rest = b""
        batch = array("Q")
        broken = False
        while chunk := os.read(descriptor, _CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            for text in lines:
                if broken:
                    self.damaged = self.damaged or decode_line(text) is not None
                elif self.header is None:
                    broken = not self._take_header(text, offset + len(text) + 1)
                else:
                    broken = not self._take(text, offset, batch)
                offset += len(text) + 1

    def _take_header(self, text: bytes, end: int) -> bool:
        self.header = decode_header(text)
        if self.header is None:
            return False
        self.end = self._placed_end = end
        self._start = text
        self.last_at = self.header.last_at
        self._finished = self.header.finished
        return True

    def _take(self, text: bytes, offset: int, batch: array[int]) -> bool:
        line = decode_line(text)
        if line is None or self._finished or line.seq != self._last_seq() + len(batch) + 1:
            return False
        batch.append(offset)
        if line.left == 0:
            self._offsets.extend(batch)
            del batch[:]
            self.end = self._placed_end = offset + len(text) + 1
            self.last_at = line.at
            self._finished = line.type == FINISHED
        return True

    def lines(self, first: int, last: int) -> list[Line]:
        """The lines of the entries from seq ``first`` to ``last``, both included. Only within `opened`.

        Raises:
            StoreError: the file was changed by somebody else.
            OSError: it cannot be read.
        """
        data = self.text(first, last)
        found = [decode_line(text) for text in data.split(b"\n")[:-1]]
        good = [line for line in found if line is not None]
        if [line.seq for line in good] != list(range(first, last + 1)):
            raise self.damage()
        return good

    def text(self, first: int, last: int) -> bytes:
        """The bytes of those lines. Only within `opened`."""
        if self.header is None or last < first:
            return b""
        if self._unplaced:
            self._scan(self._descriptor)
        start = self._offsets[first - self.header.first]
        index = last - self.header.first + 1
        end = self._offsets[index] if index < len(self._offsets) else self.end
        os.lseek(self._descriptor, start, os.SEEK_SET)
        return read_all(self._descriptor, end - start)

    def entries(self, first: int, last: int, read_blob: Callable[[str], bytes]) -> list[Entry]:
        """The entries from seq ``first`` to ``last``, both included."""
        return [to_entry(line, read_blob) for line in self.lines(first, last)]

    def damage(self) -> StoreError:
        """The error of a file that does not hold what was written."""
        return StoreError(
            f"The log {self.path} is damaged",
            why=f"After entry {self._last_seq()} a line cannot be read",
            fix="Restore it from a backup, or remove it",
        )

    def begin(self, header: Header, data: bytes, last: Line, write: Callable[[bytes], None]) -> None:
        """Make the file.

        Args:
            header: What is in its first line.
            data: Whole lines of whole appends that begin the log.
            last: The last of the lines.
            write: Makes the file with a content.

        Raises:
            OSError: it cannot be made.
        """
        start = encode_header(header)
        write(start + data)
        self._forget()
        self._take_header(start[:-1], len(start))
        self._count(data, last)

    def grow(self, data: bytes, last: Line, *, sync: bool) -> None:
        """Append lines behind the last entry that counts, cutting off a torn tail. All or none of it counts.

        Only within `opened` for writing.

        Args:
            data: Whole lines of whole appends that continue the log.
            last: The last of the lines.
            sync: Whether a power cut must not take it back.

        Raises:
            StoreError: the file is damaged.
            OSError: it cannot be written; the log is as it was.
        """
        if self.damaged:
            raise self.damage()
        descriptor = self._descriptor
        if self._size > self.end:
            os.ftruncate(descriptor, self.end)
        os.lseek(descriptor, self.end, os.SEEK_SET)
        try:
            write_all(descriptor, data)
            if sync:
                os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, self.end)
            raise
        self._count(data, last)

    def _count(self, data: bytes, last: Line) -> None:
        # What was written is known. Where each line stands is hardly ever asked of a file that is being written.
        self._unplaced += last.seq - self._last_seq()
        self.end += len(data)
        self.last_at = last.at
        self._finished = last.type == FINISHED
