"""Every example of the documentation does what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from sentient_cli.errors import ConfigError
from tests.docs.blocks import Block, blocks, commands, pattern
from tests.docs.running import Page
from tests.plugins.isolation import REPOSITORY

_RULES = REPOSITORY / "docs" / "tools" / "README.md"
_PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
_LONG = {"docs/create.md", "docs/doctor.md", "docs/learn.md", "docs/update.md"}
"""Pages of commands that make and check projects, many seconds of them, which have quick tests of their own."""
_WITH_BLOCKS = [page for page in _PAGES if page != _RULES and blocks(page.read_text("utf-8"))]


def _case(page: Path) -> ParameterSet:
    name = page.relative_to(REPOSITORY).as_posix()
    return pytest.param(page, id=name, marks=[pytest.mark.slow] if name in _LONG else [])


@pytest.mark.timeout(400)
@pytest.mark.parametrize("page", [_case(page) for page in _WITH_BLOCKS])
def test_the_examples_of_a_page_are_true(page: Path, free_port: int) -> None:
    name = page.relative_to(REPOSITORY).as_posix()
    found = blocks(page.read_text("utf-8"))
    with Page(name, Path.cwd(), free_port) as running:
        for block in found:
            if block.skip is None:
                running.run(block, alone=_is_alone(block, found))
            assert block.skip is None or block.skip.strip(), f"{name}:{block.line}: a skip needs a reason"


def _is_alone(block: Block, page: list[Block]) -> bool:
    """Whether it is a module that no other block of the page runs, imports or serves."""
    if block.title is None or not block.title.endswith(".py"):
        return False
    module = re.compile(rf"\b{re.escape(Path(block.title).stem)}\b")
    return not any(module.search(other.body) for other in page if other is not block)


def _run(tmp_path: Path, block: Block) -> None:
    with Page("page", tmp_path, 1) as page:
        page.run(block)


def _block(language: str, body: str, *, exit_code: int = 0) -> Block:
    return Block(1, language, None, body, None, exit_code)


def test_a_marker_belongs_to_the_block_under_it() -> None:
    page = "<!-- skip: needs a key -->\n```console\n$ x\n```\n\n<!-- exit: 3 -->\n\n```console\n$ y\n```\n"
    assert [(block.skip, block.exit_code) for block in blocks(page)] == [("needs a key", 0), (None, 3)]


@pytest.mark.parametrize("page", ["", "```console\n$ sentient serve a/agent.py\n```\n"])
def test_a_module_that_nothing_else_uses_is_imported(tmp_path: Path, page: str) -> None:
    found = blocks(f'```python title="a/agent.py"\nassert False\n```\n{page}')
    assert _is_alone(found[0], found) == (not page)
    with Page("page", tmp_path, 1) as running:
        if page:
            running.run(found[0])
            return
        with pytest.raises(AssertionError):
            running.run(found[0], alone=True)


def test_settings_and_scripts_must_be_valid(tmp_path: Path) -> None:
    for language, body in (
        ("toml", "[server]\nprot = 1\n"),
        ("toml", "[llm.retry]\nattempts = 0\n"),
        ("toml", "[[rule]]\nmatch = 1\n"),
        ("json", '{"rule": [{"answers": "a"}]}'),
    ):
        with pytest.raises((AssertionError, ConfigError)):
            _run(tmp_path, _block(language, body))
    _run(tmp_path, _block("toml", "[server]\nprot = 1\n", exit_code=3))
    _run(tmp_path, _block("toml", "[server]\nport = 1\n"))
    with pytest.raises(AssertionError):
        _run(tmp_path, _block("toml", "[server]\nport = 1\n", exit_code=3))


def test_a_titled_block_is_a_file(tmp_path: Path) -> None:
    (block,) = blocks('```python title="a/agent.py"\nX = 1\n```\n')
    _run(tmp_path, block)
    assert (tmp_path / "a" / "agent.py").read_text("utf-8") == "X = 1\n"


@pytest.mark.parametrize(
    ("language", "body"),
    [
        ("python", "assert 1 == 2"),
        ("pycon", ">>> 1 + 1\n3\n"),
        ("console", "$ echo a\nb\n"),
        ("console", "$ false\n"),
        ("console", "echo a\n"),
        ("console", "$ echo no &\nyes\n"),
        ("bash", "echo a\n"),
        ("", "what is this\n"),
    ],
)
def test_an_untrue_block_fails(tmp_path: Path, language: str, body: str) -> None:
    with pytest.raises(AssertionError):
        _run(tmp_path, _block(language, body))


def test_a_true_console_block_passes(tmp_path: Path) -> None:
    body = "$ printf 'a\\n1\\n2\\nz 42\\n'\na\n...\nz …\n$ cat &\n$ sh -c 'exit 3'\n"
    _run(tmp_path, _block("console", body, exit_code=3))


def test_commands_go_on_after_a_backslash() -> None:
    (command,) = commands("$ echo \\\n  a\na\n")
    assert (command.line, command.expected) == ("echo \\\n  a", "a\n")


def test_a_pattern_is_literal_but_for_its_ellipses() -> None:
    assert pattern("a.b\n").fullmatch("axb\n") is None
