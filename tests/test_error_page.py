"""Every error code has its place in the documentation, with its exit code."""

from __future__ import annotations

import pytest

from sentient_cli import errors
from tests.plugins.isolation import REPOSITORY

PAGE = (REPOSITORY / "docs" / "errors.md").read_text("utf-8")
KINDS: list[type[errors.SentientError]] = [getattr(errors, name) for name in errors.__all__]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_every_code_has_its_place(kind: type[errors.SentientError]) -> None:
    assert f"### {kind.code}\n\n`{kind.__name__}`, exit code {kind.exit_code}." in PAGE
    assert f"{kind.__name__} " in (errors.__doc__ or "")


def test_no_code_stands_for_two_errors() -> None:
    codes = [kind.code for kind in KINDS]
    assert len(codes) == len(set(codes))
    assert PAGE.count("\n### ") == len(codes)
