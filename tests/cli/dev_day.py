"""A hub that serves nothing: it reports what happens on a day of work, and does what it is told.

``python -m tests.cli.dev_day ARGUMENT...`` is ``sentient dev ARGUMENT...`` with it, to look at.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator

from msgspec.structs import replace

from sentient_cli.dev import serving
from sentient_cli.dev.messages import Problem
from sentient_cli.dev.report import (
    Broken,
    DevEvent,
    Notice,
    Output,
    Ready,
    Reloaded,
    Reloading,
    Reporter,
    Retired,
    RunEnded,
    RunStarted,
    Starting,
    Stopping,
    WorkerDied,
)
from sentient_cli.dev.request import Command, HubRequest

__all__ = ["BROKEN", "READY", "day", "install"]

TOKEN = "t0ken-" + "x" * 37
READY = Ready(
    url="http://127.0.0.1:8000",
    inspect_url=f"http://127.0.0.1:8000/#token={TOKEN}",
    agent="Weather helper",
    generation=1,
    seconds=0.212,
    environment="default",
    env_file=".env",
)
BROKEN = Broken(
    generation=4,
    problem=Problem(
        code="agent-import",
        what="agent.py is no valid Python",
        why="'(' was never closed",
        fix="Correct /home/ann/weather/agent.py, line 12",
        file="/home/ann/weather/agent.py",
        line=12,
        excerpt=(
            "  10 | @agent\n  11 | async def helper(session: Session, query: Query, response: Response) -> None:\n"
            '> 12 |     await response.text_block("PLAN", f"Look up {query.prompt}"\n'
            '  13 |     async with response.stream("FINAL_RESPONSE") as stream:\n'
            "  14 |         await stream.write(query.prompt)"
        ),
    ),
    changed=("agent.py",),
    serving=3,
)
FAILED = Broken(
    generation=5,
    problem=Problem(
        code="agent-import",
        what="agent.py failed while it was imported",
        why="helpers.py needs the module yaml, which is not installed",
        fix="Install it: `pip install pyyaml`",
        detail="ModuleNotFoundError: No module named 'yaml'\n"
        "  /home/ann/weather/helpers.py:1 in <module>\n    import yaml",
    ),
    changed=("helpers.py", "agent.py"),
    serving=3,
)


def _run(
    number: int, prompt: str, *, generation: int, outcome: str = "done", events: int = 42, total: float = 1240
) -> Iterator[tuple[float, DevEvent]]:
    yield 0, RunStarted(f"run-{number}", generation, prompt)
    error = {"error": "The weather service does not answer: connection refused (ConnectError)"}.get(outcome)
    first = 38.0 if events else None
    yield 1, RunEnded(f"run-{number}", generation, prompt, outcome, events, first, total, error)


def day() -> Iterator[tuple[float, DevEvent]]:
    """What happens, and after how many beats."""
    yield 0, Starting("agent.py")
    yield 1, READY
    yield from _run(1, "What is the weather in Paris?", generation=1)
    yield from _run(2, "And in Reykjavík on the first weekend of December, if I may ask?", generation=1, events=12_345)
    yield 0, Output(1, "looking up 東京 {'lat': 35.68, 'lon': 139.69}", "stdout")
    yield from _run(3, "東京の天気はどうですか、それから大阪の天気も教えてください", generation=1, events=7, total=88)
    yield 1, Reloading(2, ("agent.py",))
    yield 0, Reloaded(2, 0.038, ("agent.py",))
    yield 1, Reloading(3, ("agent.py",))
    yield 0, Reloaded(3, 0.0411, ("agent.py",))
    yield 0, RunStarted("run-4", 3, "Tell me a long story about the sea")
    yield 1, Reloading(4, ("agent.py",))
    yield 0.5, BROKEN
    yield 1, Reloading(5, ("helpers.py", "agent.py"))
    yield 0.5, FAILED
    yield 1, Output(3, "DeprecationWarning: this will go away", "stderr")
    yield 1, Reloading(6, ("agent.py", "prompts/system.md"))
    yield 0.5, Reloaded(6, 0.052, ("agent.py", "prompts/system.md"), mended=True)
    yield 1, RunEnded("run-4", 3, "Tell me a long story about the sea", "done", 1834, 41.0, 72_400)
    yield from _run(5, "Is it raining?", generation=6, outcome="error", events=3, total=412)
    yield from _run(6, "Never mind", generation=6, outcome="cancelled", events=9, total=5120)
    yield from _run(7, "", generation=6, outcome="deadline", events=0, total=600_000)
    yield 1, Output(6, "Retrying in 2 s: the model answered 429", "warning")
    yield 0, RunStarted("run-8", 6, "Compare the two")
    yield 1, WorkerDied(6, "killed by SIGKILL", 1)
    yield 0, RunEnded("run-8", 6, "Compare the two", "lost", 11, 20.0, 3300)
    yield 0, Reloaded(7, 0.044, ())
    yield (
        1,
        Notice(
            "No inotify watches are left, so files are looked at every half second",
            "sudo sysctl fs.inotify.max_user_watches=524288",
        ),
    )
    yield 0, Retired(6, 2)
    for number in range(5):
        yield 0, RunStarted(f"many-{number}", 7, f"Question number {number}")


async def _obey(request: HubRequest, reporter: Reporter, commands: asyncio.Queue[Command]) -> None:
    generation = 7
    while await commands.get() != "quit":
        generation += 1
        reporter.report(Reloading(generation, ()))
        reporter.report(Reloaded(generation, 0.03, ()))
    reporter.report(Stopping(0))


async def run_hub(request: HubRequest, reporter: Reporter, commands: asyncio.Queue[Command]) -> int:
    """Report the day, and then obey. With ``DAY_BEAT`` as 0 it is only the morning."""
    port = request.listener.getsockname()[1]
    beat = float(os.environ.get("DAY_BEAT", "0"))
    obeying = asyncio.ensure_future(_obey(request, reporter, commands))

    async def live() -> None:
        for beats, event in day():
            await asyncio.sleep(beats * beat)
            reporter.report(at(event, port))
            if not beat and isinstance(event, Ready):
                return

    living = asyncio.ensure_future(live())
    await obeying
    living.cancel()
    return 0


def at(event: DevEvent, port: int) -> DevEvent:
    """An event with the port that is listened on."""
    if not isinstance(event, Ready):
        return event
    return replace(
        event, url=event.url.replace("8000", str(port)), inspect_url=event.inspect_url.replace("8000", str(port))
    )


def install() -> None:
    """Let ``sentient dev`` run this hub."""
    serving.run_hub = run_hub


if __name__ == "__main__":
    from sentient_cli.cli.main import main

    install()
    sys.exit(main(["dev", *sys.argv[1:]]))
