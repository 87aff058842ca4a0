"""CPU of the command line's first answer, against ``import typer``. ``python -m bench.startup [--quick]``."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.arguments import parser_of
from bench.ratio import abba, spread
from bench.table import show

__all__ = ["COMMANDS", "cpu_of", "main"]

_SCRIPT = str(Path(sys.executable).with_name("sentient"))
_FLOOR = (sys.executable, "-c", "import typer")
COMMANDS: Sequence[tuple[Sequence[str], float]] = (
    (("--help",), 1.5),
    (("chat", "--help"), 3.0),
    (("--version",), 0.6),
)
"""Each command, and how many times the CPU of the floor it may take."""


def cpu_of(command: Sequence[str], repeat: int = 3) -> tuple[float, float]:
    """CPU and wall time of a command, in milliseconds, each the mean of a few runs.

    Raises:
        RuntimeError: the command fails.
    """
    cpu, wall = 0.0, time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(repeat):
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder
            )
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                raise RuntimeError(f"{' '.join(command)} failed with exit code {process.returncode}")
            cpu += used.ru_utime + used.ru_stime
    return cpu / repeat * 1e3, (time.perf_counter() - wall) / repeat * 1e3


def compare(command: Sequence[str], most: float, rounds: int) -> Sequence[object]:
    """ABBA rounds of one command and the floor; return the row of the table."""
    ours = (_SCRIPT, *command)
    for warm in (ours, _FLOOR):
        cpu_of(warm, 1)
    taken = abba(rounds, lambda: cpu_of(ours), lambda: cpu_of(_FLOOR))
    ratio = spread([sum(cpu for cpu, _ in mine) / sum(cpu for cpu, _ in floor) for mine, floor in taken])
    return (
        " ".join(("sentient", *command)),
        ratio,
        f"<= {most:g}",
        "ok" if ratio.middle <= most else "MISSED",
        f"{spread([cpu for mine, _ in taken for cpu, _ in mine]).middle:.0f}",
        f"{spread([cpu for _, floor in taken for cpu, _ in floor]).middle:.0f}",
        f"{spread([wall for mine, _ in taken for _, wall in mine]).middle:.0f}",
        f"{spread([wall for _, floor in taken for _, wall in floor]).middle:.0f}",
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__, "Fewer rounds: a look, not a result.")
    parser.add_argument("--rounds", type=int, default=9)
    chosen = parser.parse_args(arguments)
    head = ("", "times import typer", "target", "", "CPU ms ours", "typer", "wall ms ours", "typer")
    rounds = 3 if chosen.quick else chosen.rounds
    show("Start: CPU of a command", head, [compare(command, most, rounds) for command, most in COMMANDS])


if __name__ == "__main__":
    main()
