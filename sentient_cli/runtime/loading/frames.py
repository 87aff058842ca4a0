"""Exceptions as the author of the code wants to read them: the cause first, and only frames of their own files."""

from __future__ import annotations

import os
import sysconfig
import traceback
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path

__all__ = ["describe_exception", "is_surely_foreign", "is_user_file", "summarize", "user_frames"]

_PACKAGE = str(Path(__file__).parents[2])
_INSTALLED = {"site-packages", "dist-packages"}
_MAX_FRAMES = 20
_MAX_CAUSES = 5


@cache
def _foreign_roots() -> tuple[str, ...]:
    library = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib"))
    return (_PACKAGE, *{str(Path(path).resolve()) for path in library})


def is_user_file(filename: str) -> bool:
    """Whether code is the user's: no part of this package, of Python, or of anything that was installed."""
    if filename.startswith("<"):
        return False
    path = Path(filename)
    if _INSTALLED.intersection(path.parts):
        return False
    return not any(path.is_relative_to(root) or path.resolve().is_relative_to(root) for root in _foreign_roots())


def is_surely_foreign(folder: str) -> bool:
    """Whether code in a folder is not the user's, as far as its name tells, which takes no time.

    Example:
        >>> import os
        >>> is_surely_foreign(os.path.dirname(os.__file__)), is_surely_foreign("/home/ann/project")
        (True, False)
    """
    inside = f"{folder}{os.sep}"
    return inside.startswith(_roots_with_separator()) or any(f"{os.sep}{name}{os.sep}" in inside for name in _INSTALLED)


@cache
def _roots_with_separator() -> tuple[str, ...]:
    return tuple(f"{root}{os.sep}" for root in _foreign_roots())


def user_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The frames of the user's own code that an exception went through, the place of the failure first."""
    frames = traceback.extract_tb(error.__traceback__)
    return [frame for frame in reversed(frames) if is_user_file(frame.filename)]


def summarize(error: BaseException) -> str:
    """An exception in one line.

    Example:
        >>> summarize(ValueError("no key"))
        'ValueError: no key'
    """
    lines = traceback.format_exception_only(error)
    return lines[-1].strip() if isinstance(error, SyntaxError) else " ".join("".join(lines).split())


def describe_exception(error: BaseException) -> str:
    """The chain of an exception, its first cause at the top, with the frames of the user's own code only.

    Args:
        error: What was raised.
    """
    causes = list(_causes(error))
    causes.reverse()
    blocks: list[str] = []
    for index, cause in enumerate(causes):
        lead = "" if index == 0 else "which led to "
        blocks.append("\n".join([lead + summarize(cause), *_frame_lines(cause)]))
    return "\n".join(blocks)


def _causes(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    seen: set[int] = set()
    while current is not None and id(current) not in seen and len(seen) < _MAX_CAUSES:
        seen.add(id(current))
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def _frame_lines(error: BaseException) -> Iterator[str]:
    frames = user_frames(error)
    # A recursion without end goes through the same places over and over: each is told once, and how often it came.
    times = Counter(map(_place, frames))
    for (file, number, name, line), count in islice(times.items(), _MAX_FRAMES):
        yield f"  {file}:{number} in {name}" + (f", {count:,} times" if count > 1 else "")
        if line:
            yield f"    {line}"
    if len(times) > _MAX_FRAMES:
        yield f"  … and {len(times) - _MAX_FRAMES} more"


def _place(frame: traceback.FrameSummary) -> tuple[str, int | None, str, str | None]:
    return frame.filename, frame.lineno, frame.name, frame.line
