"""The fenced blocks of a Markdown page, and what each is held to; ``docs/tools/README.md`` has the rules."""

from __future__ import annotations

import re
import textwrap
from typing import NamedTuple

_FENCE = re.compile(
    r"""(?:^[ ]*<!--[ ]*(?P<key>skip|exit):[ ]*(?P<value>.*?)[ ]*-->\n+)?
        ^(?P<indent>[ ]*)(?P<marks>```+)[ ]*(?P<language>[\w+-]*)[ ]*(?P<options>[^\n`]*)\n
        (?P<body>.*?)
        ^(?P=indent)(?P=marks)[ ]*$""",
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)
_TITLE = re.compile(r'title="([^"]+)"')
_ANY = re.compile(r"…|\.\.\.")


class Block(NamedTuple):
    """One fenced block."""

    line: int
    language: str
    title: str | None
    body: str
    skip: str | None
    exit_code: int


class Command(NamedTuple):
    """One ``$ command`` of a console block and the lines under it."""

    line: str
    background: bool
    expected: str


def blocks(page: str) -> list[Block]:
    r"""The blocks of a page, in order.

    >>> [block.language for block in blocks("```python\nx = 1\n```\n\n```toml\na = 1\n```\n")]
    ['python', 'toml']
    """
    found: list[Block] = []
    for match in _FENCE.finditer(page):
        title = _TITLE.search(match["options"])
        is_skip, is_exit = match["key"] == "skip", match["key"] == "exit"
        found.append(
            Block(
                line=page.count("\n", 0, match.start("language")) + 1,
                language=match["language"],
                title=title[1] if title else None,
                body=textwrap.dedent(match["body"]),
                skip=match["value"] if is_skip else None,
                exit_code=int(match["value"]) if is_exit else 0,
            )
        )
    return found


def commands(body: str) -> list[Command]:
    r"""The commands of a console block; a line that ends in a backslash goes on in the next.

    >>> commands("$ echo a\na\n$ serve &\n")
    [Command(line='echo a', background=False, expected='a\n'), Command(line='serve', background=True, expected='')]
    """
    found: list[Command] = []
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        size = next((number for number, line in enumerate(lines, 1) if not line.endswith("\\")), len(lines))
        line = "\n".join(lines[:size]).strip()
        expected = "".join(f"{each.rstrip()}\n" for each in lines[size:]).strip("\n")
        background = line.endswith(" &")
        found.append(Command(line.removesuffix(" &"), background, f"{expected}\n" if expected else ""))
    return found


def pattern(expected: str) -> re.Pattern[str]:
    r"""What output must look like: an ellipsis stands for anything, on a line of its own for any lines.

    >>> bool(pattern("a…c\n...\nend\n").fullmatch("abc\n1\n2\nend\n"))
    True
    """
    parts: list[str] = []
    for line in expected.splitlines():
        if _ANY.fullmatch(line.strip()):
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*?".join(re.escape(piece) for piece in _ANY.split(line)) + r"[ \t]*\n")
    return re.compile("".join(parts))
