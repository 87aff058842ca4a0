"""Draw ``docs/images/terminal.svg``: what a terminal shows when the demo runs in it.

The demo runs in a real pseudo-terminal; an emulator reads its bytes; the cells become an SVG without fonts of its own.
"""

from __future__ import annotations

import html
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress
from io import FileIO
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pyte

_ROOT = Path(__file__).resolve().parents[2]
_PICTURE = _ROOT / "docs" / "images" / "terminal.svg"
_COLUMNS, _ROWS = 108, 200
_CELL, _LINE, _SIZE, _MARGIN, _BAR = 8.4, 19, 14, 18, 34
_PAPER, _INK = "#16181d", "#d8dee9"
_COLOURS = {
    "black": "#4c566a",
    "red": "#e06c75",
    "green": "#98c379",
    "brown": "#e5c07b",
    "blue": "#61afef",
    "magenta": "#c678dd",
    "cyan": "#56b6c2",
    "white": "#eceff4",
    "default": _INK,
}


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
    screen = pyte.Screen(_COLUMNS, _ROWS)
    stream = pyte.ByteStream(screen)
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (_ROWS, _COLUMNS))
    command = [sys.executable, "-m", "docs.tools.demo"]
    with subprocess.Popen(command, cwd=_ROOT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        with os.fdopen(ours, "rb", buffering=0) as terminal:
            for piece in _pieces(terminal):
                stream.feed(piece)
    if process.returncode != 0:
        raise RuntimeError("\n".join(screen.display).rstrip())
    return screen


def _pieces(terminal: FileIO) -> Iterator[bytes]:
    """What the terminal is sent until nobody holds its other end, which Linux reports as an error."""
    with suppress(OSError):
        while piece := terminal.read(65536):
            yield piece


def _style(cell: pyte.screens.Char) -> Style:
    colour = _COLOURS.get(cell.fg.removeprefix("bright"), f"#{cell.fg}" if len(cell.fg) == 6 else _INK)  # noqa: PLR2004
    return Style(colour, cell.bold, cell.italics)


def _runs(screen: pyte.Screen, row: int) -> Iterator[tuple[int, str, Style]]:
    cells = [(column, screen.buffer[row][column]) for column in range(screen.columns)]
    for style, group in groupby(cells, key=lambda each: _style(each[1])):
        run = list(group)
        text = "".join(cell.data for _, cell in run)
        if text.strip():
            yield run[0][0], text.rstrip(), style


def _text(column: int, row: int, text: str, style: Style) -> str:
    weight = ' font-weight="700"' if style.bold else ""
    slant = ' font-style="italic"' if style.italics else ""
    x, y = _MARGIN + column * _CELL, _BAR + (row + 1) * _LINE
    length = f' textLength="{len(text) * _CELL:.1f}" lengthAdjust="spacingAndGlyphs"'
    return f'<text x="{x:.1f}" y="{y}" fill="{style.colour}"{weight}{slant}{length}>{html.escape(text)}</text>\n'


def draw(screen: pyte.Screen) -> str:
    """The screen as an SVG document."""
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
        f'aria-label="A terminal in which the demo runs">\n<rect width="100%" height="100%" rx="10" fill="{_PAPER}"/>\n'
        f"{dots}<g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" "
        f'font-size="{_SIZE}" xml:space="preserve">\n{texts}</g>\n</svg>\n'
    )


def main() -> int:
    """Run the demo and write the picture."""
    _PICTURE.parent.mkdir(exist_ok=True)
    _PICTURE.write_text(draw(watch()), "utf-8")
    print(f"drawn: {_PICTURE.relative_to(_ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
