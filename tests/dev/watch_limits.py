"""Run as a program: watches a folder under a limit of the system, and says on each line what it is told.

python watch_limits.py FOLDER (watches N | descriptors | none)
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import importlib
import resource
import sys
from pathlib import Path

from sentient_cli.dev.watching.watch import Scope, Watcher

REFUSED = 77
"""The exit code where no limit can be set."""
_CLONE_NEWUSER = 0x10000000


def _say(*words: str) -> None:
    sys.stdout.write("|".join(words) + "\n")
    sys.stdout.flush()


def _limit(kind: str, number: int) -> None:
    if kind == "watches":  # a namespace has limits of its own
        try:
            if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWUSER):
                sys.exit(REFUSED)
            Path("/proc/sys/user/max_inotify_watches").write_text(str(number))
        except OSError:
            sys.exit(REFUSED)
    if kind == "descriptors":
        opened = len(list(Path("/proc/self/fd").iterdir()))
        resource.setrlimit(resource.RLIMIT_NOFILE, (opened + 1, opened + 1))


async def _watch(folder: Path, kind: str, number: int) -> None:
    watcher = Watcher(Scope(folder), notice=lambda what, fix: _say("notice", what, fix))
    importlib.import_module("watchfiles._rust_notify")  # before there are no descriptors left
    _limit(kind, number)
    async with contextlib.aclosing(watcher.changes()) as changes:
        task = asyncio.create_task(watcher.started())
        task.add_done_callback(lambda _: _say("started"))
        async for changed in changes:
            _say("changed", *sorted(path.name for path in changed))


if __name__ == "__main__":
    asyncio.run(_watch(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0))
