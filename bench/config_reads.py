"""CPU that settings take on the way of each call. ``python -m bench.config_reads [--quick]``.

What a call is asked with is made of what the manager has for all calls, an experiment and the session, and the call
itself. Where nobody says anything, nothing is made.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence

from bench.arguments import parser_of
from bench.ratio import spread
from bench.servers import client_core
from bench.table import show
from sentient_cli.config.manager import ConfigurationManager
from sentient_cli.llm import Parameters
from sentient_cli.llm.defaults import NOTHING, InUse, current_use, in_force

__all__ = ["main", "microseconds", "reads"]

TARGET = 2.0

_SETTINGS = Parameters(temperature=0.2, max_tokens=500, stop=("END",), metadata={"team": "seven"})
_CALL = Parameters(temperature=0.0, seed=7, metadata={"case": "12"})
_SESSION = InUse(parameters=Parameters(top_p=0.9, max_tokens=100))


def reads() -> dict[str, Callable[[], object]]:
    """What is measured, by its name: each reads what settings say, once."""
    config = ConfigurationManager(values={"llm.parameters.temperature": 0.2}, environment={}, use_env_file=False)
    return {
        "a setting by its name, by a program": lambda: config.get("llm.parameters.temperature"),
        "the same with its type": lambda: config.get("llm.parameters.temperature", float),
        "a call, and nobody says anything": lambda: current_use.get() is None,
        "settings": lambda: in_force(_SETTINGS, current_use.get(), None),
        "settings and the call": lambda: in_force(_SETTINGS, current_use.get(), _CALL),
        "settings, session and the call": lambda: in_force(_SETTINGS, _SESSION, _CALL),
        "the call alone": lambda: in_force(NOTHING, current_use.get(), _CALL),
    }


def microseconds(read: Callable[[], object], times: int) -> float:
    """CPU of one read."""
    gc.collect()
    began = time.process_time()
    for _ in range(times):
        read()
    return (time.process_time() - began) / times * 1e6


def main(arguments: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__, "Fewer rounds: a look, not a result.")
    parser.add_argument("--rounds", type=int, default=9)
    chosen = parser.parse_args(arguments)
    client_core()
    rounds, times = (3, 20_000) if chosen.quick else (chosen.rounds, 200_000)
    rows: list[Sequence[object]] = []
    for name, read in reads().items():
        cost = spread([microseconds(read, times) for _ in range(rounds)])
        rows.append((name, cost, f"<= {TARGET:g}", "ok" if cost.middle <= TARGET else "MISSED"))
    show("What settings take of a call", ("", "CPU us", "target", ""), rows)


if __name__ == "__main__":
    main()
