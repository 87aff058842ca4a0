"""``sentient create`` against ``copier copy`` of the same template. ``python -m bench.create [--quick]``.

With ``--first-project`` instead: the time from an empty directory with the package installed to a project that is set
up, tested and answers over HTTP, with this machine's uv, if there is one on PATH, or pip.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from bench.arguments import parser_of
from bench.ratio import abba, spread
from bench.table import show
from sentient_cli.scaffold.builtin import BUILTIN

__all__ = ["first_project", "main", "measured"]

_SENTIENT = Path(sys.executable).with_name("sentient")
_COPIER = Path(sys.executable).with_name("copier")
_MOST = 1.3
_BUDGET = 60.0


def measured(command: Sequence[str]) -> tuple[float, float]:
    """CPU of a command and all that it started, and its wall time, in milliseconds; it runs in a new directory.

    Raises:
        RuntimeError: the command fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed with exit code {process.returncode}")
    return (used.ru_utime + used.ru_stime) * 1e3, wall * 1e3


def _compare(template: str, root: Path, rounds: int) -> Sequence[object]:
    ours = [str(_SENTIENT), "create", "my-agent", "--yes", "--no-install", "--template", template]
    theirs = [str(_COPIER), "copy", "--quiet", "--defaults", "--data", "name=my-agent", str(root), "my-agent"]
    for warm in (ours, theirs):
        measured(warm)
    taken = abba(rounds, lambda: measured(ours), lambda: measured(theirs))
    cpu = spread([sum(one for one, _ in mine) / sum(one for one, _ in other) for mine, other in taken])
    wall = spread([sum(one for _, one in mine) / sum(one for _, one in other) for mine, other in taken])
    return (
        template,
        cpu,
        wall,
        f"<= {_MOST:g}",
        "ok" if max(cpu.middle, wall.middle) <= _MOST else "MISSED",
        f"{spread([one for mine, _ in taken for one, _ in mine]).middle:.0f}",
        f"{spread([one for _, other in taken for one, _ in other]).middle:.0f}",
    )


def first_project() -> tuple[float, float]:
    """Seconds until a project is made and verified, and until it has answered a question over HTTP.

    Raises:
        RuntimeError: it cannot be made, or does not answer.
    """
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        done = subprocess.run(
            [str(_SENTIENT), "create", "my-agent", "--yes", "--json"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        created = json.loads(done.stdout.splitlines()[-1])["created"]
        if created["verified"] is None:
            raise RuntimeError("the project was not verified")
        verified = time.perf_counter() - started
        _ask(Path(folder, "my-agent"), Path(created["python"]))
        return verified, time.perf_counter() - started


def _ask(project: Path, python: Path) -> None:
    """Serve the project with its own environment and ask it something."""
    server = subprocess.Popen(
        [str(python), "-m", "sentient_cli", "serve", "--port", "0"], cwd=project, stderr=subprocess.PIPE, text=True
    )
    try:
        if server.stderr is None:
            raise RuntimeError("the server has no stderr")
        url = next(found[0] for line in server.stderr if (found := re.search(r"http://[\w.:]+\d", line)))
        body = {"query": {"id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "prompt": "Hello"}}
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{url}/assist", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own server
            if b"event: done" not in answer.read():
                raise RuntimeError("the agent did not answer to the end")
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__, "Fewer rounds: a look, not a result.")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--first-project", action="store_true", help="Time a whole project; the network is used.")
    chosen = parser.parse_args(arguments)
    if chosen.first_project:
        verified, answered = first_project()
        tool = "uv" if shutil.which("uv") else "pip"
        verdict = "ok" if answered < _BUDGET else "MISSED"
        show(
            "From nothing to a project that answers",
            ("with", "verified s", "answered s", "target", ""),
            [(tool, f"{verified:.1f}", f"{answered:.1f}", f"< {_BUDGET:g}", verdict)],
        )
        return
    rounds = 3 if chosen.quick else chosen.rounds
    head = ("template", "times the CPU of copier", "times its wall", "target", "", "CPU ms ours", "copier")
    rows = [_compare(template.name, template.root, rounds) for template in BUILTIN]
    show("A new project: `sentient create --yes --no-install` and `copier copy`", head, rows)


if __name__ == "__main__":
    main()
