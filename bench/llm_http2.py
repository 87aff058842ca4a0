"""HTTP/2 against HTTP/1.1, from 1 to 500 calls at once. ``python -m bench.llm_http2 [--quick]``.

The server (hypercorn, TLS on loopback) speaks both; an answer is a stream of twenty pieces. The clients are aiohttp, as
all our providers use it, which has no HTTP/2, and httpx2 with either. All connections stand before anything is
measured: what is compared is the work of a call, CPU time of the client, and the median of how long a call takes.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from socket import create_connection
from typing import IO, Final, NamedTuple

from bench.arguments import parser_of
from bench.peers import peer_python, versions
from bench.ratio import Pairs, Spread, abba
from bench.servers import client_core, free_port, spawn
from bench.streams import allow_files
from bench.table import show

__all__ = ["main"]

CLIENTS: Final = ("aiohttp", "httpx2, HTTP/1.1", "httpx2, HTTP/2")
AT_ONCE: Final = (1, 10, 100, 500)
_ENOUGH: Final = 100
"""Calls at once up to which HTTP/1.1 of httpx2 is measured as well: its pool takes quadratic time."""
_PROGRAMS = Path(__file__).parent / "programs"
_PATIENCE = 30.0


class Taken(NamedTuple):
    """What a call takes, in milliseconds."""

    cpu: float
    middle: float


Take = Callable[[int, int], Taken]
"""Makes so many calls, so many at once."""


def _certificate(folder: Path) -> Path:
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    both = folder / "both.pem"
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return both


@contextmanager
def _server(folder: Path, certificate: Path, said: IO[bytes]) -> Generator[str, None, None]:
    port = free_port()
    command = [str(peer_python("llm")), str(_PROGRAMS / "both_http.py"), str(port), str(certificate)]
    process = spawn(command, {}, said, folder)
    try:
        _await(port)
        yield f"https://localhost:{port}/v1/chat/completions"
    finally:
        process.kill()
        process.wait()


def _await(port: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


@contextmanager
def _client(name: str, url: str, certificate: Path) -> Generator[Take, None, None]:
    command = [str(peer_python("llm")), str(_PROGRAMS / "pools.py"), name, url, str(certificate)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        orders, figures = process.stdin, process.stdout

        def take(calls: int, at_once: int) -> Taken:
            print(calls, at_once, file=orders, flush=True)
            return Taken(*map(float, figures.readline().split()))

        try:
            yield take
        finally:
            process.kill()


def _rows(takers: Mapping[str, Take], calls: int, rounds: int) -> list[Sequence[object]]:
    rows: list[Sequence[object]] = []
    for at_once in AT_ONCE:
        for name in CLIENTS[: 2 if at_once <= _ENOUGH else 1]:
            make = max(calls, at_once)
            two, one = (partial(takers[client], make, at_once) for client in (CLIENTS[2], name))
            taken = abba(rounds, two, one)
            cpu, wait = (_ratio(taken, place) for place in (0, 1))
            least = (min(pair[0].cpu for pair, _ in taken), min(pair[0].cpu for _, pair in taken))
            rows.append((f"{at_once} at once, {name}", *(f"{each:.2f}" for each in least), cpu, wait))
    return rows


def _ratio(taken: Sequence[tuple[tuple[Taken, Taken], tuple[Taken, Taken]]], place: int) -> Spread:
    a = tuple(mine[0][place] + mine[1][place] for mine, _ in taken)
    return Pairs(a, tuple(other[0][place] + other[1][place] for _, other in taken)).ratio


def main(arguments: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__, "A look, not a result.")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args(arguments)
    calls, rounds = (100, 1) if chosen.quick else (200, chosen.rounds)
    allow_files()
    client_core()
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryFile() as said, ExitStack() as stack:
        certificate = _certificate(Path(place))
        url = stack.enter_context(_server(Path(place), certificate, said))
        takers = {name: stack.enter_context(_client(name, url, certificate)) for name in CLIENTS}
        rows = _rows(takers, calls, rounds)
    told = versions("llm", ("httpx2", "h2", "aiohttp", "hypercorn"))
    head = ("HTTP/2 against", "CPU ms, HTTP/2", "CPU ms, the other", "ratio of CPU", "ratio of time")
    show(f"HTTP/2 and HTTP/1.1 ({told})", head, rows)


if __name__ == "__main__":
    main()
