"""An error in the user's code or settings, as ``dev`` shows it: what, why, and the line where it is."""

from __future__ import annotations

import linecache
from typing import Final

from msgspec.structs import replace

from sentient_cli.dev.messages import Problem
from sentient_cli.errors import SentientError
from sentient_cli.redact import redactor
from sentient_cli.runtime.loading.frames import is_user_file, summarize, user_frames

__all__ = ["describe", "excerpt"]

_AROUND: Final = 2
_LONGEST_LINE: Final = 300


def describe(error: BaseException) -> Problem:
    """What a failure is to whoever has to mend it. Secrets in it are masked.

    Args:
        error: Of ours, which has what was raised as its cause; or anything that nobody foresaw.
    """
    if isinstance(error, SentientError):
        problem = Problem.of(error)
        place = _place(error.__cause__) if error.__cause__ is not None else None
    else:
        place = _place(error)
        fix = f"Look at {place[0]}, line {place[1]}" if place is not None else "Look at what was written before it"
        problem = Problem("unexpected", "The agent could not be loaded", why=summarize(error), fix=fix)
    if place is not None:
        file, line = place
        problem = replace(problem, file=file, line=line, excerpt=excerpt(file, line))
    return _masked(problem)


def _place(error: BaseException) -> tuple[str, int] | None:
    """Where the user's own code failed."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno and is_user_file(error.filename):
        return error.filename, error.lineno
    for frame in user_frames(error):
        if frame.lineno:
            return frame.filename, frame.lineno
    return _place(error.__cause__) if error.__cause__ is not None else None


def excerpt(file: str, line: int) -> str | None:
    r"""A line of a file and its neighbours, each after its number; the line itself is marked.

    Args:
        file: The file.
        line: Which, from 1.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     file = Path(directory) / "agent.py"
        ...     _ = file.write_text("a = 1\nb = oops\nc = 3\n")
        ...     print(excerpt(str(file), 2))
          1 | a = 1
        > 2 | b = oops
          3 | c = 3
    """
    linecache.checkcache(file)
    lines = linecache.getlines(file)
    if not 1 <= line <= len(lines):
        return None
    first, last = max(1, line - _AROUND), min(len(lines), line + _AROUND)
    width = len(str(last))
    return "\n".join(
        f"{'>' if number == line else ' '} {number:>{width}} | {lines[number - 1].rstrip()[:_LONGEST_LINE]}".rstrip()
        for number in range(first, last + 1)
    )


def _masked(problem: Problem) -> Problem:
    mask = redactor.redact
    return replace(
        problem,
        what=mask(problem.what),
        why=mask(problem.why),
        fix=mask(problem.fix),
        detail=mask(problem.detail),
        excerpt=None if problem.excerpt is None else mask(problem.excerpt),
    )
