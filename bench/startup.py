"""CPU of the first answer, against importing what it cannot do without. ``python -m bench.startup [--quick]``."""

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
from sentient_cli.credentials.catalogue import Card, Catalogue

__all__ = ["COMMANDS", "cpu_of", "main"]

_SCRIPT = str(Path(sys.executable).with_name("sentient"))
_TYPER = "import typer"
_KEYS = "import keyring, typer"
COMMANDS: Sequence[tuple[Sequence[str], float, str]] = (
    (("--help",), 1.5, _TYPER),
    (("chat", "--help"), 3.0, _TYPER),
    (("--version",), 0.6, _TYPER),
    (("keys", "list"), 2.0, _KEYS),
)
"""Each command, how many times the CPU of the floor it may take, and the floor."""


def cpu_of(command: Sequence[str], repeat: int = 3) -> tuple[float, float]:
    """CPU and wall time of a command, in milliseconds, each the mean of a few runs.

    Raises:
        RuntimeError: the command fails.
    """
    nowhere = subprocess.DEVNULL
    with tempfile.TemporaryDirectory() as folder:
        _store_keys(Path(folder, "sentient", "credentials.json"))
        environment = {**os.environ, "XDG_DATA_HOME": folder}
        cpu, wall = 0.0, time.perf_counter()
        for _ in range(repeat):
            process = subprocess.Popen(
                command, stdin=nowhere, stdout=nowhere, stderr=nowhere, cwd=folder, env=environment
            )
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                raise RuntimeError(f"{' '.join(command)} failed with exit code {process.returncode}")
            cpu += used.ru_utime + used.ru_stime
    return cpu / repeat * 1e3, (time.perf_counter() - wall) / repeat * 1e3


def _store_keys(path: Path) -> None:
    """A list of keys as somebody has who works with many."""
    names = ("openai", "anthropic", "groq", "mistral", "a-customer.eu-west")
    profiles = ("default", "dev", "staging", "production")
    Catalogue(path).put(
        *(
            Card(profile=profile, name=name, store="keyring", fingerprint="0f2c10bf3d12", changed_at=time.time_ns())
            for profile in profiles
            for name in names
        )
    )


def compare(command: Sequence[str], most: float, imports: str, rounds: int) -> Sequence[object]:
    """ABBA rounds of one command and the floor; return the row of the table."""
    ours, floor_of = (_SCRIPT, *command), (sys.executable, "-c", imports)
    for warm in (ours, floor_of):
        cpu_of(warm, 1)
    taken = abba(rounds, lambda: cpu_of(ours), lambda: cpu_of(floor_of))
    ratio = spread([sum(cpu for cpu, _ in mine) / sum(cpu for cpu, _ in floor) for mine, floor in taken])
    return (
        " ".join(("sentient", *command)),
        imports,
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
    head = ("", "floor", "times the floor", "target", "", "CPU ms ours", "floor", "wall ms ours", "floor")
    rounds = 3 if chosen.quick else chosen.rounds
    show("Start: CPU of a command", head, [compare(*row, rounds) for row in COMMANDS])


if __name__ == "__main__":
    main()
