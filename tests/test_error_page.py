"""Every error code has its page in the documentation, with its exit code."""

from __future__ import annotations

import re

import pytest

from sentient_cli import errors
from tests.plugins.isolation import REPOSITORY

INDEX = (REPOSITORY / "docs" / "errors.md").read_text("utf-8")
PAGES = REPOSITORY / "docs" / "errors"
KINDS: list[type[errors.SentientError]] = [getattr(errors, name) for name in errors.__all__]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_every_code_has_its_page(kind: type[errors.SentientError]) -> None:
    page = (PAGES / f"{kind.code}.md").read_text("utf-8")
    assert page.startswith(f"# {kind.code}\n\n`{kind.__name__}`, exit code {kind.exit_code}. ")
    parent = next((each for each in KINDS if each is kind.__base__ and each is not errors.SentientError), None)
    above = f"A kind of [`{parent.code}`]({parent.code}.md). " if parent is not None else ""
    assert page.endswith(f"\n\n{above}[All codes](../errors.md)\n")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_the_index_and_the_drawn_tree_have_every_code(kind: type[errors.SentientError]) -> None:
    assert f"\n| [`{kind.code}`](errors/{kind.code}.md) | `{kind.__name__}` | {kind.exit_code} |\n" in INDEX
    drawn = re.search(
        rf"\b{kind.__name__} +(exit +code|{kind.exit_code} +{kind.code})$", errors.__doc__ or "", re.MULTILINE
    )
    assert drawn is not None


def test_a_page_and_a_row_stand_for_one_code() -> None:
    codes = {kind.code for kind in KINDS}
    assert len(codes) == len(KINDS)
    assert {page.stem for page in PAGES.glob("*.md")} == codes
    assert INDEX.count("](errors/") == len(codes)
