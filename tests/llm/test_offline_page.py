from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from sentient_cli.llm.offline import load_script
from sentient_cli.llm.offline.script import FailureKind, Rule, Script

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture
def page(repository: Path) -> str:
    return (repository / "docs" / "offline-model.md").read_text(encoding="utf-8")


def _blocks(page: str, language: str) -> list[str]:
    return [found[2] for found in _BLOCK.finditer(page) if found[1] == language]


@pytest.mark.parametrize("language", ["toml", "json"])
def test_the_scripts_on_the_page_load(page: str, language: str, tmp_path: Path) -> None:
    blocks = _blocks(page, language)
    assert blocks
    for number, block in enumerate(blocks):
        path = tmp_path / f"{number}.{language}"
        path.write_text(block, encoding="utf-8")
        assert load_script(path).rule


def test_the_programs_on_the_page_run(page: str) -> None:
    blocks = _blocks(page, "python")
    assert len(blocks) == 4
    names: dict[str, object] = {"__name__": "__main__"}  # the last one goes on from those before
    for block in blocks:
        exec(compile(block, "offline-model.md", "exec"), names)  # noqa: S102 - that is the test


def test_the_page_names_everything(page: str) -> None:
    for name in (*Script.__struct_fields__, *Rule.__struct_fields__, *get_args(FailureKind)):
        assert f"| `{name}` |" in page
