"""Write ``docs/coverage.md``: each row of ``docs/acceptance.toml`` with the tests that prove it.

Run with ``--check`` it writes nothing and fails when the page is stale or a mark names no row.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypedDict, cast

_ROOT = Path(__file__).resolve().parents[2]
_PAGE = _ROOT / "docs" / "coverage.md"
_HEAD = """# What is proven

Made from `docs/acceptance.toml` and the tests' `@pytest.mark.story` by `make docs`; do not edit. A test counts when it,
or a fixture of it, runs our command line or opens a connection; the suite fails a mark on any other.

"""


class Section(TypedDict):
    """One part of the acceptance list."""

    title: str
    rows: dict[str, str]


class Mark(NamedTuple):
    """A test that claims a row."""

    row: str
    test: str


def sections() -> list[Section]:
    """The acceptance list, in its order."""
    data = tomllib.loads((_ROOT / "docs" / "acceptance.toml").read_text("utf-8"))
    return cast("list[Section]", data["section"])


def marks_of(source: str, name: str) -> Iterator[Mark]:
    """The story marks of one test file, on its functions, its classes or the whole module.

    >>> list(marks_of('@pytest.mark.story("1.1", "F2")\\ndef test_a(): ...', "tests/test_x.py"))
    [Mark(row='1.1', test='tests/test_x.py::test_a'), Mark(row='F2', test='tests/test_x.py::test_a')]
    """
    tree = ast.parse(source)
    everywhere = [
        row
        for node in tree.body
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "pytestmark" for t in node.targets)
        for row in _rows(node.value)
    ]
    yield from _marks(tree.body, name, everywhere)


def _marks(body: list[ast.stmt], name: str, inherited: list[str]) -> Iterator[Mark]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            rows = [row for decorator in node.decorator_list for row in _rows(decorator)]
            yield from _marks(node.body, f"{name}::{node.name}", inherited + rows)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            own = [row for decorator in node.decorator_list for row in _rows(decorator)]
            for row in dict.fromkeys(inherited + own):
                yield Mark(row, f"{name}::{node.name}")


def _rows(node: ast.expr) -> list[str]:
    calls = [
        call for call in ast.walk(node) if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("mark.story")
    ]
    return [
        arg.value for call in calls for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
    ]


def all_marks() -> list[Mark]:
    """Every story mark of the suite, by file and line."""
    files = sorted((_ROOT / "tests").rglob("test_*.py"))
    return [mark for file in files for mark in marks_of(file.read_text("utf-8"), file.relative_to(_ROOT).as_posix())]


def _cell(tests: list[str]) -> str:
    files: dict[str, list[str]] = {}
    for test in tests:
        file, _, function = test.partition("::")
        files.setdefault(file, []).append(function)
    return "<br>".join(f"`{file}`: {', '.join(f'`{name}`' for name in names)}" for file, names in files.items())


def page(parts: list[Section], marks: list[Mark]) -> str:
    """The whole page as Markdown."""
    proven: dict[str, list[str]] = {}
    for mark in marks:
        proven.setdefault(mark.row, []).append(mark.test)
    rows = [row for part in parts for row in part["rows"]]
    missing = [row for row in rows if row not in proven]
    lines = [f"{len(rows) - len(missing)} of {len(rows)} rows have a test.\n"]
    for part in parts:
        lines.append(f"\n## {part['title']}\n\n| row | what must work | tests |\n|---|---|---|\n")
        for row, text in part["rows"].items():
            escaped = text.replace("|", "\\|")
            lines.append(f"| {row} | {escaped} | {_cell(proven.get(row, [])) or '-'} |\n")
    lines.append(f"\n## Rows without a test\n\n{', '.join(missing) or 'None.'}\n")
    return _HEAD + "".join(lines)


def main(arguments: list[str]) -> int:
    """Write or check the page; 1 when it is stale or a mark names an unknown row."""
    parts = sections()
    known = {row for part in parts for row in part["rows"]}
    marks = all_marks()
    unknown = [mark for mark in marks if mark.row not in known]
    for mark in unknown:
        print(f"{mark.test}: docs/acceptance.toml has no row {mark.row}", file=sys.stderr)
    text = page(parts, marks)
    if "--check" in arguments:
        stale = not _PAGE.exists() or _PAGE.read_text("utf-8") != text
        if stale:
            print("docs/coverage.md is stale: run `make docs`", file=sys.stderr)
        return 1 if stale or unknown else 0
    _PAGE.write_text(text, "utf-8")
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
