"""What `sentient dev` writes with, reads keys with, and opens pages with."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import pty
import select
import stat
import termios
import threading
import time
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.cli.dev_keys import keys_of, reading_keys
from sentient_cli.cli.dev_open import can_open, open_page, tunnel
from sentient_cli.cli.dev_screen import Item, Looks, Screen, Size, Told
from sentient_cli.cli.dev_text import Pen
from sentient_cli.cli.dev_writer import Writer
from sentient_cli.dev.report import Notice, Output, RunEnded, RunStarted, Stopping


def plain(item: Item, at: datetime) -> str:
    return Screen(Pen("utf-8"), lambda: Size(80, 24), Looks()).paint(item, at)


def run_ended(number: int) -> RunEnded:
    return RunEnded(str(number), 1, f"question {number}", "done", 1, 1.0, 1.0)


@pytest.fixture
def pipe() -> Generator[tuple[int, io.TextIOWrapper]]:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb"), os.fdopen(writer, "w", encoding="utf-8") as stream:
        yield reader, stream


# -- the writer ------------------------------------------------------------------------------------------------------


def test_everything_is_written_in_order_before_the_end() -> None:
    stream = io.StringIO()
    with Writer(stream, plain, clock=lambda: datetime(2026, 1, 1, tzinfo=UTC)) as writer:
        for number in range(100):
            writer.report(run_ended(number))
        writer.tell("And that was it")
    lines = stream.getvalue().splitlines()
    assert [line.split()[3] for line in lines[:100]] == [str(number) for number in range(100)]
    assert lines[100] == "00:00:00  · And that was it"
    writer.report(Stopping(1))  # after the end it goes nowhere


@pytest.mark.slow
def test_a_reader_that_takes_nothing_holds_nobody_up(pipe: tuple[int, io.TextIOWrapper]) -> None:
    reader, stream = pipe
    writer = Writer(stream, plain)
    with writer:
        for number in range(8000):
            writer.report(run_ended(number))
        writer.report(Notice("kept"))
        assert not writer.drain(0.01)
        taken = b""
        while b"lines are left out" not in taken or b"kept" not in taken:
            taken += os.read(reader, 65536)
        assert writer.drain(10)
    assert b"question 0 " in taken


@pytest.mark.slow
def test_a_run_that_was_said_to_begin_is_said_to_end_whatever_is_left_out(pipe: tuple[int, io.TextIOWrapper]) -> None:
    reader, stream = pipe
    painter = Screen(Pen("utf-8"), lambda: Size(80, 24), Looks(live=True)).paint
    with Writer(stream, painter) as writer:
        writer.report(RunStarted("0", 1, "question 0"))
        writer.drain(10)
        while select.select([], [stream], [], 0)[1]:  # until it is stuck
            writer.report(Output(1, "x" * 60, "error"))
        for _ in range(5000):
            writer.report(Output(1, "x" * 60, "error"))
        writer.report(RunStarted("1", 1, "question 1"))
        writer.report(run_ended(1))
        writer.report(run_ended(0))
        taken = b""
        while not writer.drain(0.01) or select.select([reader], [], [], 0)[0]:
            if select.select([reader], [], [], 0.01)[0]:
                taken += os.read(reader, 65536)
    assert b"lines are left out" in taken
    assert b"question 1 " not in taken
    assert b"\xe2\x9c\x93 question 0 " in taken  # as one that has ended


def test_a_reader_that_never_takes_anything_does_not_keep_it_from_ending(pipe: tuple[int, io.TextIOWrapper]) -> None:
    _, stream = pipe
    os.set_blocking(stream.fileno(), False)
    with Writer(stream, plain) as writer:
        for number in range(3000):
            writer.report(run_ended(number))
    assert threading.active_count() >= 1  # the guard of this suite fails when the thread stays


def test_a_reader_that_has_left_is_told_of_once(pipe: tuple[int, io.TextIOWrapper]) -> None:
    reader, stream = pipe
    os.close(os.dup(reader))
    gone: list[bool] = []
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, reader)
    os.close(null)
    with Writer(stream, plain, on_gone=lambda: gone.append(True)) as writer:
        writer.report(Stopping(1))
        assert writer.drain(10)
        writer.report(Stopping(1))
    assert gone == [True]


def test_a_stream_that_was_closed_before_is_nowhere() -> None:
    with Writer(None, plain) as writer:
        writer.report(Stopping(1))
        assert writer.drain()


def test_a_fault_of_the_painter_is_no_secret() -> None:
    def fails(item: Item, at: datetime) -> str:
        raise RuntimeError("a bug")

    writer = Writer(io.StringIO(), fails).__enter__()
    writer.report(Stopping(1))
    assert writer.drain(10)
    with pytest.raises(RuntimeError, match="a bug"):
        writer.close()


# -- keys ------------------------------------------------------------------------------------------------------------


@given(st.binary())
def test_whatever_comes_is_at_most_a_few_keys(data: bytes) -> None:
    keys = keys_of(data)
    assert len(keys) <= 4
    assert all(key == "\n" or (key.isprintable() and key == key.lower()) for key in keys)


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b"rr", ["r", "r"]),
        (b"\x04", ["q"]),
        (b"\x0c", ["c"]),
        (b"\r", ["\n"]),
        (b"\x1b", []),
        (b"\x1b[1;5D", []),
        (b"\x1bq", []),
        (b"\x1b[200~q\x1b[201~", ["q"]),
        ("é".encode(), []),
    ],
)
def test_keys_are_told_from_what_is_none(data: bytes, keys: list[str]) -> None:
    assert keys_of(data) == keys


class NoJob:
    def leave(self) -> None:
        raise AssertionError("nobody stops this")

    def resume(self) -> None:
        raise AssertionError("nobody stops this")


async def test_a_terminal_is_as_it_was_whatever_happens() -> None:
    master, slave = pty.openpty()
    try:
        before = termios.tcgetattr(slave)
        pressed: asyncio.Queue[str] = asyncio.Queue()
        with contextlib.suppress(KeyError), reading_keys(slave, pressed.put_nowait, NoJob()):
            assert not termios.tcgetattr(slave)[3] & (termios.ECHO | termios.ICANON)
            os.write(master, b"R")
            assert await asyncio.wait_for(pressed.get(), 10) == "r"
            os.write(master, b"q")
            assert await asyncio.wait_for(pressed.get(), 10) == "q"
            raise KeyError
        assert termios.tcgetattr(slave) == before
    finally:
        os.close(slave)
        os.close(master)


async def test_a_terminal_that_goes_away_gives_no_more_keys() -> None:
    master, slave = pty.openpty()
    with reading_keys(slave, lambda key: None, NoJob()):
        os.close(master)
        await asyncio.sleep(0)
        for _ in range(50):
            await asyncio.sleep(0)
    os.close(slave)


async def test_what_is_no_terminal_is_left_alone() -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    with reading_keys(nothing, lambda key: None, NoJob()):
        await asyncio.sleep(0)
    os.close(nothing)


# -- the browser -----------------------------------------------------------------------------------------------------


def test_a_page_is_opened_by_the_browser_that_the_user_names(monkeypatch: pytest.MonkeyPatch) -> None:
    browser = Path("browser").absolute()
    browser.write_text('#!/bin/sh\necho noise; echo noise >&2; echo "$1" > opened\n')
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    assert open_page("http://127.0.0.1:8000/#token=abc")
    deadline = time.monotonic() + 20
    while not Path("opened").is_file() or not Path("opened").read_text():
        assert time.monotonic() < deadline
    assert Path("opened").read_text() == "http://127.0.0.1:8000/#token=abc\n"
    monkeypatch.setenv("BROWSER", "/nowhere/at/all %s")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("DISPLAY", raising=False)
    assert not open_page("http://127.0.0.1:8000/")


def test_a_module_of_the_project_is_not_run_to_open_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("shlex.py").write_text("from pathlib import Path\nPath('run').touch()\n")
    monkeypatch.setenv("BROWSER", "true %s")
    monkeypatch.setenv("PYTHONPATH", ".")
    assert open_page("http://127.0.0.1:8000/")
    assert not Path("run").exists()


def test_there_is_no_browser_where_there_are_no_windows() -> None:
    assert not can_open({})
    assert not can_open({"SSH_CONNECTION": "1"})
    assert can_open({"DISPLAY": ":0"})
    assert can_open({"WAYLAND_DISPLAY": "wayland-0"})
    assert can_open({"BROWSER": "firefox"})


def test_what_the_keys_say_is_told_with_what_to_do() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    assert plain(Told("No", "Do that", good=False), at) == "00:00:00  ! No\n            fix Do that\n"


@pytest.mark.parametrize(
    ("connection", "user", "url", "command"),
    [
        ("::1 9 fd00::5 2222", "ann", "http://[::1]:8000", "ssh -N -L 8000:[::1]:8000 -p 2222 ann@fd00::5"),
        ("10.0.0.9 9 10.0.0.5 22", "-oProxyCommand=x", "http://127.0.0.1:80", "ssh -N -L 80:127.0.0.1:80 10.0.0.5"),
        ("10.0.0.9 9 10.0.0.5 22", "ann", "http://10.0.0.5:8000", ""),
        ("10.0.0.9 9 $(reboot) 22", "ann", "http://127.0.0.1:8000", ""),
        ("nonsense", "ann", "http://127.0.0.1:8000", ""),
    ],
)
def test_over_ssh_the_page_comes_through_a_tunnel(connection: str, user: str, url: str, command: str) -> None:
    assert tunnel({"SSH_CONNECTION": connection, "USER": user}, url) == command
