"""What the interpreter writes when native code crashes, taken out of what a worker prints: where it was."""

from __future__ import annotations

import re
from typing import Final

from sentient_cli.dev.crashes import Place

__all__ = ["FaultReport"]

_HEAD: Final = re.compile(
    r"(?P<before>.*)Fatal Python error: "
    r"(?:Segmentation fault|Bus error|Aborted|Illegal instruction|Floating[- ]point exception)"
)
_STACK: Final = re.compile(r"(?P<thread>Stack|Current thread 0x\w+|Thread 0x\w+)\b.*\(most recent call first\):")
_FRAME: Final = re.compile(r'  File "(?P<file>.+)", line (?P<line>\d{1,9}) in (?P<name>.+)')
_OTHER: Final = re.compile(
    r"| {2}(?:File|Binary file) .*| {2}\.\.\.| {2}<.*>| {2}Garbage-collecting|Extension modules: .*|.*C stack trace.*"
)
_ESCAPE: Final = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))")
_LAST_CODE: Final = 0x10FFFF
_MOST: Final = 1000
"""Lines of a report that are held; what is longer is none."""


class FaultReport:
    r"""Tells lines of a crash report from what code prints.

    Example:
        >>> report = FaultReport()
        >>> report.take("as ever")
        ['as ever']
        >>> lines = ["Fatal Python error: Bus error", "Stack (most recent call first):", '  File "a.py", line 2 in f']
        >>> [report.take(line) for line in lines], report.places
        ([[], [], []], (Place(file='a.py', line=2, name='f'),))
    """

    def __init__(self) -> None:
        self._held: list[str] = []
        self._places: list[Place] = []
        self._own_thread = False

    @property
    def holds(self) -> bool:
        """Whether lines are held."""
        return bool(self._held)

    @property
    def places(self) -> tuple[Place, ...]:
        """Where it crashed, the innermost function first."""
        return tuple(self._places)

    def take(self, line: str) -> list[str]:
        """Take a line; those to show: none while it may be a report."""
        begins = _HEAD.fullmatch(line)
        if begins is not None:
            shown = self.release()
            self._held.append(line[begins.end("before") :])
            return [*shown, begins["before"]] if begins["before"] else shown
        if not self._held:
            return [line]
        if len(self._held) >= _MOST or not self._goes_on(line):
            return [*self.release(), line]
        self._held.append(line)
        return []

    def release(self) -> list[str]:
        """The lines that are held: it was no crash of this process."""
        held, self._held, self._places = self._held, [], []
        self._own_thread = False
        return held

    def _goes_on(self, line: str) -> bool:
        if (stack := _STACK.fullmatch(line)) is not None:
            self._own_thread = not stack["thread"].startswith("Thread")
            return True
        if (frame := _FRAME.fullmatch(line)) is None:
            return _OTHER.fullmatch(line) is not None
        file, name = _unescaped(frame["file"]), _unescaped(frame["name"])
        if self._own_thread and file.isprintable():
            self._places.append(Place(file, int(frame["line"]), name))
        return True


def _unescaped(text: str) -> str:
    """Letters beyond ASCII come as escapes."""
    return _ESCAPE.sub(lambda found: _letter(found, int(found[1] or found[2] or found[3], 16)), text)


def _letter(found: re.Match[str], code: int) -> str:
    return chr(code) if code <= _LAST_CODE else found[0]
