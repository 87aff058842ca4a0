"""The project's own files, read once for every rule; what a rule may concern is parsed."""

from __future__ import annotations

import ast
import functools
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.plugins.isolation import REPOSITORY

PACKAGE = REPOSITORY / "sentient_cli"
_CODE = ("sentient_cli", "tests", "docs", "bench")
_BUILT = {"__pycache__", ".cache", "node_modules", "site"}


class Source(NamedTuple):
    """One Python file."""

    name: str
    text: str

    def nodes(self, *words: str) -> Iterator[ast.AST]:
        """All of its nodes, if its text has one of these words: to walk all files takes as long as a hundred tests."""
        return ast.walk(ast.parse(self.text, self.name)) if any(word in self.text for word in words) else iter(())


@functools.cache
def sources() -> tuple[Source, ...]:
    """Every Python file of package, tests, docs and benchmarks."""
    files = [
        file for folder in _CODE for file in sorted((REPOSITORY / folder).rglob("*.py")) if not _BUILT & set(file.parts)
    ]
    return tuple(Source(file.relative_to(REPOSITORY).as_posix(), file.read_text("utf-8")) for file in files)


def package() -> tuple[Source, ...]:
    """Every Python file of the package."""
    return tuple(source for source in sources() if source.name.startswith("sentient_cli/"))


@functools.cache
def functions(source: Source) -> tuple[ast.FunctionDef | ast.AsyncFunctionDef, ...]:
    """Every function and method, nested ones too; expressions have none."""
    blocks: list[ast.AST] = [ast.parse(source.text, source.name)]
    for node in blocks:
        for name in ("body", "orelse", "handlers", "finalbody", "cases"):
            inner = getattr(node, name, ())
            blocks += inner if isinstance(inner, list) else ()
    return tuple(node for node in blocks if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


@functools.cache
def tracked() -> tuple[Path, ...]:
    """Every file that git has or would take; a checkout without git gives none."""
    command = ["git", "-C", str(REPOSITORY), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return tuple(REPOSITORY / name for name in done.stdout.split("\0") if name and (REPOSITORY / name).is_file())


def depth(types: str) -> int:
    """How many brackets stand within each other in the text of a type.

    >>> [depth(types) for types in ("int", "list[int]", "Callable[[dict[str, int]], None]")]
    [0, 1, 3]
    """
    open_now = deepest = 0
    for char in types:
        open_now += (char == "[") - (char == "]")
        deepest = max(deepest, open_now)
    return deepest
