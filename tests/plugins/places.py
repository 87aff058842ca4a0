"""Ports, and environments of their own that tests install from the wheelhouse."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from tests.plugins.isolation import REPOSITORY

WHEELHOUSE = REPOSITORY / ".wheelhouse"
_CACHE = REPOSITORY / ".cache"
_REFERENCE_LOCK = REPOSITORY / ".ci" / "lock" / "reference.txt"


# Below what systems give to those that ask for any port, and each worker of the suite has its own: nobody else takes
# one between the moment it is found and the moment it is used.
_PORTS_EACH = 500
_first = 20_000 + _PORTS_EACH * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw") or 0)
_next_port = itertools.cycle(range(_first, _first + _PORTS_EACH))


@pytest.fixture
def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, and that nobody is given by chance."""
    return find_port()


def find_port() -> int:
    """The same for a fixture of several tests."""
    for port in itertools.islice(_next_port, _PORTS_EACH):
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError(f"no port from {_first} is free")


@pytest.fixture(scope="session")
def wheelhouse() -> Path:
    """The folder of wheels that ``make setup`` fills; installs in tests use nothing else."""
    if not (WHEELHOUSE / ".stamp").exists():
        pytest.fail("the wheelhouse is not filled: run `make setup`")
    return WHEELHOUSE


def make_environment(folder: Path, *requirements: str) -> Path:
    """Create a virtual environment from the wheelhouse alone and return its Python.

    Raises:
        subprocess.CalledProcessError: a requirement is not in the wheelhouse; its output says which.
    """
    python = folder / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    pip = [sys.executable, "-m", "pip", "--isolated", "--python", str(python), "install", "--quiet"]
    offline = ["--no-index", "--find-links", str(WHEELHOUSE), "--no-cache-dir"]
    subprocess.run([*pip, *offline, *requirements], check=True)
    return python


@pytest.fixture(scope="session")
def reference_python(wheelhouse: Path) -> Path:
    """The Python of an environment with the reference framework 0.3.0, made once and shared by all test processes."""
    digest = hashlib.sha256(_REFERENCE_LOCK.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = _CACHE / f"reference-{digest}"
    ready = folder / ".ready"
    _CACHE.mkdir(exist_ok=True)
    with FileLock(_CACHE / "reference.lock"):
        if not ready.exists():
            shutil.rmtree(folder, ignore_errors=True)
            make_environment(folder, "--require-hashes", "-r", str(_REFERENCE_LOCK))
            ready.touch()
    return folder / "bin" / "python"
