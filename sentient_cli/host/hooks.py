"""Hooks on entries: how metrics, tracing, audit and recording see what happens."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sentient_cli.store.entry import Entry

__all__ = ["GuardedHooks", "RunHook", "RunInfo"]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunInfo:
    """Which run an entry is of."""

    run_id: str
    agent: str
    session: str
    query: str


class RunHook(Protocol):
    """Sees every entry of every run: metrics, tracing, audit, recording implement it."""

    def on_entry(self, run: RunInfo, entry: Entry) -> None:
        """Take one entry. Called on the event loop, so it returns at once; what it raises is logged once."""
        ...


class GuardedHooks:
    """Hooks whose failures stay their own.

    Args:
        hooks: All of them.
    """

    def __init__(self, hooks: Sequence[RunHook]) -> None:
        self._hooks = tuple(hooks)
        self._broken: set[int] = set()

    def listeners(self, info: RunInfo) -> list[Callable[[Entry], None]]:
        """What to call with each entry of a run."""
        return [self._listener(hook, info) for hook in self._hooks]

    def _listener(self, hook: RunHook, info: RunInfo) -> Callable[[Entry], None]:
        def listen(entry: Entry) -> None:
            try:
                hook.on_entry(info, entry)
            except Exception:
                if id(hook) not in self._broken:
                    self._broken.add(id(hook))
                    _logger.exception("A hook failed; further failures of it are not reported: %r", hook)

        return listen
