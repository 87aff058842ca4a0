"""What type checking the basic project takes, against an empty one. ``python -m bench.checking [--quick]``."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from bench.arguments import parser_of
from bench.ratio import abba, spread
from bench.table import show

__all__ = ["CHECKERS", "FILES", "compare", "empty_project", "files_of_ours", "main", "new_project"]

_ROOT = Path(__file__).resolve().parents[1]
_EMPTY = '"""A project with nothing in it."""\n\nfrom __future__ import annotations\n'
CHECKERS: Sequence[tuple[str, float]] = (("mypy", 4.5), ("basedpyright", 3.5))
"""Each type checker, and how many times the CPU of the empty project it may take."""
FILES: Sequence[tuple[str, int]] = (("mypy", 800), ("basedpyright", 230))
"""Each type checker, and how many files more than for the empty project it may read: the same on every machine."""
_TOLD: Final = {
    "mypy": ("-v", re.compile(r"with (\d+) modules")),
    "basedpyright": ("--stats", re.compile(r"Total files parsed and bound: (\d+)")),
}


def new_project(folder: Path) -> Path:
    """The basic project with its default answers, as ``sentient create`` makes it."""
    name = ("--data", "name=my-agent", "--template", "basic", "--yes", "--no-install", "--no-git")
    command = (sys.executable, "-m", "sentient_cli", "create", str(folder), *name)
    own = {"PYTHONPATH": str(_ROOT), "XDG_STATE_HOME": f"{folder}.state"}  # the answers are to be nobody's defaults
    subprocess.run(command, env={**os.environ, **own}, check=True, capture_output=True)
    return _with_settings(folder)


def empty_project(folder: Path) -> Path:
    """A project of one empty module."""
    (folder / "src" / "empty").mkdir(parents=True)
    (folder / "src" / "empty" / "__init__.py").write_text(_EMPTY)
    return _with_settings(folder)


def _with_settings(folder: Path) -> Path:
    settings = {"typeCheckingMode": "strict", "extraPaths": ["src"], "pythonVersion": "3.11"}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    return folder


def _command(checker: str, project: Path) -> tuple[str, ...]:
    places = [str(project / name) for name in ("src", "tests") if (project / name).is_dir()]
    python = (sys.executable, "-m")
    if checker == "mypy":  # from nothing: what a first check takes, and one in CI
        return (
            *python,
            "mypy",
            "--strict",
            "--config-file=",
            "--cache-dir=/dev/null",
            "--python-version=3.11",
            *places,
        )
    return (*python, "basedpyright", f"--pythonpath={sys.executable}", f"--project={project}")


def cpu_of(checker: str, project: Path) -> float:
    """Seconds of CPU of one check, with the processes that it starts.

    Raises:
        RuntimeError: it finds something, or fails.
    """
    environment = {**os.environ, "MYPYPATH": str(project / "src")}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            _command(checker, project), stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=project, env=environment
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{checker} failed with {process.returncode}\n{said.read().decode()}")
    return used.ru_utime + used.ru_stime


def files_read(checker: str, project: Path) -> int:
    """How many files one check reads, as the checker tells it.

    Raises:
        RuntimeError: it finds something, or tells nothing.
    """
    flag, told = _TOLD[checker]
    environment = {**os.environ, "MYPYPATH": str(project / "src")}
    done = subprocess.run(
        (*_command(checker, project), flag), cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    found = told.search(done.stdout + done.stderr)
    if done.returncode or found is None:
        raise RuntimeError(f"{checker} failed with {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return int(found[1])


def files_of_ours(checker: str) -> int:
    """How many files more are read for the basic project than for the empty one."""
    with tempfile.TemporaryDirectory() as folder:
        basic, empty = new_project(Path(folder, "basic")), empty_project(Path(folder, "empty"))
        return files_read(checker, basic) - files_read(checker, empty)


def compare(checker: str, most: float, rounds: int) -> Sequence[object]:
    """ABBA rounds of the basic and the empty project; return the row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        basic, empty = new_project(Path(folder, "basic")), empty_project(Path(folder, "empty"))
        for project in (basic, empty):
            cpu_of(checker, project)
        taken = abba(rounds, lambda: cpu_of(checker, basic), lambda: cpu_of(checker, empty))
    ratio = spread([sum(ours) / sum(floor) for ours, floor in taken])
    return (
        checker,
        ratio,
        f"<= {most:g}",
        "ok" if ratio.middle <= most else "MISSED",
        _middle(ours for ours, _ in taken),
        _middle(floor for _, floor in taken),
    )


def _middle(pairs: Iterable[tuple[float, float]]) -> str:
    return f"{spread([seconds for pair in pairs for seconds in pair]).middle:.1f}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__, "Fewer rounds: a look, not a result.")
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args(arguments)
    head = ("", "times an empty project", "target", "", "CPU s basic", "empty")
    rounds = 1 if chosen.quick else chosen.rounds
    show("Type checking: CPU", head, [compare(checker, most, rounds) for checker, most in CHECKERS])


if __name__ == "__main__":
    main()
