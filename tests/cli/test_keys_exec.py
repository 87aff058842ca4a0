"""`sentient keys exec`: a program gets keys under the right names, and nobody sees them in what it writes."""

from __future__ import annotations

import fcntl
import os
import select
import shlex
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pexpect
import pytest

from sentient_cli import paths
from tests.cli.keys_kit import KEY, OTHER, THIRD, at_a_terminal, use_quick_store
from tests.cli.processes import Sentient
from tests.dev.developing import wait_until
from tests.plugins.isolation import REPOSITORY
from tests.support import commands

_PIPE = 65536
"""Bytes that a pipe takes."""
_SPLIT = """
import os, sys, time
key = os.environ["OPENAI_API_KEY"].encode()
for byte in b"<" + key + b">" + key[:10] + b"!":
    os.write(1, bytes([byte]))
os.write(2, key[:20]); time.sleep(float(sys.argv[1])); os.write(2, key[20:] + b"\\n")
"""
_PRINT = "import os; print({name: value for name, value in os.environ.items() if 'KEY' in name or 'PASS' in name})"


@pytest.fixture(autouse=True)
def stored(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_store(monkeypatch, openai=KEY, anthropic=THIRD)


def _exec(sentient: Sentient, *arguments: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    sentient("keys", "list", "--rebuild")
    return sentient("keys", "exec", *arguments, stdin=stdin, env=env)


@pytest.mark.story("6.1")
def test_keys_are_in_the_variables_of_their_providers_and_masked(sentient: Sentient) -> None:
    script = (
        'echo "$OPENAI_API_KEY $ANTHROPIC_API_KEY"; echo "$OPENAI_API_KEY" | base64 >&2; printf %s "$1"; cat; exit 7'
    )
    done = _exec(sentient, "--", "sh", "-c", script, "sh", "-x --json", stdin="from stdin")
    assert done.returncode == 7
    assert done.stdout == "[redacted] [redacted]\n-x --jsonfrom stdin"
    assert done.stderr.startswith("[redacted]")
    length = _exec(sentient, "--", "sh", "-c", "printf %s ${#OPENAI_API_KEY}")
    assert (length.stdout, length.stderr) == (str(len(KEY)), "")


@pytest.mark.story("6.1")
@pytest.mark.parametrize("seconds", ["0", "0.2"])
def test_keys_in_pieces_are_masked(sentient: Sentient, seconds: str) -> None:
    done = _exec(sentient, "--", sys.executable, "-c", _SPLIT, seconds)
    assert done.stdout == f"<[redacted]>{KEY[:10]}!"
    assert done.stderr == "[redacted]\n"


@pytest.mark.story("6.1")
def test_only_what_was_chosen_is_given(sentient: Sentient) -> None:
    given = {"GROQ_API_KEY": OTHER, "MY_KEY": "something else"}
    names = ("--", sys.executable, "-c", _PRINT)
    both = _exec(sentient, *names, **given).stdout
    assert all(f"'{name}'" in both for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GROQ_API_KEY", "MY_KEY"))
    one = _exec(sentient, "--only", "openai", *names, **given).stdout
    assert "'OPENAI_API_KEY': '[redacted]'" in one
    assert "'MY_KEY'" in one
    for name in ("ANTHROPIC_API_KEY", "GROQ_API_KEY", "KEYS_PASSPHRASE"):
        assert f"'{name}':" not in one
    assert "'KEYS_PASSPHRASE':" not in both
    assert _exec(sentient, "--only", "groq", "--", "true").returncode == 3
    assert _exec(sentient, "--profile", "none", "--", "true").returncode == 3


@pytest.mark.story("6.1")
def test_programs_that_cannot_be_run(sentient: Sentient) -> None:
    Path("script").write_text("echo")
    assert _exec(sentient, "--", "no-such-program").returncode == 127
    assert _exec(sentient, "--", "./script").returncode == 126
    nothing = _exec(sentient)
    assert (nothing.returncode, "keys exec -- CMD" in nothing.stderr) == (2, True)


@pytest.mark.story("6.1")
def test_a_program_that_a_signal_ends(sentient: Sentient) -> None:
    assert _exec(sentient, "--", "sh", "-c", "kill -KILL $$").returncode == 128 + signal.SIGKILL


@pytest.mark.story("6.1")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1], ids=lambda each: each.name)
def test_signals_are_handed_on(sentient: Sentient, number: signal.Signals) -> None:
    sentient("keys", "list", "--rebuild")
    name = number.name.removeprefix("SIG")
    script = f"trap 'echo got it; exit 9' {name}; echo ready; while :; do sleep 0.02; done"
    process, stdout = commands.start_reading(
        "keys", "exec", "--", "sh", "-c", script, directory=Path.cwd(), environment=os.environ
    )
    with stdout:
        assert stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert stdout.read() == b"got it\n"
    assert process.wait(60) == 9


@pytest.mark.story("6.1")
def test_a_reader_that_leaves_ends_the_program(sentient: Sentient) -> None:
    sentient("keys", "list", "--rebuild")
    process, stdout = commands.start_reading("keys", "exec", "--", "yes", directory=Path.cwd(), environment=os.environ)
    assert stdout.read(2) == b"y\n"
    stdout.close()
    assert process.wait(60) == 128 + signal.SIGPIPE


@pytest.mark.story("6.1")
def test_output_of_any_bytes_and_any_length_is_whole(sentient: Sentient) -> None:
    script = "import os; [os.write(1, bytes(range(256)) * 64) for _ in range(64)]"
    sentient("keys", "list", "--rebuild")
    process, stdout = commands.start_reading(
        "keys", "exec", "--", sys.executable, "-c", script, directory=Path.cwd(), environment=os.environ
    )
    with stdout:
        assert stdout.read() == bytes(range(256)) * 64 * 64
    assert process.wait(60) == 0


@pytest.mark.story("6.1")
def test_at_a_terminal_the_program_has_one_of_its_own(sentient: Sentient) -> None:
    sentient("keys", "list", "--rebuild")
    script = (
        'test -t 0 && test -t 1 && test -t 2 && echo all three; stty size; echo "<$OPENAI_API_KEY>"; read -r line;'
        ' echo "read $line"; trap "stty size; exit 5" INT; echo ready; while :; do sleep 0.02; done'
    )
    with at_a_terminal("keys", "exec", "--", "sh", "-c", script, columns=91, rows=17) as (child, raw):
        child.expect_exact(b"all three\r\n17 91\r\n<[redacted]>\r\n")
        child.sendline(f"typed {KEY}")
        child.expect_exact(b"read typed [redacted]\r\n")
        child.expect_exact(b"ready\r\n")
        child.send(b"\x03")
        child.expect_exact(b"17 91\r\n")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 5
    assert KEY.encode() not in raw.getvalue().replace(f"typed {KEY}".encode(), b"", 1)


@pytest.mark.slow
@pytest.mark.story("6.1")
def test_the_size_of_the_terminal_is_handed_on_and_its_modes_come_back(sentient: Sentient) -> None:
    sentient("keys", "list", "--rebuild")
    inner = "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.02; done"
    program = shlex.join([sys.executable, "-m", "sentient_cli", "keys", "exec", "--", "sh", "-c", inner])
    child: pexpect.spawn[bytes] = pexpect.spawn(
        "sh",
        ["-c", f"stty -a >before; {program}; stty -a >after"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        dimensions=(24, 80),
        timeout=120,
    )
    child.expect_exact(b"ready\r\n")
    child.setwinsize(30, 111)  # pyright: ignore[reportUnknownMemberType]
    child.expect_exact(b"30 111\r\n")
    child.expect(pexpect.EOF)
    child.close()
    before, after = (Path(name).read_text().partition(";")[2].split() for name in ("before", "after"))
    assert [word for word in before if word not in {"24;", "80;"}] == [
        word for word in after if word not in {"30;", "111;"}
    ]


def _waiting_in(pipe: int) -> int:
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4), sys.byteorder)


@pytest.mark.story("6.1")
def test_how_it_ended_is_known_where_nobody_wanted_to_know_of_children(sentient: Sentient) -> None:
    sentient("keys", "list", "--rebuild")
    prelude = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)"
    done = commands.run("keys", "exec", "--", "sh", "-c", "exit 5", prelude=prelude)
    assert done.returncode == 5, done.stderr


@pytest.mark.story("6.1")
def test_a_disk_that_is_full_is_told_and_not_taken_for_a_program_that_cannot_be_run(sentient: Sentient) -> None:
    sentient("keys", "list", "--rebuild")
    with Path("/dev/full").open("wb") as full:
        process = subprocess.run(
            [sys.executable, "-m", "sentient_cli", "keys", "exec", "--", "echo", "much"],
            stdout=full,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            check=False,
        )
    assert (process.returncode, b"No space left on device" in process.stderr) == (1, True)
    assert b"cannot be run" not in process.stderr


@pytest.mark.story("6.1")
def test_a_signal_gets_through_while_nobody_reads(sentient: Sentient) -> None:
    sentient("keys", "list", "--rebuild")
    process, stdout = commands.start_reading("keys", "exec", "--", "yes", directory=Path.cwd(), environment=os.environ)
    with stdout:
        assert stdout.read(2) == b"y\n"
        wait_until(lambda: _waiting_in(stdout.fileno()) > _PIPE - 2 * select.PIPE_BUF, "the pipe is not full")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM


_LAST_WORDS = """
import os, signal
def end(number, frame):
    os.write(2, b"late")
    os._exit(3)
signal.signal(signal.SIGTERM, end)
while True:
    os.write(1, b"y" * 4096)
"""


def test_last_words_that_nobody_reads_hold_nobody_up(sentient: Sentient) -> None:
    sentient("keys", "list", "--rebuild")
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "sentient_cli", "keys", "exec", "--", sys.executable, "-c", _LAST_WORDS]
    process = subprocess.Popen(command, stdout=writing, stderr=writing, stdin=subprocess.DEVNULL)
    try:
        os.close(writing)
        wait_until(lambda: _waiting_in(reading) >= _PIPE - select.PIPE_BUF, "the pipe is not full")
        process.terminate()
        assert process.wait(60) == 3
    finally:
        process.kill()
        process.wait()
        os.close(reading)


@pytest.mark.story("6.1")
def test_a_window_that_is_closed_is_no_crash(sentient: Sentient) -> None:
    sentient("keys", "list", "--rebuild")
    with at_a_terminal("keys", "exec", "--", "sh", "-c", "echo ready; read -r line") as (child, _):
        child.expect_exact(b"ready\r\n")
        child.close(force=False)
        assert child.exitstatus == 128 + signal.SIGHUP
    assert not list((paths.state_dir() / "crashes").glob("*"))


@pytest.mark.slow
@pytest.mark.story("6.1")
def test_behind_a_shell_that_has_the_terminal_it_goes_on(sentient: Sentient) -> None:
    sentient("keys", "list", "--rebuild")
    program = shlex.join([sys.executable, "-m", "sentient_cli", "keys", "exec", "--", "sh", "-c", "echo do''ne"])
    shell: pexpect.spawn[bytes] = pexpect.spawn(
        "bash", ["--norc", "-i"], env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, timeout=120
    )
    try:
        shell.sendline(f"{program} &")
        shell.expect_exact(b"done\r\n")
    finally:
        shell.close(force=True)
