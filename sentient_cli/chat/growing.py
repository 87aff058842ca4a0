"""Markdown that is still being written: which of its lines can no longer change, and which may.

A block of Markdown is finished when another one has begun below it. In a list the items before the last are, and in a
code block the lines before the last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from markdown_it.token import Token

    from sentient_cli.chat.markdown import MarkdownPainter

__all__ = ["GrowingMarkdown"]

MAX_PENDING = 16 * 1024
"""A block that grows beyond so many characters is cut, since it is parsed anew whenever it is drawn."""
_LISTS = frozenset({"bullet_list_open", "ordered_list_open"})


class GrowingMarkdown:
    """Markdown that arrives in pieces.

    Args:
        painter: Parses and draws.
    """

    def __init__(self, painter: MarkdownPainter) -> None:
        self._painter = painter
        self._pending = ""
        self._begun = False
        self._joined = False

    def feed(self, text: str) -> None:
        """Add the next piece of the source."""
        self._pending += text

    def finished(self, width: int) -> list[Text]:
        """The lines that can no longer change and were not given before.

        Args:
            width: In columns of the terminal.
        """
        found: list[Text] = []
        while True:
            lines = self._step(width)
            if lines is None:
                return found
            found.extend(lines)

    def tail(self, width: int) -> list[Text]:
        """The lines that may still change, as they look now."""
        return self._draw(self._pending, width, keep=False) if self._pending.strip() else []

    def rest(self, width: int) -> list[Text]:
        """End the source: every line that was not given."""
        lines = self.tail(width)
        self._pending = ""
        self._begun = self._begun or bool(lines)
        return lines

    def _step(self, width: int) -> list[Text] | None:
        # A line without its end may still become another block, or go on with the one above it.
        source = self._pending[: self._pending.rfind("\n") + 1]
        if len(self._pending) >= MAX_PENDING:
            source = self._pending
        if not source:
            return None
        top = [token for token in self._painter.parse(source) if token.level == 0 and token.map]
        last = top[-1] if top else None
        starts = [token.map[0] for token in top if token.nesting >= 0 and token.map]
        if len(starts) > 1:
            return self._give(_offset(source, starts[-1]), width, joined=False)
        if last is None:
            return None
        return self._step_within(source, width)

    def _step_within(self, source: str, width: int) -> list[Text] | None:
        """A step in a source that is a single block."""
        tokens = self._painter.parse(source)
        first = tokens[0]
        if first.type in _LISTS:
            starts = [
                token.map[0] for token in tokens if token.type == "list_item_open" and token.level == 1 and token.map
            ]
            if len(starts) > 1:
                return self._give(_offset(source, starts[-1]), width, joined=True)
        if first.type == "fence" and _is_open(first, source):
            return self._give_code(first, source, width)
        if len(source) > MAX_PENDING:
            return self._give(_cut(source), width, joined=True)
        return None

    def _give(self, end: int, width: int, *, joined: bool) -> list[Text]:
        lines = self._draw(self._pending[:end], width)
        self._pending = self._pending[end:]
        self._begun = self._begun or bool(lines)
        self._joined = joined
        return lines

    def _give_code(self, fence: Token, source: str, width: int) -> list[Text] | None:
        """The whole lines of an open code block; what follows is opened again, as if it had begun there."""
        head_end = _offset(source, (fence.map or [0])[0] + 1)
        end = source.rfind("\n") + 1
        if end <= head_end:
            return None
        lines = self._draw(source[:end], width)
        self._pending = source[:head_end].lstrip("\n") + self._pending[end:]
        self._begun = self._joined = True
        return lines

    def _draw(self, source: str, width: int, *, keep: bool = True) -> list[Text]:
        found: list[Text] = []
        joined = self._joined or not self._begun
        for lines in self._painter.lines(self._painter.parse(source, keep=keep), width):
            if not lines:  # an empty code block, or the end of one whose lines were given
                joined = joined and not self._begun
                continue
            if not joined:
                found.append(Text())
            joined = False
            found.extend(lines)
        return found


def _offset(source: str, line: int) -> int:
    position = 0
    for _ in range(line):
        position = source.index("\n", position) + 1
    return position


def _cut(source: str) -> int:
    """Where to cut a long block: behind its last line, its last word, or anywhere."""
    return source.rfind("\n") + 1 or source.rfind(" ") + 1 or len(source)


def _is_open(fence: Token, source: str) -> bool:
    """Whether a code block has no closing line yet.

    Behind one that is closed may be more that is no block: the target of a link.
    """
    begin, end = fence.map or (0, 1)
    if end - begin < 2:  # noqa: PLR2004 - the opening line alone
        return False
    closing = source.split("\n")[end - 1].strip()
    return not (closing.startswith(fence.markup) and set(closing) == {fence.markup[0]})
