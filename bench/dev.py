"""``sentient dev`` against other tools that reload, and against ``serve``. ``python -m bench.dev [--quick]``."""

from __future__ import annotations

from collections.abc import Sequence

from bench import dev_flow, dev_idle, dev_saves, dev_soak, dev_start, dev_stop
from bench.arguments import parser_of
from bench.servers import client_core

__all__ = ["FIGURES", "main"]

FIGURES: Sequence[str] = ("saves", "start", "flow", "idle", "stop", "soak")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__, "Fewer rounds: a look, not a result.")
    parser.add_argument("--rounds", type=int, help="In the place of the number of each figure.")
    parser.add_argument("--figure", action="append", choices=FIGURES, help="Only this one; may be given again.")
    parser.add_argument("--peer", action="append", default=[], help="Compare with this one alone, such as `adk web`.")
    parser.add_argument("--saves", type=int, help="How many the soak has; 2000 for a long one.")
    parser.add_argument("--interval", type=float, default=0.5, help="Seconds between two saves of the soak.")
    parser.add_argument("--stream-seconds", type=float, default=1.5, help="How long a stream of the soak is.")
    chosen = parser.parse_args(arguments)
    client_core()

    def rounds(full: int, quick: int) -> int:
        return chosen.rounds or (quick if chosen.quick else full)

    for figure in chosen.figure or FIGURES:
        if figure == "saves":
            dev_saves.run(rounds(25, 5), chosen.peer)
        elif figure == "start":
            dev_start.run(rounds(7, 2), chosen.peer)
        elif figure == "flow":
            dev_flow.run(rounds(7, 2), quick=chosen.quick)
        elif figure == "idle":
            dev_idle.run(rounds(5, 2))
        elif figure == "stop":
            dev_stop.run(rounds(20, 3))
        else:
            dev_soak.run(chosen.saves or (40 if chosen.quick else 200), chosen.interval, chosen.stream_seconds)


if __name__ == "__main__":
    main()
