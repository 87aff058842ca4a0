"""Time to the first event, and of the whole answer, at 50 streams of 500. ``python -m bench.latency [--quick]``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.arguments import parser_of
from bench.client import Answer, ask_all
from bench.ratio import abba, percentile, spread
from bench.servers import Kind, Server, client_core, start
from bench.table import show

__all__ = ["FIGURES", "Figure", "compare", "main"]

PEERS: Sequence[Kind] = ("framework", "framework, fast")
_STREAMS, _COUNT = 50, 500


def _first(answers: Sequence[Answer]) -> list[float]:
    return [answer.first for answer in answers if answer.first is not None]


def _whole(answers: Sequence[Answer]) -> list[float]:
    return [answer.whole for answer in answers if answer.whole is not None]


@dataclass(frozen=True, slots=True)
class Figure:
    """What is looked at.

    Args:
        name: For people.
        values: Takes it from the answers, in seconds.
        share: Which percentile.
        most: The share of the framework's time that ours may take.
    """

    name: str
    values: Callable[[Sequence[Answer]], list[float]]
    share: float
    most: float

    def of(self, answers: Sequence[Answer]) -> float:
        """Its value in milliseconds over the streams of one measurement."""
        return percentile(self.values(answers), self.share) * 1e3


FIGURES = (
    Figure("first event, p50", _first, 0.5, 1 / 10),
    Figure("whole answer, p50", _whole, 0.5, 1 / 3),
    Figure("whole answer, p95", _whole, 0.95, 1 / 3),
)


def compare(ours: Server, theirs: Server, rounds: int) -> list[Sequence[object]]:
    """ABBA rounds on two servers that run already; return rows of the table."""

    def ask(server: Server) -> list[Answer]:
        return ask_all(server.port, _STREAMS, _COUNT)

    for server in (ours, theirs):
        ask(server)
    taken = abba(rounds, lambda: ask(ours), lambda: ask(theirs))
    return [_row(theirs.kind, figure, taken) for figure in FIGURES]


_Answers = list[Answer]


def _row(
    kind: Kind, figure: Figure, taken: Sequence[tuple[tuple[_Answers, _Answers], tuple[_Answers, _Answers]]]
) -> Sequence[object]:
    pairs = [(sum(map(figure.of, mine)) / 2, sum(map(figure.of, other)) / 2) for mine, other in taken]
    ratio = spread([mine / other for mine, other in pairs])
    return (
        kind,
        figure.name,
        f"{ratio.middle:.3f} ({ratio.low:.3f} … {ratio.high:.3f})",
        f"<= {figure.most:.2f}",
        "ok" if ratio.middle <= figure.most else "MISSED",
        f"{spread([mine for mine, _ in pairs]).middle:.1f}",
        f"{spread([other for _, other in pairs]).middle:.1f}",
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__, "Fewer rounds: a look, not a result.")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--peer", action="append", choices=PEERS)
    chosen = parser.parse_args(arguments)
    client_core()
    rows: list[Sequence[object]] = []
    with start("ours") as ours:
        for kind in chosen.peer or PEERS:
            with start(kind) as theirs:
                rows += compare(ours, theirs, 3 if chosen.quick else chosen.rounds)
    head = ("against", f"{_STREAMS} streams of {_COUNT}", "share of its time", "target", "", "ms ours", "theirs")
    show("Latency: wall time at the client", head, rows)


if __name__ == "__main__":
    main()
