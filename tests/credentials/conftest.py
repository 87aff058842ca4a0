"""The Secret Service of these tests."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.credentials.keyrings import missing_programs, running_bus, running_service


@contextlib.contextmanager
def _running(folder: Path) -> Generator[str]:
    missing = missing_programs()
    if missing:
        pytest.skip(f"there is no {' and no '.join(missing)}: install the packages `dbus` and `gnome-keyring`")
    with running_bus(folder) as environment, running_service(environment):
        yield environment["DBUS_SESSION_BUS_ADDRESS"]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a bus with GNOME Keyring on it; without its programs the tests are skipped."""
    with _running(tmp_path_factory.mktemp("bus")) as address:
        yield address


@pytest.fixture
def own_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same for one test alone, which may leave it as it likes."""
    with _running(tmp_path_factory.mktemp("own-bus")) as address:
        yield address
