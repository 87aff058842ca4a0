"""Hooks on entries: how metrics, tracing, audit and recording see what happens."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sentient_cli.runtime.log import LogListener
from sentient_cli.runtime.run import current_run
from sentient_cli.store.entry import LogEntry

__all__ = ["GuardedHooks", "RunHook", "RunInfo"]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunInfo:
    """Which run an entry is of.

    Example:
        >>> info = RunInfo(run_id="5f0c", agent="Echo", session="01JS4F4Z5V02", query="01JS4F4Z5V01")
        >>> f"{info.agent} in run {info.run_id}"
        'Echo in run 5f0c'
    """

    run_id: str
    agent: str
    session: str
    query: str


class RunHook(Protocol):
    """Sees the entries of every run: metrics, tracing, audit and recording are such.

    Example:
        >>> class Counter:
        ...     def __init__(self) -> None:
        ...         self.seen: dict[str, int] = {}
        ...     def on_entries(self, run: RunInfo, entries: Sequence[LogEntry]) -> None:
        ...         self.seen[run.agent] = self.seen.get(run.agent, 0) + len(entries)
        >>> hook: RunHook = Counter()  # Host(…, hooks=[hook])
    """

    def on_entries(self, run: RunInfo, entries: Sequence[LogEntry]) -> None:
        """Take the new entries of a run, in order: those of one turn of the event loop, or the last of a run at once.

        Called on the event loop, so it returns at once; what it raises is logged once.
        """
        ...


class GuardedHooks:
    """Hooks whose failures stay their own.

    Args:
        hooks: All of them.
    """

    def __init__(self, hooks: Sequence[RunHook]) -> None:
        self._hooks = tuple(hooks)
        self._broken: set[int] = set()

    @property
    def patient(self) -> bool:
        """Whether all of them may be told late, of what came in many turns of the loop at once."""
        # A hook of somebody else may have anything else by this name.
        return all(getattr(hook, "patient", False) is True for hook in self._hooks)

    def listeners(self, info: RunInfo) -> list[LogListener]:
        """What to call with the entries of a run."""
        return [self._listener(hook, info) for hook in self._hooks]

    def _listener(self, hook: RunHook, info: RunInfo) -> LogListener:
        def listen(entries: Sequence[LogEntry]) -> None:
            # What a hook logs or prints is no part of the run that it is told about.
            token = current_run.set(None)
            try:
                hook.on_entries(info, entries)
            except Exception as error:  # noqa: BLE001 - a hook's failure stays its own
                self._report(hook, error)
            except asyncio.CancelledError as error:  # as the result of a cancelled future raises it
                self._report(hook, error)
            finally:
                current_run.reset(token)

        return listen

    def _report(self, hook: RunHook, error: BaseException) -> None:
        if id(hook) not in self._broken:
            self._broken.add(id(hook))
            with contextlib.suppress(Exception):  # neither may a handler of the agent's logging harm the run
                _logger.error("A hook failed; further failures of it are not reported: %r", hook, exc_info=error)
