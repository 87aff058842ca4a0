"""What a machine may lack: without git, a test that needs it is skipped and says so."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from typing import NoReturn

import pytest

_GIT = shutil.which("git")
"""Where git is; looked for before a test has a PATH of its own."""


@pytest.fixture(scope="session")
def needs_git() -> None:
    """For a test that calls git by what it tests."""
    if _GIT is None:
        _skip()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup() -> Generator[None, object, object]:
    """Skip where a fixture cannot be made without git."""
    try:
        return (yield)
    except FileNotFoundError as error:
        _skip_or_raise(error)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """Skip where a test calls git itself."""
    try:
        return (yield)
    except FileNotFoundError as error:
        _skip_or_raise(error)


def _skip_or_raise(error: FileNotFoundError) -> NoReturn:
    if _GIT is None and error.filename == "git":
        _skip()
    raise error


def _skip() -> NoReturn:
    pytest.skip("git is not installed")
