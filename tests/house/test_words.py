"""The project speaks of itself only, and names no place but its own."""

from __future__ import annotations

import re

import pytest

from tests.house.sources import tracked
from tests.plugins.isolation import REPOSITORY

# Joined here so that this file does not hold them.
_FORBIDDEN = [
    "pypi" + ".org",
    "python" + "hosted",
    "registry." + "npmjs",
    "deb." + "debian",
    "/work" + "/",
    "/opt" + "/pypi",
    "/opt" + "/wheels",
    "issue" + " #",
    "issues" + " show",
]
_ALLOWED_TOP = {
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "bench",
    "docs",
    "pyproject.toml",
    "sentient_cli",
    "templates",
    "tests",
}
_LOCKS = ["runtime", "dev", "build", "reference", "oldest", "templates", "templates-lowest"]


def test_no_foreign_place_is_named() -> None:
    pattern = re.compile("|".join(map(re.escape, _FORBIDDEN)), re.IGNORECASE)
    found = [
        f"{file.relative_to(REPOSITORY)}:{number}: {match[0]}"
        for file in tracked()
        for number, line in enumerate(file.read_text("utf-8", errors="replace").splitlines(), 1)
        if (match := pattern.search(line))
    ]
    assert found == []


def test_the_top_level_is_what_it_should_be() -> None:
    assert {file.relative_to(REPOSITORY).parts[0] for file in tracked()} - _ALLOWED_TOP == set()


@pytest.mark.parametrize("name", _LOCKS)
def test_a_lock_has_versions_and_hashes_and_no_place(name: str) -> None:
    text = (REPOSITORY / ".ci" / "lock" / f"{name}.txt").read_text("utf-8")
    lines = [line.strip().removesuffix(" \\") for line in text.splitlines() if line.strip()]
    version = re.compile(r"[a-z0-9-]+(\[[a-z,]+\])?==[0-9][\w.+]*( ; [\w\s.'<>=!()]+)?")
    digest = re.compile(r"--hash=sha256:[0-9a-f]{64}")
    assert [line for line in lines if not (version.fullmatch(line) or digest.fullmatch(line))] == []
    assert any(digest.fullmatch(line) for line in lines)
