"""An unknown exception is a bug: its traceback goes to a private file, redacted and without local variables."""

from __future__ import annotations

import os
import platform
import sys
import time
import traceback
from typing import TYPE_CHECKING

from sentient_cli.errors import InternalError
from sentient_cli.redact import redactor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["report_crash"]

KEPT_REPORTS = 20


def report_crash(error: BaseException, argv: Sequence[str], *, whole: bool) -> InternalError:
    """Write the report of an unknown exception and return the error to show.

    Args:
        error: The exception.
        argv: The arguments of the command line.
        whole: Whether the traceback is shown too.
    """
    text = redactor.redact("".join(traceback.TracebackException.from_exception(error, capture_locals=False).format()))
    name = type(error).__name__
    try:
        path = _write(_header(argv) + text)
    except OSError as problem:
        return InternalError(
            f"This is a bug in sentient: {name}",
            why=f"No report could be written ({problem.strerror or type(problem).__name__}), so it stands below",
            fix="Please report it with the traceback",
            detail=text,
        )
    return InternalError(
        f"This is a bug in sentient: {name}",
        why=f"The traceback is in {path}",
        fix="Please report it with that file" if whole else "Please report it with that file; -vv shows it here",
        detail=text if whole else "",
    )


def _header(argv: Sequence[str]) -> str:
    from sentient_cli import __version__

    lines = (
        f"sentient {__version__}",
        f"Python {sys.version}",
        f"Platform {platform.platform()}",
        f"Arguments {redactor.redact(repr(list(argv)))}",
    )
    return "\n".join(lines) + "\n\n"


def _write(text: str) -> Path:
    from sentient_cli.paths import crash_dir

    directory = crash_dir()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for old in sorted(directory.glob("crash-*.txt"))[: -KEPT_REPORTS + 1]:
        old.unlink(missing_ok=True)
    path = directory / f"crash-{time.time_ns()}-{os.getpid()}.txt"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    return path
