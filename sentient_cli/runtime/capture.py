"""Logging, warnings and prints of a run's own code become entries of its log.

They also go where they went before; prints without secrets, and to a terminal without escape sequences. Code outside of
runs is not touched.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from io import TextIOBase
from typing import Protocol, TextIO

from sentient_cli.redact import redactor
from sentient_cli.runtime.events import encode_json
from sentient_cli.runtime.run import Run, current_run
from sentient_cli.sanitize import sanitize

__all__ = ["Capture", "append_log_entry", "process_capture"]

_MAX_TEXT = 16_384
_MAX_LINE = 8_192
_BEFORE_WORDS = re.compile(r"(?<=\s)(?=\S)")
MAX_LINES = 10_000
"""Log entries of one run."""


def append_log_entry(run: Run, *, level: str, source: str, text: str, where: str = "") -> None:
    """Append a ``log`` entry to a run that is still going on.

    Args:
        run: The run.
        level: ``debug``, ``info``, ``warning``, ``error`` or ``critical``.
        source: ``logging``, ``warning``, ``stdout`` or ``stderr``.
        text: What was said; secrets are masked, and what is longer than 16 KiB is cut.
        where: The logger's name, or the place in the code.
    """
    if run.log.finished or run.log_lines > MAX_LINES:
        return
    run.log_lines += 1
    if run.log_lines > MAX_LINES:
        level, source, text, where = "warning", "sentient", "Further log lines of this run are not kept", ""
    data: dict[str, object] = {"level": level, "source": source, "text": redactor.head(text, _MAX_TEXT)}
    if where:
        data["where"] = where
    run.note("log", encode_json(data))


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # it is closed
        return False


class _RunHandler(logging.Handler):
    """Copies records of a run's code into its log."""

    def emit(self, record: logging.LogRecord) -> None:
        run = current_run.get()
        if run is None or record.name.startswith("sentient_cli."):
            return
        try:
            text = self.format(record)
        except Exception:  # noqa: BLE001 - a broken log call of the agent is the agent's, not ours
            text = str(record.msg)
        append_log_entry(run, level=record.levelname.lower(), source="logging", text=text, where=record.name)


class Pieces(Protocol):
    """Masks a text that comes in pieces; what may be the beginning of a secret stays back."""

    def feed(self, pieces: Sequence[str]) -> list[str]:
        """Take further pieces, and return those that are certain now."""
        ...

    def finish(self) -> list[str]:
        """Return what was held back."""
        ...


class _Line:
    """A line that a run has begun. What of it is shown before it is whole is masked as far as it is certain."""

    __slots__ = ("_fed", "_fresh", "_pieces", "_shown", "masked")

    def __init__(self, pieces: Callable[[], Pieces]) -> None:
        self.masked = ""
        """What is certain, and in no entry yet."""
        self._shown = 0  # so much of it is passed on
        self._fresh: list[str] = []
        self._fed: Pieces | None = None
        self._pieces = pieces

    def add(self, text: str) -> None:
        self._fresh.append(text)

    def end(self) -> str:
        """Take it that the line is whole; return what is to be passed on."""
        fresh = "".join(self._fresh)
        if self._fed is None:
            self.masked += redactor.redact(fresh)
        else:
            self.masked += "".join([*self._fed.feed([fresh]), *self._fed.finish()])
        return self._rest()

    def settle(self) -> str:
        """Return what can be passed on before the line is whole."""
        if self._fed is None:
            self._fed = self._pieces()
        fresh, self._fresh = "".join(self._fresh), []
        # A piece is held back as a whole: the smaller they are, the less is.
        self.masked += "".join(self._fed.feed(_BEFORE_WORDS.split(fresh)))
        return self._rest()

    def _rest(self) -> str:
        rest = self.masked[self._shown :]
        self._shown = len(self.masked)
        return rest

    def cut(self) -> str:
        """Return what is certain, for an entry of its own."""
        certain, self.masked, self._shown = self.masked, "", 0
        return certain

    @property
    def too_long(self) -> bool:
        return sum(map(len, self._fresh)) + len(self.masked) > _MAX_LINE


class _RunStream(TextIOBase):
    """Stands in for stdout or stderr: the lines that a run writes become entries.

    They are also passed on, without secrets, and on a terminal without escape sequences: a line when it is whole, or
    what there is of it when the run flushes.
    """

    def __init__(self, under: TextIO, source: str, pieces: Callable[[], Pieces]) -> None:
        self._under = under
        self._source = source
        self._pieces = pieces
        self._terminal = _is_terminal(under)
        self._begun: dict[str, _Line] = {}
        self._lock = threading.Lock()

    def write(self, text: str) -> int:
        run = current_run.get()
        if run is None:
            return self._under.write(text)
        if run.closed:
            self._pass_on(redactor.redact(text))
            return len(text)
        for entry, shown in self._take(run, text):
            if entry is not None:
                append_log_entry(run, level="info", source=self._source, text=entry)
            self._pass_on(shown)
        return len(text)

    def _take(self, run: Run, text: str) -> list[tuple[str | None, str]]:
        """The entries that come of a piece, and what is passed on with each."""
        taken: list[tuple[str | None, str]] = []
        with self._lock:
            line = self._begun.pop(run.id, None) or _Line(self._pieces)
            *ended, rest = text.split("\n")
            for part in ended:
                line.add(part)
                shown = line.end()
                taken.append((line.masked, shown + "\n"))
                line = _Line(self._pieces)
            if rest:
                line.add(rest)
            if line.too_long:
                shown = line.settle()
                taken.append((line.cut(), shown) if line.masked else (None, shown))
            self._begun[run.id] = line
        return taken

    def _pass_on(self, masked: str) -> None:
        if masked:
            self._under.write(redactor.redact(sanitize(masked)) if self._terminal else masked)

    def flush(self) -> None:
        run = current_run.get()
        if run is not None:
            with self._lock:
                line = self._begun.get(run.id)
                shown = line.settle() if line is not None else ""
            self._pass_on(shown)
        self._under.flush()

    def finish(self, run: Run) -> None:
        with self._lock:
            line = self._begun.pop(run.id, None)
        if line is not None:
            self._pass_on(line.end())
            if line.masked:
                append_log_entry(run, level="info", source=self._source, text=line.masked)

    def __getattr__(self, name: str) -> object:
        return getattr(self._under, name)  # buffer, reconfigure, name and the like

    def isatty(self) -> bool:
        return self._under.isatty()

    def fileno(self) -> int:
        return self._under.fileno()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._under.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self._under.errors


class Capture:
    """Installs the copying for the whole process while at least one host needs it.

    Example:
        >>> from sentient_cli.host.pieces import RedactedPieces
        >>> capture = Capture()
        >>> capture.install(lambda: RedactedPieces(redactor))
        >>> capture.remove()
    """

    def __init__(self) -> None:
        self._handler = _RunHandler()
        self._streams: list[_RunStream] = []
        self._showwarning: Callable[..., None] | None = None
        self._users = 0

    def install(self, pieces: Callable[[], Pieces]) -> None:
        """Begin to copy, unless another host has begun already.

        Args:
            pieces: Makes what masks a line that is shown before it is whole.
        """
        self._users += 1
        if self._users > 1:
            return
        logging.getLogger().addHandler(self._handler)
        self._streams = [_RunStream(sys.stdout, "stdout", pieces), _RunStream(sys.stderr, "stderr", pieces)]
        sys.stdout, sys.stderr = self._streams
        self._showwarning = warnings.showwarning
        warnings.showwarning = self._show_warning

    def remove(self) -> None:
        """Undo `install`, once the last host is gone."""
        self._users -= 1
        if self._users:
            return
        logging.getLogger().removeHandler(self._handler)
        for name, stream in zip(("stdout", "stderr"), self._streams, strict=True):
            if getattr(sys, name) is stream:
                setattr(sys, name, stream._under)  # noqa: SLF001
        if self._showwarning is not None and warnings.showwarning == self._show_warning:
            warnings.showwarning = self._showwarning
        self._streams = []

    def finish(self, run: Run) -> None:
        """Append what a run printed without an end of line."""
        for stream in self._streams:
            stream.finish(run)

    def _show_warning(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        run = current_run.get()
        if run is not None:
            text = f"{category.__name__}: {message}"
            append_log_entry(run, level="warning", source="warning", text=text, where=f"{filename}:{lineno}")
        if self._showwarning is not None:
            self._showwarning(message, category, filename, lineno, file, line)


process_capture: Capture = Capture()
"""The one of this process: logging, stdout and warnings belong to the process, however many hosts it has."""
