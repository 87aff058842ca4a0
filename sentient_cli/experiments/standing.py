"""Where an experiment stands: what was stopped, by whom and why. Kept in the store, so that it outlives the process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from sentient_cli.errors import StoreError, VersionConflictError
from sentient_cli.experiments.guards import Tally
from sentient_cli.store.ports import StateStore

__all__ = [
    "Change",
    "ChangeKind",
    "Changed",
    "Standing",
    "change_standing",
    "read_standing",
    "resumed",
    "rolled_back",
    "stopped",
]

ChangeKind: TypeAlias = Literal["stop", "rollback", "resume"]
"""What was done to an experiment."""
_PREFIX: Final = "experiments/standing/"
_TRIES: Final = 8
_HISTORY: Final = 100


class Change(msgspec.Struct, frozen=True):
    """What was done to an experiment.

    Args:
        kind: What.
        at: When, in nanoseconds since the epoch.
        by: Who did it: ``guard``, or a person's name.
        why: The reason.
        variant: To which variant; empty: to all.

    Example:
        >>> Change("stop", 0, "guard", "25% of 40 runs failed, and 5% may", "warm").variant
        'warm'
    """

    kind: ChangeKind
    at: int
    by: str
    why: str
    variant: str = ""


class Standing(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where an experiment stands.

    Args:
        revision: Of which definition of the experiment this is true; with another one nothing is stopped.
        ended: Why it has ended as a whole; None: it has not.
        stopped: The variants that get no more traffic, and why.
        forgiven: What variants did before they were resumed: their guards do not count it.
        history: What was done to it, the oldest first, at most the last 100 changes.

    Example:
        >>> Standing("a1", stopped={"warm": Change("stop", 0, "ann", "dear", "warm")}).of("b2").stopped
        {}
    """

    revision: str = ""
    ended: Change | None = None
    stopped: dict[str, Change] = {}
    forgiven: dict[str, Tally] = {}
    history: tuple[Change, ...] = ()

    def of(self, revision: str) -> Standing:
        """The same for a definition of the experiment: what was stopped of another one is not stopped in this.

        Args:
            revision: That of the definition.
        """
        return self if revision == self.revision else Standing(revision, history=self.history)


def stopped(standing: Standing, change: Change) -> Standing:
    """With one variant stopped.

    Args:
        standing: As it was.
        change: What is done.
    """
    if standing.ended is not None or change.variant in standing.stopped:
        return standing
    return _with(standing, change, ended=None, stopped={**standing.stopped, change.variant: change})


def rolled_back(standing: Standing, change: Change) -> Standing:
    """With the whole experiment ended.

    Args:
        standing: As it was.
        change: What is done.
    """
    return standing if standing.ended is not None else _with(standing, change, change, standing.stopped)


def resumed(standing: Standing, change: Change, before: Mapping[str, Tally]) -> Standing:
    """With everything going on, or the one variant that the change names.

    Args:
        standing: As it was.
        change: What is done.
        before: What the variants did until now, by name.
    """
    left = {name: each for name, each in standing.stopped.items() if change.variant not in {"", name}}
    if standing.ended is None and left == standing.stopped:
        return standing
    gone = [*before] if standing.ended is not None else [name for name in standing.stopped if name not in left]
    forgiven = {**standing.forgiven, **{name: before[name] for name in gone if name in before}}
    return msgspec.structs.replace(_with(standing, change, None, left), forgiven=forgiven)


def _with(standing: Standing, change: Change, ended: Change | None, stopped: Mapping[str, Change]) -> Standing:
    history = (*standing.history, change)[-_HISTORY:]
    return msgspec.structs.replace(standing, ended=ended, stopped=dict(stopped), history=history)


class Changed(NamedTuple):
    """Where an experiment stands after a change.

    Args:
        standing: Where.
        version: That of the row; a later one is greater.
        is_ours: Whether the change has changed anything.
    """

    standing: Standing
    version: int
    is_ours: bool


async def read_standing(store: StateStore, name: str) -> tuple[Standing, int]:
    """Where an experiment stands, and the version of that.

    Args:
        store: Where it is kept.
        name: The experiment.

    Raises:
        StoreError: it cannot be read.
    """
    row = await store.get(_PREFIX + name)
    if row is None:
        return Standing(), 0
    try:
        return msgspec.json.decode(row.value, type=Standing), row.version
    except (ValueError, RecursionError) as error:
        raise StoreError(f"Where the experiment {name!r} stands cannot be read", why=str(error)) from error


async def change_standing(
    store: StateStore, name: str, revision: str, change: Callable[[Standing], Standing]
) -> Changed:
    """Change where an experiment stands, whoever else does the same.

    Args:
        store: Where it is kept.
        name: The experiment.
        revision: That of its definition.
        change: Gives the new from the old; may be asked several times.

    Raises:
        StoreError: it cannot be read or kept.
    """
    for _ in range(_TRIES):
        standing, version = await read_standing(store, name)
        before = standing.of(revision)
        after = change(before)
        if after is before:
            return Changed(before, version, is_ours=False)
        try:
            at = after.history[-1].at if after.history else 0
            version = await store.put(_PREFIX + name, msgspec.json.encode(after), expected=version, at=at)
        except VersionConflictError:
            continue
        return Changed(after, version, is_ours=True)
    raise StoreError(f"The experiment {name!r} could not be changed", why="Others change it all the time")
