"""``sentient dev`` at work in a terminal: it starts, answers, and meets saves that are good and one that is not."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

from docs.tools.demo import ROOT, free_port, sentient
from docs.tools.terminal import running

if TYPE_CHECKING:
    import pyte

__all__ = ["scenes"]

_PLACE = ROOT / ".cache" / "pictures"
_GOOD = """from sentient_cli import Query, Response, Session, agent


@agent
async def weather(session: Session, query: Query, response: Response) -> None:
    print("looking up", query.prompt)
    async with response.stream("FINAL_RESPONSE") as stream:
        await stream.write(f"It rains in {query.prompt}.")
"""
_BETTER = _GOOD.replace("It rains", "The sun shines")
_BROKEN = _GOOD.removesuffix(")\n") + "\n"


def scenes() -> Generator[tuple[str, pyte.Screen]]:
    """Names of pictures, and what stands on the screen for each.

    Raises:
        RuntimeError: it does not do what is to be shown.
    """
    environment = _environment()
    project = _PLACE / "weather"
    project.mkdir()
    _save(project, _GOOD)
    port = free_port()
    with running([sentient(), "dev", "--port", str(port)], project, environment) as terminal:
        terminal.wait("q quit")
        for city in ("Paris", "Reykjavík"):
            _ask(city, port, environment)
            terminal.wait(f"✓ {city}")
        _save(project, _BETTER)
        terminal.wait("agent.py reloaded")
        _ask("Rome", port, environment)
        terminal.wait("✓ Rome")
        yield "dev", terminal.screen
        terminal.type("c")
        terminal.wait(f"http://127.0.0.1:{port}  weather")
        _save(project, _BROKEN)
        terminal.wait("▸")
        _ask("Oslo", port, environment)
        terminal.wait("✓ Oslo")
        _save(project, _BETTER)
        terminal.wait("mended and reloaded")
        yield "dev-broken", terminal.screen
        terminal.type("q")
        if terminal.end() != 0:
            raise RuntimeError("`sentient dev` did not end well")


def _environment() -> dict[str, str]:
    """Places of its own for what `sentient` keeps."""
    shutil.rmtree(_PLACE, ignore_errors=True)
    homes = {f"XDG_{name}_HOME": str(_PLACE / name.lower()) for name in ("CACHE", "CONFIG", "DATA", "STATE")}
    runtime = _PLACE / "run"
    runtime.mkdir(parents=True, mode=0o700)
    return {**os.environ, **homes, "XDG_RUNTIME_DIR": str(runtime)}


def _save(project: Path, text: str) -> None:
    draft = project / "draft"
    draft.write_text(text, "utf-8")
    draft.replace(project / "agent.py")


def _ask(city: str, port: int, environment: dict[str, str]) -> None:
    command = [sentient(), "chat", f"http://127.0.0.1:{port}", "-m", city]
    subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=True)
