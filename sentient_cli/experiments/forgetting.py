"""What is known of experiments that are in no settings any more is forgotten, once nothing was added for a while."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec

from sentient_cli.errors import VersionConflictError
from sentient_cli.store.ports import KeptRow, StateStore

__all__ = ["forget_removed"]

_OUTCOMES: Final = "experiments/outcomes/"
_STANDING: Final = "experiments/standing/"
_SCORES: Final = "experiments/scores/"


async def forget_removed(store: StateStore, present: Collection[str], before: int) -> Sequence[str]:
    """Remove the rows of experiments that are gone, and of scores that belong to none of the others.

    Args:
        store: Where they are kept.
        present: The experiments of the settings, whether or not they run.
        before: Only what was last added to before this time, in nanoseconds since the epoch.

    Returns:
        The experiments that were forgotten.

    Raises:
        StoreError: the store fails.

    Example:
        >>> import asyncio
        >>> from sentient_cli.store.memory import MemoryStateStore
        >>> async def main() -> list[str]:
        ...     store = MemoryStateStore()
        ...     _ = await store.put("experiments/standing/tone", b"{}", expected=0, at=1)
        ...     _ = await store.put("experiments/standing/wording", b"{}", expected=0, at=1)
        ...     return list(await forget_removed(store, ["wording"], 2))
        >>> asyncio.run(main())
        ['tone']
    """
    forgotten: list[str] = []
    for name, rows in (await _by_experiment(store)).items():
        if name not in present and max([await _changed_at(store, row) for row in rows]) < before:
            await _delete(store, rows)
            forgotten.append(name)
    if forgotten:
        await _forget_scores(store, before)
    return forgotten


async def _by_experiment(store: StateStore) -> Mapping[str, list[KeptRow]]:
    found: dict[str, list[KeptRow]] = {}
    for prefix in (_OUTCOMES, _STANDING):
        for row in await _listed(store, prefix):
            found.setdefault(row.key.removeprefix(prefix).partition("/")[0], []).append(row)
    return found


async def _listed(store: StateStore, prefix: str) -> list[KeptRow]:
    found: list[KeptRow] = []
    while rows := await store.kept(prefix, after=found[-1].key if found else ""):
        found += rows
    return found


async def _changed_at(store: StateStore, row: KeptRow) -> int:
    """When something was last added to a row; those of earlier releases know it only inside."""
    if row.at:
        return row.at
    from sentient_cli.experiments.outcomes import LateScore, Outcome  # noqa: PLC0415 - most stores have no such row
    from sentient_cli.experiments.standing import Standing  # noqa: PLC0415 - the same

    found = await store.get(row.key)
    if found is None:
        return 0
    try:
        if row.key.startswith(_STANDING):
            return max((each.at for each in msgspec.json.decode(found.value, type=Standing).history), default=0)
        if row.key.startswith(_SCORES):
            return max((each.at for each in msgspec.json.decode(found.value, type=list[LateScore])), default=0)
        return max((each.at for each in msgspec.json.decode(found.value, type=list[Outcome])), default=0)
    except (ValueError, RecursionError):  # nobody could read it anyhow
        return 0


async def _delete(store: StateStore, rows: Sequence[KeptRow]) -> None:
    for row in rows:
        try:
            await store.delete(row.key, expected=row.version)
        except VersionConflictError:  # somebody writes to it, or was quicker
            continue


async def _forget_scores(store: StateStore, before: int) -> None:
    """Remove the rows of scores in which none is of a run that is still known."""
    from sentient_cli.experiments.outcomes import LateScore  # noqa: PLC0415 - most stores have none

    scores = [row for row in await _listed(store, _SCORES) if await _changed_at(store, row) < before]
    runs = await _runs(store) if scores else frozenset[str]()
    for row in scores:
        found = await store.get(row.key)
        try:
            told = msgspec.json.decode(b"[]" if found is None else found.value, type=list[LateScore])
        except (ValueError, RecursionError):
            continue  # whoever reads the results is told of it
        if not any(score.run in runs for score in told):
            await _delete(store, [row])


async def _runs(store: StateStore) -> frozenset[str]:
    from sentient_cli.experiments.outcomes import Outcome  # noqa: PLC0415 - most stores have none

    known: set[str] = set()
    for row in await _listed(store, _OUTCOMES):
        found = await store.get(row.key)
        try:
            known.update(
                each.run for each in msgspec.json.decode(b"[]" if found is None else found.value, type=list[Outcome])
            )
        except (ValueError, RecursionError):
            continue
    return frozenset(known)
