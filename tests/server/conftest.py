"""The server that the tests of a module share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.served import Served, serve

QUICK = {
    "SENTIENT_SERVER_DRAIN_DELAY": "0",
    "SENTIENT_SERVER_DISCONNECT_GRACE": "0",
    "SENTIENT_SERVER_BODY_LIMIT": str(32 * 1024 * 1024),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of the shared server."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Served]:
    """A server with short times, and the agent of many behaviours."""
    with serve(home, env=QUICK) as served:
        yield served
