"""The lines that a worker's code writes, off the pipe that they come through."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import re
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from sentient_cli.redact import redactor

if TYPE_CHECKING:
    from sentient_cli.host.pieces import RedactedPieces

__all__ = ["Lines"]

_CHUNK: Final = 65536
_LONGEST_LINE: Final = 8192
_PIECES: Final = re.compile(r"\s{0,256}\S{0,256}", re.DOTALL)
"""The smaller pieces are, the less is held back."""
_IN_ONE_TURN: Final = 200
_MOST: Final = 5000
"""Lines of one second; more are counted, not told: nobody reads them, and everything else would wait for them."""
_SECOND: Final = 1.0


class Lines:
    """Reads lines from a pipe. For one event loop.

    A line that is too long is told in parts; whatever secret is cut by that, or came in two pieces, is masked before.

    Args:
        descriptor: Its end, which does not block; closed at the end.
        on_line: Takes each line.
    """

    def __init__(self, descriptor: int, on_line: Callable[[str], None]) -> None:
        self._descriptor = descriptor
        self._on_line = on_line
        self._loop = asyncio.get_running_loop()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._line = _Line()
        self._ready: deque[str] = deque()
        self._telling: asyncio.Handle | None = None
        self._since = 0.0
        self._told = 0
        self._left_out = 0
        self._resting: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to read."""
        self._loop.add_reader(self._descriptor, self._read)

    def stop(self) -> None:
        """Read what is left, and no more. May be called twice."""
        if self._descriptor == -1:
            return
        self._loop.remove_reader(self._descriptor)
        descriptor, self._descriptor = self._descriptor, -1
        with contextlib.suppress(OSError):
            self._take(os.read(descriptor, _CHUNK))
        os.close(descriptor)
        for handle in (self._telling, self._resting):
            if handle is not None:
                handle.cancel()
        if self._line.is_lost:
            self._left_out += self._resting is not None
        else:
            self._ready.extend(line for line in self._line.end(self._decoder.decode(b"", final=True)) if line)
        while self._ready and self._told < _MOST:
            self._tell_one()
        self._left_out += len(self._ready)
        self._ready.clear()
        self._tell_of_those_left_out()

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.stop()
            return
        self._take(data)
        if self._ready:  # the next is read when these are told
            self._loop.remove_reader(self._descriptor)
            self._tell()

    def _take(self, data: bytes) -> None:
        if self._resting is not None:
            self._left_out += data.count(b"\n")
            self._line.is_lost = not data.endswith(b"\n")
            return
        if self._line.is_lost:  # its beginning was left out
            _, end, data = data.partition(b"\n")
            if not end:
                return
            self._line = _Line()
        *ended, rest = self._decoder.decode(data).split("\n")
        for part in ended:
            self._ready.extend(self._line.end(part))
        self._ready.extend(self._line.add(rest))

    def _tell(self) -> None:
        """Tell some, and let others have their turn before the next ones."""
        self._telling = None
        for _ in range(min(_IN_ONE_TURN, len(self._ready))):
            self._tell_one()
            if self._told >= _MOST:
                self._rest()
                break
        if self._ready:
            self._telling = self._loop.call_soon(self._tell)
        else:
            self._loop.add_reader(self._descriptor, self._read)

    def _tell_one(self) -> None:
        now = self._loop.time()
        if now - self._since >= _SECOND:
            self._since, self._told = now, 0
        self._told += 1
        self._on_line(self._ready.popleft())

    def _rest(self) -> None:
        self._left_out += len(self._ready)
        self._ready.clear()
        self._decoder.reset()
        self._line = _Line(is_lost=self._line.has_begun)
        self._resting = self._loop.call_later(_SECOND, self._go_on)

    def _go_on(self) -> None:
        self._resting = None
        self._left_out += self._line.is_lost
        self._tell_of_those_left_out()

    def _tell_of_those_left_out(self) -> None:
        if self._left_out:
            lines = "1 line is" if self._left_out == 1 else f"{self._left_out} lines are"
            self._on_line(f"{lines} left out here: too many came at once")
            self._left_out = 0


class _Line:
    """A line that has begun.

    Args:
        is_lost: Whether its beginning was left out, so that the rest of it cannot be told either.
    """

    def __init__(self, *, is_lost: bool = False) -> None:
        self.is_lost: bool = is_lost
        self._text = ""
        self._pieces: RedactedPieces | None = None
        self._masked = ""

    @property
    def has_begun(self) -> bool:
        """Whether there is anything of it."""
        return bool(self._text) or self._pieces is not None

    def add(self, text: str) -> Iterator[str]:
        """Go on with it; the parts of it that are told before it is whole."""
        self._text += text
        if len(self._text) > _LONGEST_LINE:
            if self._pieces is None:
                from sentient_cli.host.pieces import RedactedPieces  # noqa: PLC0415 - only for long lines

                self._pieces = RedactedPieces(redactor)
            self._masked += "".join(self._pieces.feed(_PIECES.findall(self._text)))
            self._text = ""
        at = 0
        while len(self._masked) - at > _LONGEST_LINE:
            yield self._masked[at : at + _LONGEST_LINE]
            at += _LONGEST_LINE
        self._masked = self._masked[at:]

    def end(self, text: str) -> Iterator[str]:
        """End it; the parts of it that are not told yet. It is the next line then."""
        yield from self.add(text)
        pieces, self._pieces = self._pieces, None
        if pieces is not None:
            self._masked += "".join([*pieces.feed([self._text]), *pieces.finish()])
            self._text = ""
        line, self._text, self._masked = self._masked or self._text, "", ""
        yield line
