"""Markdown as lines of a terminal.

Everything the source said stays visible: a link shows its target, an image its address, HTML itself. Nothing here emits
an escape sequence; the lines are Rich texts, which the screen writes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from rich.style import Style
from rich.text import Text

from sentient_cli.chat.table import Cell, table_lines
from sentient_cli.chat.wrapping import wrap

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from markdown_it.token import Token

    from sentient_cli.chat.glyphs import Glyphs

__all__ = ["MarkdownPainter"]

MINIMUM_WIDTH = 8
_MAX_NESTING = 20
_SOURCE = "source"
_BOLD = Style(bold=True)
_CODE = Style(color="cyan")
_DIM = Style(dim=True)
_INLINE = {"strong": _BOLD, "em": Style(italic=True), "s": Style(strike=True)}
_LINK = Style(underline=True)


class MarkdownPainter:
    """Parses Markdown and draws its blocks.

    Args:
        glyphs: The signs to draw with.
    """

    def __init__(self, glyphs: Glyphs) -> None:
        self._glyphs = glyphs
        options = {"linkify": False, "maxNesting": _MAX_NESTING}
        self._parser = MarkdownIt("commonmark", options).enable(["table", "strikethrough"])
        self._references: dict[str, object] = {}
        self._draw: dict[str, Callable[[SyntaxTreeNode, int], list[Text]]] = {
            "paragraph": self._paragraph,
            "inline": self._paragraph_of_inline,
            "heading": self._heading,
            "fence": self._code,
            "code_block": self._code,
            "bullet_list": self._list,
            "ordered_list": self._list,
            "blockquote": self._quote,
            "hr": self._rule,
            "table": self._table,
        }

    def parse(self, source: str, *, keep: bool = False) -> list[Token]:
        """The tokens of a source; link references that were kept before are known.

        Args:
            source: The Markdown.
            keep: Keep its references too. Only for source that is final: the first definition of a name wins.
        """
        environment: dict[str, dict[str, object]] = {"references": dict(self._references)}
        tokens = self._parser.parse(source, environment)
        if keep:
            self._references = environment["references"]
        _keep_what_is_too_deep(tokens, source)
        return tokens

    def lines(self, tokens: Sequence[Token], width: int) -> list[list[Text]]:
        """The lines of each top-level block, in a width in columns."""
        root = SyntaxTreeNode(tokens)
        return [self._block(node, max(width, MINIMUM_WIDTH)) for node in root.children]

    def _block(self, node: SyntaxTreeNode, width: int) -> list[Text]:
        return self._draw.get(node.type, self._verbatim)(node, width)

    def _blocks(self, nodes: Sequence[SyntaxTreeNode], width: int) -> list[Text]:
        found: list[Text] = []
        for index, node in enumerate(nodes):
            # A list that belongs to the words before it stands close to them.
            if index and node.type not in {"bullet_list", "ordered_list"}:
                found.append(Text())
            found.extend(self._block(node, width))
        return found

    def _verbatim(self, node: SyntaxTreeNode, width: int) -> list[Text]:
        return wrap(Text(node.content.rstrip("\n")), width)

    def _paragraph(self, node: SyntaxTreeNode, width: int) -> list[Text]:
        return wrap(self.inline(node), width)

    def _paragraph_of_inline(self, node: SyntaxTreeNode, width: int) -> list[Text]:
        text = Text()
        self._inline(node.children, Style(), text)
        return wrap(text, width)

    def _heading(self, node: SyntaxTreeNode, width: int) -> list[Text]:
        text = self.inline(node)
        text.stylize(_BOLD)
        if node.tag == "h1":
            text.stylize(_LINK)
        return wrap(text, width)

    def _code(self, node: SyntaxTreeNode, width: int) -> list[Text]:
        found: list[Text] = []
        lines = node.content.removesuffix("\n").split("\n") if node.content else []
        for line in lines:
            found.extend(wrap(Text(line, style=_CODE), width - 2))
        return [_indented("  ", line) for line in found]

    def _list(self, node: SyntaxTreeNode, width: int) -> list[Text]:
        found: list[Text] = []
        for item in node.children:
            marker = _fitting(f"{item.info}. " if item.info else f"{self._glyphs.bullet} ", width)
            lines = self._inside(item, width - len(marker)) or [Text()]
            found.append(_indented(marker, lines[0]))
            found.extend(_indented(" " * len(marker), line) for line in lines[1:])
        return found

    def _quote(self, node: SyntaxTreeNode, width: int) -> list[Text]:
        bar = Text(_fitting(f"{self._glyphs.quote} ", width), style=_DIM)
        return [bar + line for line in self._inside(node, width - len(bar))]

    def _inside(self, node: SyntaxTreeNode, width: int) -> list[Text]:
        if _SOURCE in node.meta:
            return wrap(Text(str(node.meta[_SOURCE])), width)
        return self._blocks(node.children, width)

    def _rule(self, _node: SyntaxTreeNode, width: int) -> list[Text]:
        return [Text(self._glyphs.rule * min(width, 40), style=_DIM)]

    def _table(self, node: SyntaxTreeNode, width: int) -> list[Text]:
        rows = [row for part in node.children for row in part.children]
        cells = [[Cell(self.inline(cell), _alignment(cell)) for cell in row.children] for row in rows]
        return table_lines(cells, width, self._glyphs.rule)

    def inline(self, node: SyntaxTreeNode) -> Text:
        """The words of a block, on one line but for hard breaks."""
        text = Text()
        for child in node.children:
            self._inline(child.children, Style(), text)
        return text

    def _inline(self, nodes: Sequence[SyntaxTreeNode], style: Style, text: Text) -> None:
        for node in nodes:
            if node.type == "link":
                self._link(node, style, text)
            elif node.type == "image":
                text.append(f"[{node.content}] ({node.attrGet('src') or ''})", style)
            elif node.type == "softbreak":
                text.append(" ", style)
            elif node.type == "hardbreak":
                text.append("\n")
            elif node.type == "code_inline":
                text.append(node.content, style + _CODE)
            elif node.type in _INLINE:
                self._inline(node.children, style + _INLINE[node.type], text)
            else:
                text.append(node.content, style)

    def _link(self, node: SyntaxTreeNode, style: Style, text: Text) -> None:
        target = str(node.attrGet("href") or "")
        start = len(text)
        self._inline(node.children, style + _LINK, text)
        if text.plain[start:] not in {target, target.removeprefix("mailto:")}:
            text.append(f" ({target})", style + _DIM)


def _keep_what_is_too_deep(tokens: list[Token], source: str) -> None:
    """Note the source of containers whose contents the parser leaves out, since they are nested too deeply."""
    for token, following in pairwise(tokens):
        if token.nesting == 1 and following.nesting == -1 and token.level >= _MAX_NESTING - 2 and token.map:
            token.meta[_SOURCE] = "\n".join(source.split("\n")[slice(*token.map)]).strip()


def _alignment(cell: SyntaxTreeNode) -> str:
    return str(cell.attrGet("style") or "").removeprefix("text-align:") or "left"


def _fitting(prefix: str, width: int) -> str:
    """What stands before each line of a container; nothing where the lines would have no room behind it."""
    return prefix if width - len(prefix) >= MINIMUM_WIDTH else ""


def _indented(prefix: str, line: Text) -> Text:
    return Text(prefix) + line
