"""Each test has its own home, its own working directory and a bare environment; hypothesis has fixed profiles."""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path

import hypothesis
import pytest
from hypothesis.database import DirectoryBasedExampleDatabase

from tests.plugins.measuring import REPOSITORY, data_file, is_repetition
from tests.support.prefork import MEASURED, MEASURED_IF_FORKED

__all__ = ["REPOSITORY", "data_file"]

_REMOVED_PREFIXES = ("SENTIENT_", "XDG_", "OPENAI_", "ANTHROPIC_", "OTEL_", "AWS_", "AZURE_", "BAO_", "VAULT_")
_REMOVED_SUFFIXES = ("_API_KEY", "_PROXY", "_proxy")
_REMOVED = frozenset(
    {"NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES", "COLORTERM", "PYTHONPATH", "CI"}
    | {"LC_ALL", "LC_CTYPE", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"}
)

_numbers = itertools.count()
_database = DirectoryBasedExampleDatabase(REPOSITORY / ".cache" / "hypothesis")
hypothesis.settings.register_profile("default", max_examples=30, deadline=None, database=_database)
hypothesis.settings.register_profile("thorough", max_examples=500, deadline=None, database=_database)


def pytest_configure() -> None:
    """Load the hypothesis profile that ``make`` asked for."""
    hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def _is_removed(name: str) -> bool:
    return name in _REMOVED or name.startswith(_REMOVED_PREFIXES) or name.endswith(_REMOVED_SUFFIXES)


def _is_measured(test: pytest.Item) -> bool:
    """Whether the programs that a test starts are measured: of a test with several cases those of the first."""
    if not test.path.is_relative_to(REPOSITORY / "tests"):
        return False
    callspec = getattr(test, "callspec", None)
    indices: dict[str, int] = getattr(callspec, "indices", {})
    return not is_repetition(test) and not any(indices.values())


def _stop_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (MEASURED, MEASURED_IF_FORKED):
        monkeypatch.delenv(name, raising=False)


def _measure_what_is_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    file = data_file()
    _stop_measuring(monkeypatch)
    if file is not None:
        monkeypatch.setenv(MEASURED_IF_FORKED, file)


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the test's own. That of pytest looks at those of all tests before it, to find its number."""
    name: str = request.node.name
    folder = tmp_path_factory.getbasetemp() / f"{re.sub(r'[^A-Za-z0-9_]', '_', name)[:30]}{next(_numbers)}"
    folder.mkdir(0o700)
    return folder


@pytest.fixture(autouse=True)
def isolated(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A home and a working directory of the test's own, and none of the machine's settings.

    Commands that a test forks are measured too, but for repetitions, and nothing that they start; a server that a
    module shares is measured with all that it starts.
    """
    item: pytest.Item = request.node
    if item.get_closest_marker("measured") is None:
        (_measure_what_is_forked if _is_measured(item) else _stop_measuring)(monkeypatch)
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
    """Nothing is measured, here or in started processes: for tests of imports, of CPU time, of a full disk, of much."""
    _stop_measuring(monkeypatch)
