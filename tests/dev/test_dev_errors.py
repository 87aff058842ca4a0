"""An agent that fails under ``dev``: its author is told what, and which line of their own code it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import httpx
import pytest

from tests.dev.developing import Developing, body, developing
from tests.support.wire import PATIENCE

_AGENT = """
import json

from helper import halve
from sentient_cli import agent


@agent
async def failing(session, query, response):
    if query.prompt == "here":
        raise ValueError("no such city")
    if query.prompt == "helper":
        halve("x")
    if query.prompt == "library":
        json.loads("{")
    if query.prompt == "wrong call":
        await response.text_block("A", 5)
    if query.prompt == "exit":
        raise SystemExit(3)
"""
_HELPER = """
def halve(number):
    return number / 2
"""


def _failure(dev: Developing, prompt: str) -> tuple[str, dict[str, object]]:
    """What the client is told: the message, and its details."""
    answer = httpx.post(f"{dev.url}/assist", json=body(prompt), timeout=PATIENCE)
    error, done = [json.loads(line[5:]) for line in answer.text.splitlines() if line.startswith("data:")][-2:]
    assert (error["event_name"], done["event_name"]) == ("error", "done")
    assert error["content"]["error_code"] == 500
    return error["content"]["error_message"], error["content"]["details"]


@pytest.mark.story("18.6", "20.5")
def test_the_line_of_the_authors_own_code_is_told(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "helper.py").write_text(_HELPER)
    with developing(project, agent=_AGENT) as dev:
        for prompt, kind, said, name, code in (
            ("here", "ValueError", "no such city", "agent.py", 'raise ValueError("no such city")'),
            ("helper", "TypeError", "unsupported operand", "helper.py", "return number / 2"),
            ("library", "JSONDecodeError", "Expecting property name", "agent.py", 'json.loads("{")'),
            (
                "wrong call",
                "InvalidEventError",
                "is a string, not int",
                "agent.py",
                'await response.text_block("A", 5)',
            ),
            ("exit", "SystemExit", "3", "agent.py", "raise SystemExit(3)"),
        ):
            mark = dev.mark()
            message, details = _failure(dev, prompt)
            assert kind in message
            assert said in message
            assert (details["type"], details["file"], details["code"]) == (kind, str(project / name), code)
            assert Path(str(details["file"])).read_text().splitlines()[cast("int", details["line"]) - 1].strip() == code
            ended = dev.wait("run-ended", since=mark)
            assert (ended["outcome"], ended["error"]) == ("error", message)
            told = [str(event["text"]) for event in dev.events[mark:] if event["event"] == "output"]
            assert any(f'{project / name}", line {details["line"]}' in line for line in told), told
            assert not any("runtime/run.py" in line for line in told), "what called the agent is no news"
