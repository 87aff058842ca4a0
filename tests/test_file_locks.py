"""A lock is held by whoever took it, and by no child that was forked meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from sentient_cli.audit.lock import locked as audit_locked
from sentient_cli.credentials.files import locked as files_locked
from sentient_cli.credentials.stores.locks import locked as stores_locked
from sentient_cli.file_locks import give_back, hold, let_go, take
from tests.credentials.places import ended, forked

Lock = Callable[[Path], AbstractContextManager[object]]


def _audit(path: Path) -> AbstractContextManager[object]:
    return audit_locked(path, partial(os.open, path, os.O_RDWR | os.O_CREAT, 0o600), 5.0)


@pytest.mark.parametrize(
    "lock", [_audit, files_locked, partial(stores_locked, patience=5.0)], ids=["audit", "files", "stores"]
)
def test_a_child_that_is_forked_meanwhile_keeps_no_lock(lock: Lock, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir(mode=0o700)
    reader, writer = os.pipe()

    def wait() -> None:
        os.close(writer)
        os.read(reader, 1)

    with lock(folder / "file"):
        child = forked(wait)
    with lock(folder / "file"):
        assert Path(f"/proc/{child}").exists() or os.name != "posix"
    os.close(writer)
    assert ended(child) == 0
    os.close(reader)


def test_a_lock_is_taken_once_and_given_back(tmp_path: Path) -> None:
    path = tmp_path / "file"
    one, two = (hold(os.open(path, os.O_RDWR | os.O_CREAT, 0o600)) for _ in range(2))
    assert (take(one), take(two)) == (True, False)
    give_back(one)
    assert take(two)
    let_go(two)
    assert take(one)
    let_go(one)
