"""Draw ``docs/images/*.svg``: what a terminal shows when the demo and ``sentient dev`` run in it.

They run in a real pseudo-terminal; an emulator reads its bytes; the cells become an SVG without fonts of its own.
Clocks and durations are always the same, so that a picture changes when what it shows does.
"""

from __future__ import annotations

import difflib
import html
import os
import re
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from docs.tools.dev_scene import scenes
from docs.tools.terminal import fixed, running

if TYPE_CHECKING:
    import pyte

_ROOT = Path(__file__).resolve().parents[2]
_PICTURES = _ROOT / "docs" / "images"
_LABELS = {
    "terminal": "A terminal in which the demo runs",
    "dev": "A terminal in which sentient dev starts, answers, and loads a save",
    "dev-broken": "A terminal in which sentient dev says what is wrong with a save, and loads the next one",
}
_CELL, _LINE, _SIZE, _MARGIN, _BAR = 8.4, 19, 14, 18, 34
_PAPER, _INK = "#16181d", "#d8dee9"
_COLOURS = {
    "black": "#8b93a3",
    "red": "#e06c75",
    "green": "#98c379",
    "brown": "#e5c07b",
    "blue": "#61afef",
    "magenta": "#c678dd",
    "cyan": "#56b6c2",
    "white": "#eceff4",
    "default": _INK,
}
_HEX = re.compile("[0-9a-f]{6}")


class Style(NamedTuple):
    """How a run of cells looks."""

    colour: str
    bold: bool
    italics: bool


def watch() -> pyte.Screen:
    """Run the demo in a terminal and return what stands on its screen.

    Raises:
        RuntimeError: the demo failed.
    """
    with running([sys.executable, "-m", "docs.tools.demo"], _ROOT, os.environ) as terminal:
        if terminal.end() != 0:
            raise RuntimeError("\n".join(terminal.screen.display).rstrip())
        return terminal.screen


def _style(cell: pyte.screens.Char) -> Style:
    colour = _COLOURS.get(cell.fg.removeprefix("bright"), f"#{cell.fg}" if _HEX.fullmatch(cell.fg) else _INK)
    return Style(colour, cell.bold, cell.italics)


def _runs(screen: pyte.Screen, row: int) -> Iterator[tuple[int, str, Style]]:
    """The pieces of a line, each with its column; several spaces are between them, since few viewers keep those."""
    cells = [(column, screen.buffer[row][column]) for column in range(screen.columns)]
    for style, group in groupby(cells, key=lambda each: _style(each[1])):
        run = list(group)
        text = "".join(cell.data for _, cell in run)
        for piece in re.finditer(r"\S+(?: \S+)*", text):
            yield run[0][0] + piece.start(), piece[0], style


def _text(column: int, row: int, text: str, style: Style) -> str:
    weight = ' font-weight="700"' if style.bold else ""
    slant = ' font-style="italic"' if style.italics else ""
    x, y = _MARGIN + column * _CELL, _BAR + (row + 1) * _LINE
    length = f' textLength="{len(text) * _CELL:.1f}" lengthAdjust="spacingAndGlyphs"'
    return f'<text x="{x:.1f}" y="{y}" fill="{style.colour}"{weight}{slant}{length}>{html.escape(text)}</text>\n'


def draw(screen: pyte.Screen, label: str) -> str:
    """The screen as an SVG document.

    Args:
        screen: What is shown.
        label: The same in a few words.
    """
    rows = max((number for number, line in enumerate(screen.display, 1) if line.strip()), default=1)
    width, height = 2 * _MARGIN + screen.columns * _CELL, _BAR + (rows + 1) * _LINE
    texts = "".join(
        _text(column, row, text, style) for row in range(rows) for column, text, style in _runs(screen, row)
    )
    dots = "".join(
        f'<circle cx="{_MARGIN + 20 * number}" cy="17" r="6" fill="{colour}"/>\n'
        for number, colour in enumerate(("#e06c75", "#e5c07b", "#98c379"))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" role="img" '
        f'aria-label="{label}">\n<rect width="100%" height="100%" rx="10" fill="{_PAPER}"/>\n'
        f"{dots}<g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" "
        f'font-size="{_SIZE}">\n{texts}</g>\n</svg>\n'
    )


def main(arguments: Sequence[str]) -> int:
    """Run what is shown, and write the pictures; with ``--check``, say which show something else than is there now."""
    _PICTURES.mkdir(exist_ok=True)
    act = _compare if "--check" in arguments else _write
    return max([act("terminal", watch()), *(act(name, screen) for name, screen in scenes())])


def _write(name: str, screen: pyte.Screen) -> int:
    file = _PICTURES / f"{name}.svg"
    file.write_text(draw(fixed(screen), _LABELS[name]), "utf-8")
    print(f"drawn: {file.relative_to(_ROOT)}")
    return 0


def _compare(name: str, screen: pyte.Screen) -> int:
    file = _PICTURES / f"{name}.svg"
    shown, now = _words(file.read_text("utf-8") if file.exists() else ""), _words(draw(fixed(screen), _LABELS[name]))
    if shown == now:
        return 0
    differing = difflib.unified_diff(shown, now, str(file.relative_to(_ROOT)), "what is shown now", lineterm="", n=1)
    print("\n".join(differing), "Draw it anew: make picture", sep="\n", file=sys.stderr)
    return 1


def _words(picture: str) -> list[str]:
    """What can be read in a picture, line by line; its colours and measures are left out."""
    lines: dict[str, list[str]] = {}
    for row, text in re.findall(r'<text x="[^"]*" y="(\d+)"[^>]*>([^<]*)</text>', picture):
        lines.setdefault(row, []).append(html.unescape(text))
    return ["  ".join(pieces) for pieces in lines.values()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
