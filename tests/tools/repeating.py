"""Finds the tests that add nothing to what is counted: ``python -m tests.tools.repeating``, some twenty minutes.

To count lines makes a test twice to three times as dear, and most lines are run by many tests. This runs the suite with
everything counted for each test by itself, takes those that together run everything, the most lines for their time
first, and writes down the others. A test that is not written down is counted: a new one, or one with a new name.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TypedDict

from tests.plugins.measuring import BY_TEST, REPOSITORY

_LIST = REPOSITORY / "tests" / "plugins" / "repeating.txt"
_ENOUGH = 0.9985
"""The part of all that is ever run which the tests that are counted must run: the last lines cost the most."""
_START = 0.02
"""Seconds that are added to what each test takes, so that the quickest do not outweigh all others."""
_NOTEWORTHY = 0.05
"""Seconds that a test takes for which it is written down."""

_Run = set[tuple[int, int, int]]
"""What was run: lines as a file and a number twice, branches as a file and the numbers of two lines."""


class _File(TypedDict):
    executed_lines: list[int]
    executed_branches: list[list[int]]


class Measured(NamedTuple):
    """What each test ran, and how long it took in seconds."""

    run: Mapping[str, _Run]
    seconds: Mapping[str, float]


def repeating(measured: Measured, enough: float = _ENOUGH, noteworthy: float = _NOTEWORTHY) -> list[str]:
    """The tests that run nothing that others do not, and the modules that have no others, in order.

    Args:
        measured: What was seen of all tests.
        enough: The part of everything that the others must run.
        noteworthy: The seconds from which on a test counts as worth its line.

    >>> lines = {"a.py::x": {(1, 1, 1), (1, 2, 2)}, "a.py::y": {(1, 1, 1)}, "b.py::z": {(1, 2, 2)}}
    >>> repeating(Measured(lines, {"a.py::x": 1, "a.py::y": 1, "b.py::z": 1}))
    ['a.py::y', 'b.py']
    """
    counted = _chosen(measured, enough)
    modules = {name.partition("::")[0] for name in counted}
    single = {name for name, seconds in measured.seconds.items() if name not in counted and seconds >= noteworthy}
    return sorted({name if (module := name.partition("::")[0]) in modules else module for name in single})


def _chosen(measured: Measured, enough: float) -> set[str]:
    everything: _Run = _Run().union(*measured.run.values())
    seen: _Run = _Run().union(*(run for name, run in measured.run.items() if name not in measured.seconds))
    waiting = [
        (-len(run) / (measured.seconds[name] + _START), name)
        for name, run in measured.run.items()
        if name in measured.seconds
    ]
    heapq.heapify(waiting)
    chosen: set[str] = set()
    while waiting and len(seen) < enough * len(everything):
        _, name = heapq.heappop(waiting)
        worth = -len(measured.run[name] - seen) / (measured.seconds[name] + _START)
        if waiting and worth > waiting[0][0]:
            heapq.heappush(waiting, (worth, name))  # others ran a part of it meanwhile
        elif worth < 0:
            chosen.add(name)
            seen |= measured.run[name]
    return chosen


def _measure(folder: Path) -> Measured:
    coverage = [sys.executable, "-m", "coverage"]
    times = folder / "seconds"
    data = REPOSITORY / ".cache" / "coverage" / "data"
    for old in data.parent.glob("data*"):
        old.unlink()
    subprocess.run(
        [*coverage, "run", "-m", "pytest", "-q", "-n", "2", "--dist", "worksteal"],
        cwd=REPOSITORY,
        env=os.environ | {BY_TEST: str(times)},
        check=False,  # under so much counting one may fail, and has run nevertheless
    )
    subprocess.run([*coverage, "combine", "--quiet"], cwd=REPOSITORY, check=True)
    report = folder / "report.json"
    subprocess.run([*coverage, "json", "-q", "--fail-under=0", "-o", str(report)], cwd=REPOSITORY, check=True)
    files: dict[str, _File] = json.loads(report.read_text("utf-8"))["files"]
    return Measured(_run_by_test(data, files), _seconds(times.read_text("utf-8").splitlines()))


def _run_by_test(data: Path, files: Mapping[str, _File]) -> dict[str, _Run]:
    run: defaultdict[str, _Run] = defaultdict(set)
    lines = {name: set(file["executed_lines"]) for name, file in files.items()}
    branches = {name: {tuple(branch) for branch in file["executed_branches"]} for name, file in files.items()}
    query = """select path, file_id, context, fromno, tono from arc
        join file on file.id = file_id join context on context.id = context_id"""
    with contextlib.closing(sqlite3.connect(data)) as connection:
        for path, file, test, start, end in connection.execute(query):
            if path in lines:
                ran = run[str(test).partition("[")[0]]
                ran.update((file, line, line) for line in (start, end) if line in lines[path])
                if (start, end) in branches[path]:
                    ran.add((file, start, end))
    return dict(run)


def _seconds(lines: Iterable[str]) -> dict[str, float]:
    seconds: defaultdict[str, float] = defaultdict(float)
    for line in lines:
        took, _, test = line.partition(" ")
        seconds[test.partition("[")[0]] += float(took)
    return dict(seconds)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        names = repeating(_measure(Path(directory)))
    _LIST.write_text("".join(f"{name}\n" for name in names), "utf-8")
    print(f"{len(names)} lines in {_LIST.relative_to(REPOSITORY)}")
