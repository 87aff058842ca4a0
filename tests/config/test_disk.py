"""Files of settings are replaced as a whole, by one process at a time."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sentient_cli.config.disk import locked, replace
from sentient_cli.errors import ConfigError

_HOLD = (
    "import fcntl, sys; file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX);"
    "print('held', flush=True); sys.stdin.read()"
)


@pytest.fixture(name="folder")
def _folder() -> Path:
    return Path.cwd()


def test_others_wait_and_give_up_in_the_end(folder: Path) -> None:
    lock = folder / "lock"
    command = [sys.executable, "-c", _HOLD, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ConfigError, match="changed by somebody else"), locked(lock, patience=0.02):
            pass
        holder.stdin.close()
        with locked(lock):
            pass


def test_one_thread_at_a_time_and_once_more_is_the_same(folder: Path) -> None:
    seen: list[int] = []

    def work(number: int) -> None:
        with locked(folder / "lock"), locked(folder / "lock"):
            seen.append(number)
            seen.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen[::2] == seen[1::2]


def test_what_was_killed_is_cleared_away_later(folder: Path) -> None:
    file = folder / "a.toml"
    old, new, other = (folder / name for name in (".a.toml.0123456789ab", ".a.toml.ba9876543210", ".a.toml.mine"))
    for path in (old, new, other):
        path.write_text("x")
    os.utime(old, (1, 1))
    os.utime(other, (1, 1))
    replace(file, b"y")
    assert sorted(folder.iterdir()) == sorted([file, new, other])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_cannot_be_written_is_told(folder: Path) -> None:
    (folder / "full").mkdir()
    (folder / "full" / "in it").write_text("x")
    for path in (folder / "full", Path("/proc/nowhere/a")):
        with pytest.raises(ConfigError, match="cannot be written"):
            replace(path, b"x")
    ring = folder / "ring"
    ring.symlink_to(ring)
    with pytest.raises(ConfigError, match="cannot be written"):
        replace(ring, b"x")
    assert sorted(path.name for path in folder.iterdir()) == ["full", "ring"]
