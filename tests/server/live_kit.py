"""A project whose settings change while its server answers, and clients that keep asking."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

from tests.support.llm_server import LLMServer
from tests.support.wire import PATIENCE, Address, Frame, ask_all

__all__ = ["AGENT", "REFUSED", "TAKEN", "Load", "settings", "start", "text_of"]

AGENT = """
from sentient_cli import agent, llm

@agent
async def asker(session, query, response):
    await response.stream_llm("ANSWER", llm.stream(query.prompt))
"""
TAKEN = "The settings are taken"
REFUSED = "The settings are not taken, and the models stay as they are"


def settings(model: str, *servers: LLMServer, more: str = "") -> str:
    """Settings with the providers ``first`` and ``second``.

    Args:
        model: The default model.
        servers: Where the providers are.
        more: What else stands in the table ``llm``, and tables.
    """
    tables = [
        f'[llm.providers.{name}]\nkind = "compatible"\nbase_url = "{server.url}/v1"\n'
        for name, server in zip(("first", "second"), servers, strict=False)
    ]
    return f'[llm]\nmodel = "{model}"\n{more}\n{"".join(tables)}'


def start(place: Path, *servers: LLMServer) -> Path:
    """Write a project of that kind with the model ``first:small``; return its agent."""
    agent = place / "asker.py"
    agent.write_text(AGENT)
    (place / "sentient.toml").write_text(settings("first:small", *servers))
    return agent


def text_of(frames: Iterable[Frame]) -> str:
    """The text of an answer."""
    return "".join(str(each.content) for each in frames if each.json["content_type"] == "chunked.text").strip()


class Load:
    """Asks from several threads, in even steps, until it is told to end.

    Args:
        address: Whom.
        rate: How often a second, all threads together.
        threads: How many.
        well: Whether an answer is what it should be.
    """

    def __init__(self, address: Address, rate: float, threads: int, well: Callable[[str], bool]) -> None:
        self.failed: list[str] = []
        self.asked = 0
        self._address, self._step, self._well = address, threads / rate, well
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask) for _ in range(threads)]
        self._began = 0.0
        self.seconds = 0.0

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE)
        self.seconds = time.monotonic() - self._began

    def _ask(self) -> None:
        due = time.monotonic()
        while not self._over.wait(max(0.0, due - time.monotonic())):
            due += self._step
            try:
                frames = ask_all(self._address, "Go")
                fault = "" if self._well(text_of(frames)) else repr([each.json for each in frames])
            except Exception as error:  # noqa: BLE001 - whatever it is, a call has failed
                fault = repr(error)
            with self._lock:
                self.asked += 1
                self.failed += [fault] if fault else []
