"""`sentient serve` as it is, with one hook that counts the entries of every run.

Arguments are those of the command line. The count is said at the end, on stderr, for the measurement to check.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence

from sentient_cli.cli.main import main
from sentient_cli.host import RunInfo, compose
from sentient_cli.store.entry import LogEntry


class Counter:
    """Counts, as the cheapest metric would."""

    def __init__(self) -> None:
        self.entries = 0

    def on_entries(self, run: RunInfo, entries: Sequence[LogEntry]) -> None:
        del run
        self.entries += len(entries)


def serve() -> int:
    counter = Counter()
    # The command line has no option for hooks of one's own; everything else is what a user runs.
    compose.build_host = functools.partial(compose.build_host, hooks=(counter,))
    try:
        return main()
    finally:
        sys.stderr.write(f"\nhook saw {counter.entries} entries\n")


if __name__ == "__main__":
    sys.exit(serve())
