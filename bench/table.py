"""Plain tables."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["show"]


def show(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table: the first column to the left, the others to the right."""
    lines = [tuple(head), *(tuple(str(cell) for cell in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    print(f"\n{title}")
    for number, line in enumerate(lines):
        first, *others = (cell.ljust(width) if not at else cell.rjust(width) for at, (cell, width) in enumerate(zip(line, widths, strict=True)))
        print("  " + "  ".join([first, *others]).rstrip(), flush=True)
        if not number:
            print("  " + "  ".join("-" * width for width in widths))
