"""The experiments of one process: they take part in runs, keep what becomes of them, and obey their guards."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Coroutine, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Final

from sentient_cli.clock import Clock
from sentient_cli.errors import StoreError
from sentient_cli.experiments.assignment import unit_key
from sentient_cli.experiments.book import MOST, OutcomeBook, read_batches
from sentient_cli.experiments.guards import Breach, Tally, breach_of
from sentient_cli.experiments.outcomes import Ending, LateScore, Outcome
from sentient_cli.experiments.plan import Plan
from sentient_cli.experiments.standing import (
    Change,
    ChangeKind,
    Standing,
    change_standing,
    read_standing,
    rolled_back,
    stopped,
)
from sentient_cli.experiments.taking_part import Part, TakingPart, current_part, laid_under
from sentient_cli.llm.hooks import CallRecord
from sentient_cli.llm.subject import tenant_begins
from sentient_cli.runtime.events import encode_json
from sentient_cli.runtime.run import Run
from sentient_cli.store.ports import StateStore

__all__ = ["Trials"]

_FRESH: Final = 1_000_000_000
"""Nanoseconds for which it is not looked again what other processes did."""
_GATHER: Final = 0.2
"""Seconds in which outcomes are gathered before they are written."""
_GUARD: Final = "guard"
_PAUSE: Final = 5.0
"""Seconds after which a store that failed is tried again."""

_logger = logging.getLogger(__name__)


class Trials:
    """Experiments that go on.

    Args:
        store: Where outcomes are kept, and what was stopped.
        clock: What the time is.
        writer: What no other process is called.
    """

    def __init__(self, store: StateStore, clock: Clock, writer: str) -> None:
        self._store = store
        self._clock = clock
        self._writer = writer
        self._plans: tuple[Plan, ...] = ()
        self._standing: dict[str, Standing] = {}
        self._versions: dict[str, int] = {}
        self._tallies: dict[str, _Tallies] = {}
        self._book = OutcomeBook(store, writer)
        self._running: dict[str, TakingPart] = {}
        self._looked = 0
        self._looking = asyncio.Lock()
        self._wanted: list[tuple[Plan, Change]] = []
        self._chore: asyncio.Task[None] | None = None
        self._closed = False
        self._failed = False

    def take(self, plans: Sequence[Plan]) -> None:
        """Have other experiments, for the runs that begin from now on.

        Args:
            plans: All of them.
        """
        self._plans = tuple(plans)
        self._looked = 0

    # -- runs --------------------------------------------------------------------------------------------------------

    async def ready(self) -> None:
        """See what other processes did, unless that was just seen."""
        if not self._plans or self._clock.now_ns() - self._looked < _FRESH:
            return
        if self._looking.locked() and all(plan.name in self._standing for plan in self._plans):
            return  # somebody looks, and what is known will do
        async with self._looking:
            if self._clock.now_ns() - self._looked < _FRESH:
                return
            try:
                for plan in self._plans:
                    await self._look(plan)
            except StoreError as error:
                self._report(error)
            self._looked = self._clock.now_ns()

    async def _look(self, plan: Plan) -> None:
        tallies = self._tallies.setdefault(plan.name, _Tallies())
        for batch in await read_batches(self._store, plan.name, tallies.versions):
            if f"/{self._writer}-" not in batch.key:
                tallies.take(batch.key, batch.version, batch.outcomes)
        standing, version = await read_standing(self._store, plan.name)
        if any(wanted.name == plan.name for wanted, _ in self._wanted) or version < self._versions.get(plan.name, 0):
            return
        before = self._standing.get(plan.name)
        self._standing[plan.name], self._versions[plan.name] = standing, version
        for change in () if before is None else standing.history[len(before.history) :]:
            if change.by != _GUARD:  # what a guard does is told by the process that it does it in
                whose = f" of its variant {change.variant!r}" if change.variant else ""
                _logger.info("The experiment %r: %s%s by %s: %s", plan.name, change.kind, whose, change.by, change.why)

    @contextmanager
    def around(self, run: Run) -> Generator[None]:
        """For the block, in which a run is started: it takes part in what goes on.

        Args:
            run: It has not begun.
        """
        now = self._clock.now_ns()
        plans = [plan for plan in self._plans if plan.name in self._standing and plan.runs_at(now)]
        if not plans:
            yield
            return

        def note(kind: str, data: object) -> None:
            run.note(kind, encode_json(data))

        part = TakingPart(run.id, now, note, self._draw, self._score_later)
        overlays = part.join([plan for plan in plans if plan.by == "session"], str(run.session.activity_id))
        self._running[run.id] = part
        users = [plan for plan in plans if plan.by == "user"]
        arriving = partial(_arriving, part, users) if users else None
        with laid_under(overlays):
            tokens = current_part.set(part), tenant_begins.set(arriving)
            try:
                yield
            finally:
                tenant_begins.reset(tokens[1])
                current_part.reset(tokens[0])

    def _draw(self, plan: Plan, unit: str) -> Part | None:
        drawn = plan.variant_of(unit)
        standing = self._standing[plan.name].of(plan.revision)
        if drawn is None or standing.ended is not None:
            return None
        is_stopped = drawn in standing.stopped
        variant = plan.control if is_stopped else drawn
        return Part(plan, variant, unit_key(plan.name, unit), counts=not is_stopped)

    def on_record(self, record: CallRecord) -> None:
        """Take what is told about a call of a run."""
        if (part := current_part.get()) is not None:
            part.on_record(record)

    def ending(self, run: Run, ending: Ending) -> None:
        """A run is about to end: its log is told what became of it, and so is whoever reads the results.

        Args:
            run: It takes its last entries.
            ending: How it ends.
        """
        part = self._running.pop(run.id, None)
        if part is None:
            return
        for name, outcome in part.end(ending, self._clock.now_ns()):
            tallies = self._tallies.setdefault(name, _Tallies())
            if tallies.kept >= MOST:
                self._say_full(name, tallies)
                continue
            tallies.add(outcome)
            self._book.add(name, outcome)
            self._judge(part.parts[name].plan, outcome.variant, tallies)
        self._begin_chore()

    def _score_later(self, run: str, name: str, value: float) -> bool:
        taken = self._book.add_score(LateScore(run, self._clock.now_ns(), name, value))
        self._begin_chore()
        return taken

    def _say_full(self, name: str, tallies: _Tallies) -> None:
        if not tallies.is_full:
            tallies.is_full = True
            _logger.warning("The experiment %r has %d outcomes, and no more are kept", name, tallies.kept)

    # -- guards ------------------------------------------------------------------------------------------------------

    def _judge(self, plan: Plan, variant: str, tallies: _Tallies) -> None:
        standing = self._standing[plan.name].of(plan.revision)
        if variant == plan.control or standing.ended is not None or variant in standing.stopped:
            return
        tally = tallies.of(plan.revision, variant)
        if (earlier := standing.forgiven.get(variant)) is not None:
            tally = tally.without(earlier)
        breach = breach_of(plan.guard, tally)
        if breach is not None:
            self._stop(plan, variant, standing, breach)

    def _stop(self, plan: Plan, variant: str, standing: Standing, breach: Breach) -> None:
        kind: ChangeKind = "rollback" if plan.rolls_back else "stop"
        change = Change(kind, self._clock.now_ns(), _GUARD, str(breach), variant)
        self._standing[plan.name] = _applied(change, standing)  # at once here; other processes see it in a moment
        self._wanted.append((plan, change))

    async def _obey(self) -> None:
        while self._wanted:
            plan, change = self._wanted[0]
            apply = partial(_applied, change)
            standing, version, is_ours = await change_standing(self._store, plan.name, plan.revision, apply)
            self._standing[plan.name], self._versions[plan.name] = standing, version
            del self._wanted[0]
            if is_ours:
                what = "is rolled back" if change.kind == "rollback" else f"stops its variant {change.variant!r}"
                whose = f": of the variant {change.variant!r} " if change.kind == "rollback" else ": "
                _logger.warning("The experiment %r %s%s%s", plan.name, what, whose, change.why)

    # -- what is kept ------------------------------------------------------------------------------------------------

    def _begin_chore(self) -> None:
        if self._chore is None and not self._closed and (self._wanted or not self._book.is_written):
            # In an empty context: it is no part of the run that happens to end just then.
            self._chore = contextvars.Context().run(_task, self._keep())

    async def _keep(self) -> None:
        try:
            while self._wanted or not self._book.is_written:
                await self._clock.sleep(_PAUSE if self._failed else _GATHER)
                await self._write()
        finally:
            self._chore = None

    async def _write(self) -> None:
        try:
            await self._obey()
            await self._book.flush()
            self._failed = False
        except StoreError as error:
            self._report(error)

    def _report(self, error: StoreError) -> None:
        if not self._failed:
            self._failed = True
            _logger.error("What is known of experiments cannot be read or kept: %s", error)

    async def aclose(self) -> None:
        """Keep what is not kept yet. May be called twice."""
        self._closed = True
        if (chore := self._chore) is not None:
            chore.cancel()
            await asyncio.wait((chore,))
        await self._write()


class _Tallies:
    """What the guards of an experiment have to know."""

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}
        self.kept = 0
        self.is_full = False
        self._others: dict[str, dict[tuple[str, str], Tally]] = {}
        self._sizes: dict[str, int] = {}
        self._own: dict[tuple[str, str], Tally] = {}

    def add(self, outcome: Outcome) -> None:
        self.kept += 1
        self._own.setdefault((outcome.revision, outcome.variant), Tally()).add(outcome)

    def take(self, key: str, version: int, outcomes: Sequence[Outcome]) -> None:
        """Take the row of another process, in the place of what it was before."""
        self.kept += len(outcomes) - self._sizes.get(key, 0)
        self._sizes[key], self.versions[key] = len(outcomes), version
        found: dict[tuple[str, str], Tally] = {}
        for outcome in outcomes:
            found.setdefault((outcome.revision, outcome.variant), Tally()).add(outcome)
        self._others[key] = found

    def of(self, revision: str, variant: str) -> Tally:
        whole = Tally()
        for each in (self._own, *self._others.values()):
            if (tally := each.get((revision, variant))) is not None:
                whole.include(tally)
        return whole


def _arriving(part: TakingPart, plans: Sequence[Plan], user: str) -> AbstractContextManager[None]:
    return laid_under(part.join(plans, user))


def _applied(change: Change, standing: Standing) -> Standing:
    return rolled_back(standing, change) if change.kind == "rollback" else stopped(standing, change)


def _task(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
    return asyncio.get_running_loop().create_task(work)
