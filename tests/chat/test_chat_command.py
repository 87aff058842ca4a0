"""`sentient chat` without a terminal: pipes, one question, JSON lines, exit codes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys

import pytest

from tests.chat.test_chat_terminal import HOSTILE, MARKDOWN, Stoppable, an_answer, hostile
from tests.client.fault_server import Exchange, closed, done, error, text, threaded
from tests.support import commands
from tests.support.wire import dig


def chat(*arguments: str, stdin: str | bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    given = stdin.encode() if isinstance(stdin, str) else stdin
    return commands.run("chat", *arguments, environment={**os.environ, **environment}, stdin=given)


async def fine(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.chunk(text("Hé", 1, stream="s") + text("llo", 2, stream="s") + closed("s", 3) + done(4))


def test_the_question_comes_from_stdin_and_only_the_answer_goes_to_stdout() -> None:
    with threaded(fine) as server:
        done_ = chat(server.url, stdin="hi\n")
    assert (done_.returncode, done_.stdout.decode(), done_.stderr.decode()) == (0, "Héllo\n", "[ANSWER]\n")
    assert dig(server.exchanges[0].json(), "query", "prompt") == "hi"


def test_one_question_and_its_exit_code() -> None:
    with threaded(an_answer) as server:
        done_ = chat(server.url, "-m", "hi")
    assert done_.returncode == 1
    assert MARKDOWN in done_.stdout.decode()
    assert done_.stderr.decode().endswith("Error: boom (503)\n")


def test_an_error_that_the_agent_gets_over_is_no_failure() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.chunk(error("first try", 503, 1) + text("then fine", 2) + done(3))

    with threaded(handler) as server:
        done_ = chat(server.url, "-m", "hi", "-q")
    assert (done_.returncode, done_.stdout) == (0, b"then fine\n")
    assert done_.stderr == b"Error: first try (503)\n"


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_json_lines_are_what_came_and_harmless(encoding: str) -> None:
    with threaded(hostile) as server:
        done_ = chat(server.url, "-m", "hi", "--json", PYTHONIOENCODING=encoding)
    lines = done_.stdout.decode(encoding).splitlines()
    assert all(line.isprintable() for line in lines)
    events = [json.loads(line) for line in lines]
    assert [event["content"] for event in events[: len(HOSTILE)]] == HOSTILE
    assert events[-1]["content_type"] == "atomic.done"
    assert done_.returncode == 1


def test_hostile_text_in_a_pipe() -> None:
    with threaded(hostile) as server:
        done_ = chat(server.url, "-m", "hi")
    assert b"\x1b" not in done_.stdout + done_.stderr
    assert all(char.isprintable() or char in "\n\t" for char in (done_.stdout + done_.stderr).decode())


def test_nobody_there_is_exit_4(free_port: int) -> None:
    done_ = chat(f"127.0.0.1:{free_port}", "-m", "hi", "--json")
    assert done_.returncode == 4
    assert json.loads(done_.stderr)["error"]["code"] == "network"
    assert done_.stdout == b""


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        ((), b"", "There is no question"),
        (("-m", "  "), b"", "There is no question"),
        ((), b"\xff\xfe", "no text"),
        (("-m", "-"), b"x" * 1_100_000, "too long"),
        (("ftp://x", "-m", "hi"), b"", "no address"),
        (("127.0.0.1:99999", "-m", "hi"), b"", "no address"),
        (("http://xn--", "-m", "hi"), b"", "no address"),
        (("http://u:p@h", "-m", "hi"), b"", "no place for a password"),
    ],
)
def test_what_cannot_be_asked_is_exit_2(arguments: tuple[str, ...], stdin: bytes, words: str) -> None:
    done_ = chat(*arguments, stdin=stdin, PYTHONIOENCODING="utf-8:strict", COLUMNS="200")
    assert done_.returncode == 2
    assert words in done_.stderr.decode()


def test_an_answer_that_is_cut_off_is_exit_4_and_keeps_what_came() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin(None)
        await exchange.chunk(text("half an ans"))
        await exchange.end()

    with threaded(handler) as server:
        done_ = chat(server.url, "-m", "hi", COLUMNS="200")
    assert (done_.returncode, done_.stdout) == (4, b"half an ans\n")
    assert "cut off" in done_.stderr.decode()


def test_a_broken_connection_adds_nothing_to_the_answer() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        if exchange.method == "POST":
            await exchange.chunk(text("one wo", 1, stream="s"))
            exchange.reset()
        else:
            await exchange.chunk(text("rd", 2, stream="s") + done(3))

    with threaded(handler) as server:
        done_ = chat(server.url, "-m", "hi")
    assert (done_.returncode, done_.stdout) == (0, b"one word\n")
    assert b"resuming" in done_.stderr


@pytest.mark.slow
def test_an_interrupt_stops_the_run_and_is_exit_130() -> None:
    agent = Stoppable()
    command = [sys.executable, *commands.attached("chat", "-m", "go")]
    with (
        threaded(agent) as server,
        subprocess.Popen([*command, server.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.read(5) == b"begun"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=150)
        assert process.returncode == 130
    assert agent.stopped.is_set()


def test_a_reader_that_leaves_ends_the_chat_quietly() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        for number in range(1, 100_000):
            await exchange.chunk(text("word " * 100, number, stream="s"))
            await asyncio.sleep(0)

    command = [sys.executable, *commands.attached("chat", "-m", "go")]
    with (
        threaded(handler) as server,
        subprocess.Popen([*command, server.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process,
    ):
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(5)
        process.stdout.close()
        process.wait(timeout=150)
        assert b"Traceback" not in process.stderr.read()


@pytest.mark.slow
def test_the_token_comes_from_the_option_or_the_environment() -> None:
    with threaded(fine) as server:
        chat(server.url, "-m", "hi", "--agent-token", "tok-option")
        chat(server.url, "-m", "hi", SENTIENT_AGENT_TOKEN="tok-environment")
        chat(server.url, "-m", "hi")
        refused = chat(server.url, "-m", "hi", "--json", "--agent-token", "pässwörd")
    assert refused.returncode == 3
    assert "visible ASCII" in str(refused.stderr)
    found = [exchange.headers.get("authorization") for exchange in server.exchanges]
    assert found == ["Bearer tok-option", "Bearer tok-environment", None]
