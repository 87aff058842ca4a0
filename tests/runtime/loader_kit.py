"""What the tests of the loader share: an interpreter given back as it was, files to load, and an agent to ask."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from sentient_cli.host import Host
from sentient_cli.runtime.loader import LoadedAgent
from sentient_cli.runtime.request import RunRequest

Write: TypeAlias = Callable[[str, str], Path]

PLAIN = "async def assist(session, query, response):\n    await response.respond('ANSWER', query.prompt)\n"
WRAPPER = """\
import functools

def wrap(function):
    @functools.wraps(function)
    def inner(*arguments):
        return function(*arguments)
    return inner

"""
CLASS = """\
from sentient_cli.runtime.agent import Agent

class Echo(Agent):
    async def assist(self, session, query, response):
        await response.respond("ANSWER", query.prompt)
"""


@pytest.fixture(autouse=True)
def interpreter() -> Iterator[None]:
    """Give the interpreter back as it was: loading puts modules and directories into it."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return make


def answer(loaded: LoadedAgent) -> str | None:
    async def ask() -> str | None:
        host = Host(loaded.agent, capture=False)
        body = {"query": {"id": "01JS4F4Z5V0000000000000001", "prompt": "hi"}}
        run = await host.start_run(RunRequest.model_validate(body))
        await run.wait()
        await host.aclose()
        return run.outcome

    return asyncio.run(ask())
