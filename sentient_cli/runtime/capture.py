"""Logging, warnings and prints of a run's own code become entries of its log.

They also go where they went before; prints without secrets, and to a terminal without escape sequences. Code outside of
runs is not touched.
"""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from io import TextIOBase
from typing import TextIO

from sentient_cli.redact import redactor
from sentient_cli.runtime.events import encode_json
from sentient_cli.runtime.run import Run, current_run
from sentient_cli.sanitize import sanitize

__all__ = ["Capture", "append_log_entry", "process_capture"]

_MAX_TEXT = 16_384
_MAX_LINE = 8_192
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
    data: dict[str, object] = {"level": level, "source": source, "text": redactor.redact(text[:_MAX_TEXT])}
    if where:
        data["where"] = where
    run.note("log", encode_json(data))


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # it is closed
        return False


def _clean_for_terminal(text: str) -> str:
    return sanitize(redactor.redact(text))


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


@dataclass(slots=True)
class _Line:
    """A line that a run has begun: its text, how much of that has been passed on already, and how it ends."""

    text: str = ""
    passed: int = 0
    end: str = "\n"


class _RunStream(TextIOBase):
    """Stands in for stdout or stderr: the lines that a run writes become entries.

    They are also passed on, without secrets, and on a terminal without escape sequences: a line when it is whole, or
    what there is of it when the run flushes.
    """

    def __init__(self, under: TextIO, source: str) -> None:
        self._under = under
        self._source = source
        self._clean = _clean_for_terminal if _is_terminal(under) else redactor.redact
        self._begun: dict[str, _Line] = {}
        self._lock = threading.Lock()

    def write(self, text: str) -> int:
        run = current_run.get()
        if run is None:
            return self._under.write(text)
        if run.closed:
            self._under.write(self._clean(text))
            return len(text)
        for line in self._whole_lines(run, text):
            append_log_entry(run, level="info", source=self._source, text=line.text)
            self._under.write(self._clean(line.text[line.passed :]) + line.end)
        return len(text)

    def _whole_lines(self, run: Run, text: str) -> list[_Line]:
        with self._lock:
            line = self._begun.pop(run.id, None) or _Line()
            first, *others = text.split("\n")
            line.text += first
            lines = [line, *map(_Line, others)]
            rest = lines[-1]
            if len(rest.text) > _MAX_LINE:
                rest.end = ""  # it is only told in pieces
            else:
                lines.pop()
                if rest.text:
                    self._begun[run.id] = rest
        return lines

    def flush(self) -> None:
        run = current_run.get()
        if run is not None:
            self._pass_on(run.id)
        self._under.flush()

    def _pass_on(self, run_id: str) -> None:
        with self._lock:
            line = self._begun.get(run_id)
            if line is None:
                return
            rest = line.text[line.passed :]
            line.passed = len(line.text)
        self._under.write(self._clean(rest))

    def finish(self, run: Run) -> None:
        self._pass_on(run.id)
        with self._lock:
            line = self._begun.pop(run.id, None)
        if line is not None:
            append_log_entry(run, level="info", source=self._source, text=line.text)

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
        >>> capture = Capture()
        >>> capture.install()
        >>> capture.remove()
    """

    def __init__(self) -> None:
        self._handler = _RunHandler()
        self._streams: list[_RunStream] = []
        self._showwarning: Callable[..., None] | None = None
        self._users = 0

    def install(self) -> None:
        """Begin to copy, unless another host has begun already."""
        self._users += 1
        if self._users > 1:
            return
        logging.getLogger().addHandler(self._handler)
        self._streams = [_RunStream(sys.stdout, "stdout"), _RunStream(sys.stderr, "stderr")]
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
