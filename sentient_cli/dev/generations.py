"""Which generation answers, which are loaded, which finish: a state machine without processes or clocks of its own."""

from __future__ import annotations

from enum import Enum
from typing import Final, TypeAlias

import msgspec

__all__ = [
    "Action",
    "Cancel",
    "Generations",
    "Kill",
    "Launch",
    "Leave",
    "Limits",
    "Retire",
    "Serve",
    "Stage",
    "Tell",
]


class Stage(Enum):
    """Where a generation stands."""

    LOADING = "loading"
    CURRENT = "current"
    RETIRING = "retiring"
    LEAVING = "leaving"


class _About(msgspec.Struct, frozen=True):
    generation: int


class Launch(_About, frozen=True):
    """Start to load a generation."""


class Serve(_About, frozen=True):
    """From now on connections go to this generation."""


class Retire(_About, frozen=True):
    """Tell a generation that another one answers now."""


class Leave(_About, frozen=True):
    """Tell a generation that no connection comes any more."""


class Cancel(_About, frozen=True):
    """Have a generation cancel its runs."""

    reason: str


class Kill(_About, frozen=True):
    """End the process of a generation."""


class Tell(msgspec.Struct, frozen=True):
    """Tell those that answer which generation is broken; None: none."""

    broken: int | None


Action: TypeAlias = Launch | Serve | Retire | Leave | Cancel | Kill | Tell


class Limits(msgspec.Struct, frozen=True):
    """Bounds. Times are seconds.

    Args:
        old: How many generations may be finishing their runs.
        finish: How long one may take for it.
        cancel: How long its runs may take to end once they are cancelled.
        supersede: How many generations in a row may be given up for a newer one while they are loaded.
        load: How long a generation is loaded before a newer one may always replace it.
        crashes: After so many ends of processes that should not have ended, none is started until a change.
        crash_window: Within which time that is.
    """

    old: int = 4
    finish: float = 120.0
    cancel: float = 5.0
    supersede: int = 4
    load: float = 10.0
    crashes: int = 5
    crash_window: float = 30.0


class _Member(msgspec.Struct):
    stage: Stage
    since: float
    cancelled: bool = False


_TOO_OLD: Final = "A newer version of the agent has replaced this one"


class Generations(msgspec.Struct):
    """Decides. Every method takes what happened and returns what has to be done, in order.

    Args:
        limits: Bounds.

    Example:
        >>> generations = Generations()
        >>> generations.change(0.0), generations.loaded(1, 0.1)
        ([Launch(generation=1)], [Serve(generation=1)])
        >>> generations.change(5.0), generations.loaded(2, 5.1)
        ([Launch(generation=2)], [Serve(generation=2), Retire(generation=1)])
        >>> generations.change(9.0), generations.failed(3, 9.1)
        ([Launch(generation=3)], [Tell(broken=3)])
        >>> generations.current, generations.broken
        (2, 3)
    """

    limits: Limits = msgspec.field(default_factory=Limits)
    current: int | None = None
    """Who answers."""
    broken: int | None = None
    """The newest generation, when it could not be loaded."""
    _members: dict[int, _Member] = msgspec.field(default_factory=dict)
    _last: int = 0
    _superseded: int = 0
    _again: bool = False
    _stopped: bool = False
    _crashes: list[float] = msgspec.field(default_factory=list)

    # -- what is so --------------------------------------------------------------------------------------------------

    @property
    def loading(self) -> int | None:
        """Which is being loaded."""
        return next((number for number, member in self._members.items() if member.stage is Stage.LOADING), None)

    def stage(self, generation: int) -> Stage | None:
        """Where a generation stands; None: it is not there (any more)."""
        member = self._members.get(generation)
        return member.stage if member is not None else None

    def owner(self, generation: int) -> int | None:
        """Who answers what is about a run of a generation."""
        answers = self.stage(generation) in {Stage.CURRENT, Stage.RETIRING}
        return generation if answers else self.current

    # -- what happens ------------------------------------------------------------------------------------------------

    def change(self, now: float) -> list[Action]:
        """Files have changed, or a reload was asked for."""
        if self._stopped:
            return []
        self._crashes.clear()
        loading = self.loading
        if loading is None:
            return [self._launch(now)]
        if self._superseded >= self.limits.supersede and not self._hangs(loading, now):
            self._again = True  # saves that never end must not keep the code from being loaded for ever
            return []
        return self._supersede(loading, now)

    def _hangs(self, loading: int, now: float) -> bool:
        return now - self._members[loading].since > self.limits.load

    def _supersede(self, loading: int, now: float) -> list[Action]:
        self._superseded += 1
        self._again = False
        del self._members[loading]
        return [Kill(loading), self._launch(now)]

    def _launch(self, now: float) -> Launch:
        self._last += 1
        self._members[self._last] = _Member(Stage.LOADING, now)
        return Launch(self._last)

    def loaded(self, generation: int, now: float) -> list[Action]:
        """A generation can answer."""
        if self.stage(generation) is not Stage.LOADING or self._stopped:
            return []
        actions: list[Action] = [Serve(generation)]
        if self.current is not None:
            self._members[self.current] = _Member(Stage.RETIRING, now)
            actions.append(Retire(self.current))
        self._members[generation] = _Member(Stage.CURRENT, now)
        self.current = generation
        actions += self._settle(None, now)
        return [*actions, *self._cancel_oldest(now)]

    def failed(self, generation: int, now: float) -> list[Action]:
        """A generation cannot be loaded."""
        if self.stage(generation) is not Stage.LOADING:
            return []
        del self._members[generation]
        return [] if self._stopped else self._settle(generation, now)

    def _settle(self, broken: int | None, now: float) -> list[Action]:
        actions: list[Action] = [Tell(broken)] if broken != self.broken else []
        self.broken = broken
        self._superseded = 0
        if self._again:
            self._again = False
            actions.append(self._launch(now))
        return actions

    def _cancel_oldest(self, now: float) -> list[Action]:
        old = [number for number, member in self._members.items() if member.stage is Stage.RETIRING]
        actions: list[Action] = []
        for number in sorted(old)[: max(0, len(old) - self.limits.old)]:
            actions += self._cancel(number, now)
        return actions

    def _cancel(self, generation: int, now: float) -> list[Action]:
        member = self._members[generation]
        if member.cancelled:
            return []
        member.cancelled = True
        member.since = now
        return [Cancel(generation, _TOO_OLD)]

    def idle(self, generation: int, now: float) -> list[Action]:
        """A generation that was retired has nothing left to do."""
        if self.stage(generation) is not Stage.RETIRING:
            return []
        self._members[generation] = _Member(Stage.LEAVING, now)
        return [Leave(generation)]

    def died(self, generation: int, now: float) -> list[Action]:
        """The process of a generation has ended, for whatever reason."""
        stage = self.stage(generation)
        if stage is Stage.LOADING:
            return self.failed(generation, now)
        if stage is None:
            return []
        del self._members[generation]
        if stage is not Stage.CURRENT:
            return []
        self.current = None
        if self._stopped or self.loading is not None:
            return []
        self._crashes = [at for at in self._crashes if now - at < self.limits.crash_window]
        self._crashes.append(now)
        if len(self._crashes) >= self.limits.crashes:
            return self._settle(generation, now)
        return [self._launch(now)]

    def tick(self, now: float) -> list[Action]:
        """Some time has passed; call it about once a second."""
        actions: list[Action] = []
        loading = self.loading
        if self._again and loading is not None and self._hangs(loading, now):
            actions += self._supersede(loading, now)
        for number, member in list(self._members.items()):
            waited = now - member.since
            if member.stage is Stage.RETIRING and not member.cancelled and waited >= self.limits.finish:
                actions += self._cancel(number, now)
            elif (member.cancelled or member.stage is Stage.LEAVING) and waited >= self.limits.cancel:
                member.since = now
                member.stage = Stage.LEAVING  # until its end is known nothing more is given to it
                actions.append(Kill(number))
        return actions

    def stop(self) -> list[int]:
        """Everything ends: nothing is launched any more. Return who is there."""
        self._stopped = True
        self._again = False
        return list(self._members)
