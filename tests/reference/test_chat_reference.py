"""`sentient chat` talks to a server of the reference framework."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.chat.terminal import chatting
from tests.chat.test_chat_command import chat

AGENT = """\
import sys
from sentient_agent_framework import AbstractAgent, DefaultServer

class Hello(AbstractAgent):
    async def assist(self, session, query, response_handler):
        turns = [turn.responses[1].event.content for turn in session.get_interactions()]
        await response_handler.emit_text_block("PLAN", f"before: {turns}")
        await response_handler.emit_json("SOURCES", {"prompt": query.prompt})
        stream = response_handler.create_text_stream("ANSWER")
        other = response_handler.create_text_stream("OTHER")
        for word in ("some ", "**bold** ", "words"):
            await stream.emit_chunk(word)
            await other.emit_chunk("x")
        await stream.complete()
        if query.prompt == "fail":
            await response_handler.emit_error("boom", 503, {"retry": True})
        await response_handler.complete()

DefaultServer(Hello("hello")).run("127.0.0.1", int(sys.argv[1]))
"""


@contextlib.contextmanager
def reference_server(python: Path, folder: Path, port: int) -> Generator[str]:
    file = folder / "reference_agent.py"
    file.write_text(AGENT, "utf-8")
    with subprocess.Popen([python, str(file), str(port)], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if "running on" in line:
                    break
            with socket.create_connection(("127.0.0.1", port), 30):
                yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.communicate(timeout=150)


@pytest.mark.slow
@pytest.mark.story("F7")
def test_a_conversation_with_the_reference(reference_python: Path, tmp_path: Path, free_port: int) -> None:
    with reference_server(reference_python, tmp_path, free_port) as url, chatting(url) as terminal:
        terminal.prompt()
        terminal.ask("first")
        terminal.ask("second")
        assert terminal.leave() == 0
    assert (
        '  PLAN\n  before: []\n\n  SOURCES\n  {\n    "prompt": "first"\n  }\n\n  ANSWER\n  some bold words'
        in terminal.text()
    )
    assert "before: [{'prompt': 'first'}]" in terminal.text()
    assert terminal.text().count("  OTHER\n  xxx\n") == 2


@pytest.mark.slow
@pytest.mark.story("F7")
def test_an_error_of_the_reference_is_exit_1(reference_python: Path, tmp_path: Path, free_port: int) -> None:
    with reference_server(reference_python, tmp_path, free_port) as url:
        done = chat(url, "-m", "fail")
    assert done.returncode == 1
    assert b"Error: boom (503)" in done.stderr
