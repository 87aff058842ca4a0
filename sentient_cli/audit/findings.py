"""What a check of the log found, the first of everything and the number of all."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["Finding", "Findings"]

_KEPT: Final = 1000


class Finding(NamedTuple):
    """One thing that is not as it was written, or that is worth knowing.

    Args:
        kind: ``malformed``, ``changed``, ``misplaced``, ``missing``, ``torn``, ``truncated``, ``checkpoint``,
            ``signature`` or ``key``; of a note ``repaired``, ``unsigned`` or ``clock``.
        line: The line of the file, from 1; 0 where it is about the checkpoint.
        text: It in a sentence.

    Example:
        >>> str(Finding("missing", 7, "2 lines are missing before it"))
        'line 7: 2 lines are missing before it'
    """

    kind: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}" if self.line else self.text


class Findings:
    """Gathers findings in whatever order they come; of very many the first are kept."""

    def __init__(self) -> None:
        self.count: int = 0
        self._kept: list[Finding] = []

    def add(self, kind: str, line: int, text: str) -> None:
        """Take one."""
        self.count += 1
        if len(self._kept) < _KEPT:
            self._kept.append(Finding(kind, line, text))

    def in_order(self) -> tuple[Finding, ...]:
        """Those that were kept, by their lines; what is about the checkpoint last."""
        return tuple(sorted(self._kept, key=lambda finding: (finding.line == 0, finding.line)))
