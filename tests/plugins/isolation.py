"""Each test has its own home, its own working directory and a bare environment; hypothesis has fixed profiles."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest
from hypothesis.database import DirectoryBasedExampleDatabase

REPOSITORY = Path(__file__).resolve().parents[2]
_REMOVED_PREFIXES = ("SENTIENT_", "XDG_", "OPENAI_", "ANTHROPIC_", "OTEL_")
_REMOVED_SUFFIXES = ("_API_KEY", "_PROXY", "_proxy")
_REMOVED = frozenset(
    {"NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES", "COLORTERM", "PYTHONPATH", "CI"}
    | {"LC_ALL", "LC_CTYPE", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"}
)

_database = DirectoryBasedExampleDatabase(REPOSITORY / ".cache" / "hypothesis")
hypothesis.settings.register_profile("default", max_examples=50, deadline=None, database=_database)
hypothesis.settings.register_profile("thorough", max_examples=1000, deadline=None, database=_database)


def pytest_configure() -> None:
    """Load the hypothesis profile that ``make`` asked for."""
    hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def _is_removed(name: str) -> bool:
    return name in _REMOVED or name.startswith(_REMOVED_PREFIXES) or name.endswith(_REMOVED_SUFFIXES)


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A home and a working directory of the test's own, and none of the machine's settings.

    What starts with ``COVERAGE_`` stays: started processes are measured too.
    """
    for name in [name for name in os.environ if _is_removed(name)]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    for name, folder in (
        ("XDG_CONFIG_HOME", ".config"),
        ("XDG_CACHE_HOME", ".cache"),
        ("XDG_DATA_HOME", ".local/share"),
        ("XDG_STATE_HOME", ".local/state"),
        ("XDG_RUNTIME_DIR", ".run"),
    ):
        monkeypatch.setenv(name, str(home / folder))
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("TERM", "xterm-256color")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture
def unmeasured(isolated: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Started processes are not measured: for tests of what a program imports or of the CPU time it takes."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    monkeypatch.delenv("COVERAGE_PROCESS_START", raising=False)
