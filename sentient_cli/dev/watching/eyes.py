"""The system's own word that something happened in a directory, through watchfiles."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

from sentient_cli.dev.watching.bell import Bell
from sentient_cli.dev.watching.inbox import Inbox
from sentient_cli.dev.watching.walk import is_text
from sentient_cli.runtime.loading.late import leave_first_file

if TYPE_CHECKING:
    from collections.abc import Iterable

    from watchfiles._rust_notify import RustNotify

__all__ = ["WHOLE_TREES", "Eyes"]

WHOLE_TREES: Final = sys.platform != "linux"
"""Whether one watch is for a directory and all below it, at no cost for what is ignored there."""
_SEVERAL: Final = 3
"""How many small watchers may be before they are made one."""
_SMALL: Final = 64
_PIECE: Final = 512
_MOST: Final = 8
_TRIES: Final = 5
_SETTLE: Final = 0.05
"""Seconds that the thread of a watcher which was refused may take to give back what it had."""
_FOR_EVER: Final = 0
_DEBOUNCE_MS: Final = 1
_ALERT_MS: Final = 2
"""Milliseconds between two looks once a bell has rung; without one they go on for ever, and are further apart."""


class Eyes:
    """Watches directories, each for itself, and puts what happens in them into an inbox.

    A watcher of watchfiles cannot be given more directories later, so those that come get one of their own, and are
    gathered into one when these become many.

    Args:
        inbox: Takes what happens; called in threads.
        step: Milliseconds between two looks at what the system has said, at most. A change is told after one or two.
    """

    def __init__(self, inbox: Inbox, *, step: int) -> None:
        self._inbox = inbox
        self._step = step
        self._layers: list[_Layer] = []
        self._rings = True
        self.refusal: str | None = None
        """Why the system does not watch any more directories; None while it does."""

    def watch(self, directories: Iterable[str]) -> list[str]:
        """Watch more directories.

        Returns:
            Those that cannot be watched.
        """
        self._layers = [layer for layer in self._layers if layer.lives()]
        wanted = self._topmost(directories) if WHOLE_TREES else list(dict.fromkeys(directories))
        possible = [path for path in wanted if is_text(path)]
        refused = [path for path in wanted if not is_text(path)]
        if possible:
            refused += possible if self.refusal is not None else self._add(possible)
        return refused

    def close(self) -> None:
        """End every thread."""
        layers, self._layers = self._layers, []
        for layer in layers:
            layer.bell.set()
        for layer in layers:
            layer.close()

    def _topmost(self, directories: Iterable[str]) -> list[str]:  # pragma: no cover - another operating system
        watched = {path for layer in self._layers for path in layer.directories}
        found: list[str] = []
        for path in sorted(dict.fromkeys(directories)):
            if not any(path.startswith(above.rstrip(os.sep) + os.sep) for above in (*watched, *found)):
                found.append(path)
        return found

    def _add(self, directories: list[str]) -> list[str]:
        """Watch directories that have names that are text; return those that were refused."""
        small = [layer for layer in self._layers if len(layer.directories) < _SMALL]
        if len(small) < _SEVERAL:
            small = []
        directories = list(dict.fromkeys([*directories, *(path for layer in small for path in layer.directories)]))
        # The interpreter stands still while a watcher is made, so not one for thousands.
        size = max(_PIECE, -(-len(directories) // _MOST))
        for first in range(0, len(directories), size):
            layer = self._layer(directories[first : first + size])
            if layer is None:
                return directories[first:]
            self._layers.append(layer)
        self._end(small)
        return []

    def _end(self, layers: list[_Layer]) -> None:
        for layer in layers:
            self._layers.remove(layer)
            layer.close()
            # What it heard and had not yet passed on is found by looking.
            self._inbox.look(layer.directories)

    def _layer(self, directories: list[str]) -> _Layer | None:
        muted = False
        for last in (*[False] * (_TRIES - 1), True):
            there = [path for path in directories if os.access(path, os.R_OK | os.X_OK)]
            try:
                return _Layer(there, self._inbox, self._step, rings=self._rings)
            except (FileNotFoundError, PermissionError):
                continue  # gone in between
            except (OSError, RuntimeError) as error:
                muted = self._mute() or muted
                if not muted or last:
                    self.refusal = str(error)
                    return None
                time.sleep(_SETTLE)
        self._inbox.look(directories)
        return _Layer([], self._inbox, self._step, rings=False)

    def _mute(self) -> bool:
        """Take the bells away, now that the system has no more watches; whether there were any."""
        self._rings = False
        ringing = [layer.bell for layer in self._layers if layer.bell.rings]
        for bell in ringing:
            bell.mute()
        return bool(ringing)


class _Layer:
    def __init__(self, directories: list[str], inbox: Inbox, step: int, *, rings: bool) -> None:
        leave_first_file("watchfiles")  # which imports what runs a process anew
        from watchfiles._rust_notify import RustNotify  # noqa: PLC0415 - only when something is watched

        self.directories = directories
        watched = RustNotify(directories, False, False, 300, WHOLE_TREES, False)
        self.bell = Bell(directories if rings else None)
        if self.bell.rings:
            step = min(step, _ALERT_MS)
        self._thread = threading.Thread(
            target=_pass_on, args=(watched, directories, inbox, step, self.bell), name="sentient-watch", daemon=True
        )
        self._thread.start()

    def lives(self) -> bool:
        return self._thread.is_alive()

    def close(self) -> None:
        self.bell.set()
        self._thread.join()


def _pass_on(watched: RustNotify, directories: list[str], inbox: Inbox, step: int, bell: Bell) -> None:
    # Without a limit of time: watchfiles forgets what came in just when the time is over.
    with watched, contextlib.closing(bell):
        while not bell.stopped:
            try:
                said = watched.watch(_DEBOUNCE_MS, step, _FOR_EVER, bell)
            except RuntimeError:
                # It never recovers from an error, such as the name of a file that is no text.
                inbox.broke(directories)
                return
            if not isinstance(said, str):
                inbox.put(said)
