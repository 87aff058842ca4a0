"""The chat and our own server, with a network between them that breaks."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from tests.chat.terminal import chatting
from tests.chat.test_chat_command import chat
from tests.support.served import serve

AGENT = """\
import asyncio
from sentient_cli import agent

@agent
async def counting(session, query, response):
    await response.text_block("TURN", str(len(session.interactions) + 1))
    async with response.stream("COUNT") as stream:
        for number in range(300):
            await stream.write(f"n{number} ")
            await asyncio.sleep(0 if number % 10 else 0.005)
"""


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int) -> None:
    sent = 0
    while sent < limit and (data := await reader.read(min(1000, limit - sent))):
        sent += len(data)
        writer.write(data)
        await writer.drain()


@contextlib.contextmanager
def breaking(port: int, cuts: list[int]) -> Generator[int]:
    """A way to a server that cuts its n-th connection after the n-th number of bytes."""
    ready, ends, ports = threading.Event(), list[Callable[[], object]](), list[int]()

    async def through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        limit = cuts.pop(0) if cuts else 1 << 40
        there, back = await asyncio.open_connection("127.0.0.1", port)
        up = asyncio.create_task(_copy(reader, back, 1 << 40))
        try:
            await _copy(there, writer, limit)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            up.cancel()
            await asyncio.gather(up, return_exceptions=True)
            writer.transport.abort()
            back.transport.abort()

    async def run() -> None:
        ending = asyncio.Event()
        server = await asyncio.start_server(through, "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
        loop = asyncio.get_running_loop()
        ends.append(lambda: loop.call_soon_threadsafe(ending.set))
        ready.set()
        await ending.wait()
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="breaking")
    thread.start()
    try:
        assert ready.wait(30)
        yield ports[0]
    finally:
        for end in ends:
            end()
        thread.join()


@pytest.fixture
def agent_file(tmp_path: Path) -> Path:
    file = tmp_path / "counting.py"
    file.write_text(AGENT, "utf-8")
    return file


def test_nothing_is_lost_or_repeated_over_broken_connections(agent_file: Path, tmp_path: Path) -> None:
    cuts = [600, 3000, 1234, 9999, 5]
    with serve(tmp_path, agent=agent_file) as server, breaking(server.port, cuts) as port:
        done = chat(f"127.0.0.1:{port}", "-m", "count")
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().split() == ["1", *(f"n{number}" for number in range(300))]
    assert cuts == []


@pytest.mark.slow
def test_a_conversation_with_our_own_server(agent_file: Path, tmp_path: Path) -> None:
    with serve(tmp_path, agent=agent_file) as server, chatting(f"127.0.0.1:{server.port}") as terminal:
        terminal.prompt()
        terminal.ask("count")
        terminal.ask("count again")
        assert terminal.leave() == 0
    assert re.findall(r"\bn\d+", terminal.text()) == 2 * [f"n{number}" for number in range(300)]
    assert re.findall(r"TURN\n  (\d)", terminal.text()) == ["1", "2"]
