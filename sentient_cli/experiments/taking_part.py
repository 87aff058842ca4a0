"""A run that takes part in experiments: which variants it has, whether they mattered, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import msgspec

from sentient_cli.experiments.assignment import unit_key
from sentient_cli.experiments.outcomes import Ending, Outcome
from sentient_cli.experiments.plan import Plan
from sentient_cli.llm.defaults import InUse, Overlay, current_use, under
from sentient_cli.llm.hooks import CallRecord
from sentient_cli.llm.types import JsonValue

__all__ = ["Part", "TakingPart", "current_part", "laid_under"]

MOST_SCORES: Final = 50
_TOKENS: Final = ("input", "cache_read", "cache_write", "cache_write_1h", "output")


class Part(msgspec.Struct):
    """The part of one run in one experiment.

    Args:
        plan: The experiment.
        variant: What the run has.
        unit: Stands for its session or user.
        counts: Whether it is recorded; not for a unit whose variant was stopped.
        exposed: Whether the variant can have mattered already.
    """

    plan: Plan
    variant: str
    unit: str
    counts: bool = True
    exposed: bool = False

    @property
    def overlay(self) -> Overlay | None:
        """What its calls get; None: the variant sets nothing."""
        variant = self.plan.variants[self.variant]
        if not variant.fields:
            return None
        name = f"{self.plan.name}/{self.variant}"
        return Overlay(layer="experiment", name=name, model=variant.model, parameters=variant.parameters)


class TakingPart:
    """One run and its experiments.

    Args:
        run: The id of the run.
        began: When it began, in nanoseconds since the epoch.
        note: Appends an entry to its log.
        draw: Gives the part of a unit in an experiment; None: it has none.
        later: Takes the score of a run that has ended, by its id; False: there are too many.
    """

    def __init__(
        self,
        run: str,
        began: int,
        note: Callable[[str, dict[str, JsonValue]], None],
        draw: Callable[[Plan, str], Part | None],
        later: Callable[[str, str, float], bool],
    ) -> None:
        self._run = run
        self._began = began
        self._note = note
        self._draw = draw
        self._later = later
        self.parts: dict[str, Part] = {}
        self._scores: dict[str, float] = {}
        self._calls = self._failed = self._tokens = 0
        self._cost: float | None = 0.0
        self._knows_tokens = True

    def join(self, plans: Sequence[Plan], unit: str) -> list[Overlay]:
        """Take part in experiments, and give what calls get for that.

        Args:
            plans: The experiments.
            unit: The session or user that the run is of. A run belongs to the first of its users.
        """
        for plan in plans:
            if plan.name not in self.parts and (part := self._draw(plan, unit)) is not None:
                self.parts[plan.name] = part
        wanted = [self.parts[plan.name] for plan in plans if plan.name in self.parts]
        own = [part for part in wanted if part.unit == unit_key(part.plan.name, unit)]
        return [overlay for part in own if (overlay := part.overlay) is not None]

    def variant(self, name: str) -> str | None:
        """The variant of an experiment, for an agent that does something about it itself; None: it takes no part.

        Args:
            name: The experiment.
        """
        part = self.parts.get(name)
        if part is None:
            return None
        self._expose(part)
        return part.variant

    def score(self, name: str, value: float, run: str | None = None) -> bool:
        """Say how good a run is; a second time, instead of the first. False: there are too many scores already.

        Args:
            name: What it is about.
            value: A finite number.
            run: The id of an earlier run; None: this one.
        """
        if run is not None and run != self._run:
            self._note("experiment.score", {"name": name, "value": value, "run": run})
            return self._later(run, name, value)
        if name not in self._scores and len(self._scores) >= MOST_SCORES:
            return False
        self._scores[name] = value
        self._note("experiment.score", {"name": name, "value": value})
        return True

    def on_record(self, record: CallRecord) -> None:
        """Take what is told about a call of the run."""
        if record.kind == "llm.request":
            self._calls += 1
            for part in self.parts.values():
                self._expose(part)
        elif record.kind == "llm.usage":
            counts = [value for name in _TOKENS if isinstance(value := record.data.get(name), int)]
            self._knows_tokens &= bool(counts)
            self._tokens += sum(counts)
        elif record.kind == "llm.finished":
            self._failed += record.data.get("outcome") == "error"
            cost = 0.0 if record.data.get("cached") is True else record.data.get("cost")
            if isinstance(cost, int | float) and self._cost is not None:
                self._cost += cost
            else:
                self._cost = None

    def _expose(self, part: Part) -> None:
        if part.exposed:
            return
        part.exposed = True
        if part.counts:
            told: dict[str, JsonValue] = {"revision": part.plan.revision, "by": part.plan.by}
            self._note("experiment.exposed", {**_told(part), **told})

    def end(self, ending: Ending, now: int) -> list[tuple[str, Outcome]]:
        """What became of it, for each experiment whose variant can have mattered; the log is told too.

        Args:
            ending: How the run ended.
            now: When, in nanoseconds since the epoch.
        """
        found: list[tuple[str, Outcome]] = []
        for name, part in self.parts.items():
            if not (part.exposed and part.counts):
                continue
            outcome = Outcome(
                run=self._run,
                revision=part.plan.revision,
                variant=part.variant,
                unit=part.unit,
                at=now,
                ending=ending,
                failed_calls=self._failed,
                seconds=max(0, now - self._began) / 1e9,
                tokens=self._tokens if self._knows_tokens else None,
                cost=self._cost,
                scores=dict(self._scores),
            )
            found.append((name, outcome))
            self._note("experiment.outcome", {**_told(part), **_figures(outcome)})
        return found


def _told(part: Part) -> dict[str, JsonValue]:
    return {"experiment": part.plan.name, "variant": part.variant, "unit": part.unit}


def _figures(outcome: Outcome) -> dict[str, JsonValue]:
    return {
        "ending": outcome.ending,
        "failed": outcome.failed,
        "seconds": outcome.seconds,
        "tokens": outcome.tokens,
        "cost": outcome.cost,
        "scores": {**outcome.scores},
    }


current_part: ContextVar[TakingPart | None] = ContextVar("current_part", default=None)
"""The run that the current task belongs to, where it takes part in experiments."""


@contextmanager
def laid_under(overlays: Sequence[Overlay]) -> Generator[None]:
    """For the block, and what is started in it: calls get what overlays of experiments have.

    What a session says lies above it, whichever of the two was said first.

    Args:
        overlays: Those of experiments.
    """
    if not overlays:
        yield
        return
    outer = current_use.get() or InUse()
    kept = {each.name: each for each in (*outer.overlays, *overlays) if each.layer == "experiment"}
    every = (*kept.values(), *(each for each in outer.overlays if each.layer != "experiment"))
    inner = InUse()
    for each in every:
        merged = under(inner.parameters, each.parameters)
        inner = InUse(overlays=every, model=each.model or inner.model, parameters=merged)
    token = current_use.set(inner)
    try:
        yield
    finally:
        current_use.reset(token)
