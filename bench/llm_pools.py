"""The profiles of connections, each under three loads. ``python -m bench.llm_pools [--quick]``.

The loads are played sixty times as fast and ten times as small, and so are the times and sizes of the profiles: a
second is a minute, and one connection is ten. ``steady`` has 400 who ask again twelve seconds after each answer of six;
``bursty`` 800 calls at once, every two minutes; ``streaming`` 1,200 answers of ten minutes each, begun within six. All
is over TLS, so that a connection costs what it does. Taken are the CPU time of the client for a call, the time to the
first piece of an answer, connections that the server saw, calls that got none, memory at its highest and at the end,
and the connections that stand then. Each measurement is a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final, get_args

from bench.arguments import parser_of
from bench.llm_scenes import Models, scene
from bench.programs.pooled import LOADS, Taken
from bench.ratio import percentile, spread
from bench.reference import ROOT
from bench.servers import client_core
from bench.streams import allow_files
from bench.table import show
from sentient_cli.config.pools import Profile

__all__ = ["main"]

PROFILES: Final[tuple[str, ...]] = get_args(Profile)
_MB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement.

    Args:
        taken: What the client says.
        made: Connections that the server saw.
    """

    taken: Taken
    made: int


def make_certificate(folder: Path) -> Path:
    """A file with a key and a certificate for ``localhost``, signed by itself."""
    key, certificate, both = folder / "key.pem", folder / "certificate.pem", folder / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return both


def measure(models: Models, certificate: Path, profile: str, load: str, scale: float) -> Measured:
    """Play a load by a profile.

    Args:
        models: The server.
        certificate: What it is trusted by.
        profile: Which connections are kept.
        load: What is asked.
        scale: How much of it, 1 for all.
    """
    before = models.counts["accepted"]
    url = f"https://localhost:{models.tls}/a/v1"
    command = [sys.executable, "-m", "bench.programs.pooled", url, str(certificate), profile, load, str(scale)]
    said = subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=dict(os.environ)).stdout
    return Measured(Taken(**json.loads(said)), models.counts["accepted"] - before - 1)  # the last one asked for this


def _row(profile: str, load: str, found: Sequence[Measured]) -> Sequence[object]:
    calls = [len(each.taken.first) + each.taken.failed for each in found]
    firsts = sorted(time for each in found for time in each.taken.first)
    cpu = spread([each.taken.cpu / len(each.taken.first) * 1e3 for each in found])
    return (
        f"{load} load, profile {profile}{' (its own)' if load == profile else ''}",
        cpu,
        f"{percentile(firsts, 0.5):.1f}",
        f"{percentile(firsts, 0.95):.1f}",
        f"{median(each.made for each in found):.0f}",
        f"{median(each.taken.failed for each in found):.0f} of {calls[0]}",
        f"{median(each.taken.peak for each in found) / _MB:.0f}",
        f"{median(each.taken.rest for each in found) / _MB:.0f}",
        f"{median(each.taken.standing for each in found):.0f}",
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__, "A third of it, once: a look, not a result.")
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args(arguments)
    rounds, scale = (1, 0.3) if chosen.quick else (chosen.rounds, 1.0)
    allow_files()
    client_core()
    found: dict[tuple[str, str], list[Measured]] = {(load, profile): [] for load in LOADS for profile in PROFILES}
    with tempfile.TemporaryDirectory() as place:
        certificate = make_certificate(Path(place))
        with scene("paced", certificate=str(certificate)) as models:
            for number in range(rounds):
                for load in LOADS:
                    turn = number % len(PROFILES)  # nobody is always the first
                    for profile in (*PROFILES[turn:], *PROFILES[:turn]):
                        found[load, profile].append(measure(models, certificate, profile, load, scale))
    rows = [_row(profile, load, each) for (load, profile), each in found.items()]
    head = ("", "CPU ms a call", "first p50 ms", "p95 ms", "made", "no connection", "MB most", "MB end", "stand")
    show("Profiles of connections, a minute a second, ten as one", head, rows)


if __name__ == "__main__":
    main()
