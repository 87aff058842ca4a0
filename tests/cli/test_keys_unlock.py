"""A passphrase that is kept for a while: by a process of this user, in memory, for this user alone."""

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from sentient_cli import paths
from sentient_cli.credentials.agent.client import socket_path
from sentient_cli.credentials.agent.keeper import MOST, Passphrases
from sentient_cli.credentials.agent.messages import Order
from sentient_cli.credentials.agent.peers import named
from tests.cli.keys_kit import KEY, PASSPHRASE, at_a_terminal, quick_store
from tests.credentials.canary_kit import command_lines
from tests.dev.developing import wait_until
from tests.support import commands

_NONE: dict[str, str] = {"SENTIENT_CREDENTIALS_PASSPHRASE_ENV": "", "KEYS_PASSPHRASE": ""}


@pytest.fixture(autouse=True)
def stored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SENTIENT_CREDENTIALS_STORES", "encrypted")
    quick_store(openai=KEY)
    yield
    _run("lock")


def _run(*arguments: str, code: int = 0, stdin: str = "", **environment: str) -> str:
    done = commands.run("keys", *arguments, stdin=stdin.encode(), environment={**os.environ, **environment})
    assert done.returncode == code, done.stderr
    return (done.stdout + done.stderr).decode()


def _words(text: str = PASSPHRASE) -> str:
    path = Path("words")
    path.write_text(text)
    path.chmod(0o600)
    return "words"


def _agents() -> list[int]:
    """The processes that keep passphrases for this test."""
    mine = str(socket_path()).encode()
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mine in entry.read_bytes():
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.story("6.2")
def test_it_is_asked_for_once() -> None:
    assert "passphrase" in _run("show", "openai", code=2)
    with at_a_terminal("keys", "unlock", "--for", "5m", columns=200, rows=24, **_NONE) as (child, raw):
        child.expect_exact(b"Passphrase of the encrypted file (not shown): ")
        child.sendline(PASSPHRASE)
        child.expect_exact(b"is kept for 5m")
        child.expect(pexpect.EOF)
    assert PASSPHRASE.encode() not in raw.getvalue()
    assert "sk-…ABCD" in _run("show", "openai")
    _run("set", "groq", stdin=KEY)
    assert _run("exec", "--only", "groq", "--", "sh", "-c", 'test -n "$GROQ_API_KEY" && env').count(PASSPHRASE) == 0
    assert PASSPHRASE.encode() not in command_lines()
    status = socket_path().lstat()
    assert (stat.S_ISSOCK(status.st_mode), stat.S_IMODE(status.st_mode)) == (True, 0o600)
    assert stat.S_IMODE(socket_path().parent.stat().st_mode) == 0o700
    assert len(_agents()) == 1
    assert not any(PASSPHRASE.encode() in path.read_bytes() for path in Path.home().rglob("*") if path.is_file())
    assert json.loads(_run("lock", "--json")) == {"forgotten": 1}
    assert "passphrase" in _run("show", "openai", code=2)
    wait_until(lambda: not _agents() and not socket_path().exists(), "the process ends with the last passphrase")
    assert "No passphrase was kept" in _run("lock")


@pytest.mark.slow
@pytest.mark.story("6.2")
def test_it_is_forgotten_when_its_time_is_over() -> None:
    assert json.loads(_run("unlock", "--for", "2s", "--passphrase-file", _words(), "--json"))["seconds"] == 2
    (agent,) = _agents()
    wait_until(lambda: not Path(f"/proc/{agent}").exists() or not _agents(), "its time is over")
    assert not socket_path().exists()
    assert "passphrase" in _run("show", "openai", code=2)


@pytest.mark.story("6.2")
def test_what_is_wrong_is_not_kept() -> None:
    assert "is wrong" in _run("unlock", "--passphrase-file", _words("some other words"), code=3)
    for length in ("0", "25h", "soon"):
        _run("unlock", "--for", length, "--passphrase-file", _words(), code=2)
    assert "There is no encrypted file yet" in _run(
        "unlock", "--passphrase-file", _words(), code=2, SENTIENT_CREDENTIALS_ENCRYPTED_FILE="elsewhere"
    )
    _run("unlock", "--passphrase-file", _words(), code=2, SENTIENT_CREDENTIALS_STORES="keyring")
    assert _agents() == []


@pytest.mark.story("6.2")
def test_one_that_was_killed_is_replaced_and_nonsense_does_not_end_one() -> None:
    _run("unlock", "--passphrase-file", _words())
    (agent,) = _agents()
    for said in (b"", b"\xff\n", b'{"do":"steal"}\n', b"x" * 100_000, b'{"do":"keep","file":"","passphrase":"x"}\n'):
        with socket.socket(socket.AF_UNIX) as connection:
            with named(socket_path()) as name:
                connection.connect(name)
            try:
                connection.sendall(said)
                connection.shutdown(socket.SHUT_WR)
                assert PASSPHRASE.encode() not in connection.recv(100_000)
            except (BrokenPipeError, ConnectionResetError):
                continue
    assert "sk-…ABCD" in _run("show", "openai")
    os.kill(agent, 9)
    wait_until(lambda: not _agents(), "it is gone")
    assert "passphrase" in _run("show", "openai", code=2)
    _run("unlock", "--passphrase-file", _words())
    assert "sk-…ABCD" in _run("show", "openai")


@pytest.mark.story("6.2")
def test_a_socket_that_others_could_have_put_there_is_not_asked() -> None:
    folder = socket_path().parent
    for each in reversed([folder, *folder.parents]):
        each.mkdir(mode=0o700, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        with named(socket_path()) as name:
            listener.bind(name)
        listener.listen()
        folder.chmod(0o777)
        assert "passphrase" in _run("show", "openai", code=2)
        assert "is open to others" in _run("unlock", "--passphrase-file", _words(), code=3)
        listener.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listener.accept()
    folder.chmod(0o700)
    socket_path().unlink()


@pytest.mark.story("6.2")
def test_the_memory_of_the_process_is_closed_to_others() -> None:
    _run("unlock", "--passphrase-file", _words())
    (agent,) = _agents()
    assert "0" in Path(f"/proc/{agent}/coredump_filter").read_text() or os.geteuid() == 0
    limits = Path(f"/proc/{agent}/limits").read_text() if os.geteuid() == 0 else "Max core file size 0"
    assert any(line.split()[:5] == ["Max", "core", "file", "size", "0"] for line in limits.splitlines())
    assert paths.runtime_dir() in socket_path().parents


def test_what_is_kept_is_bounded_and_each_has_its_own_time() -> None:
    kept = Passphrases()
    for number in range(MOST + 3):
        reply = kept.answer(Order("keep", f"/file{number}", f"words {number}", 10.0 + number), now=0.0)
        assert (reply.ok, reply.kept) == (number < MOST, min(number + 1, MOST))
    assert kept.answer(Order("keep", "/file0", "other words", 99.0), now=5.0).ok
    assert kept.answer(Order("get", "/file0"), now=50.0).passphrase == "other words"
    assert kept.answer(Order("get", "/file1"), now=50.0).passphrase == ""
    assert kept.next_end() == 104.0
    assert "words" not in repr(kept.answer(Order("get", "/file0"), now=50.0)) + repr(Order("keep", "/f", "words"))
    assert kept.answer(Order("forget"), now=50.0).kept == 1
    assert kept.next_end() is None


def _without_runtime_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for name, value in _NONE.items():
        monkeypatch.setenv(name, value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders to others")
@pytest.mark.story("6.2")
def test_who_takes_the_place_of_the_runtime_directory_is_in_nobodys_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_runtime_directory(tmp_path, monkeypatch)
    taken = tmp_path / f"runtime-{os.geteuid()}"
    taken.mkdir(mode=0o755)
    os.chown(taken, 12345, 12345)
    told = _run("unlock", "--passphrase-file", _words()) + _run("show", "openai")
    assert (paths.state_dir() / "run" / "passphrases").stat().st_mode & 0o777 == 0o700
    told += _run("lock")
    assert "sk-…ABCD" in told
    assert "Warning" not in told
    assert list(taken.iterdir()) == []
    assert commands.run("chat", "--json", "-m", "Hello").returncode in {2, 4}  # it finds no server, and says so


@pytest.mark.story("6.2")
def test_where_the_system_has_no_runtime_directory_nothing_is_said_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_runtime_directory(tmp_path, monkeypatch)
    assert "Warning" not in _run("unlock", "--passphrase-file", _words()) + _run("show", "openai")
    _run("lock")
