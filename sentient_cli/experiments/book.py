"""Where outcomes are kept: rows of the state store, each written by one process only, several outcomes in each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from sentient_cli.errors import StoreError, VersionConflictError
from sentient_cli.experiments.outcomes import LateScore, Outcome
from sentient_cli.store.ports import StateStore

__all__ = ["BATCH", "MOST", "Batch", "OutcomeBook", "read_batches", "read_outcomes"]

BATCH: Final = 256
"""How many outcomes a row holds."""
MOST: Final = 100_000
"""How many outcomes of an experiment are kept."""
_PREFIX: Final = "experiments/"
_SCORES: Final = "scores"

_outcomes = msgspec.json.Decoder(list[Outcome])
_scores = msgspec.json.Decoder(list[LateScore])


class Batch(NamedTuple):
    """The outcomes of one row.

    Args:
        key: Which row.
        version: That of the row.
        outcomes: What it holds.
    """

    key: str
    version: int
    outcomes: Sequence[Outcome]


async def read_batches(store: StateStore, name: str, known: Mapping[str, int] | None = None) -> list[Batch]:
    """The outcomes of an experiment, as they were when the runs ended.

    Args:
        store: Where they are kept.
        name: The experiment.
        known: The versions of rows, by key, that are left out.

    Raises:
        StoreError: they cannot be read.
    """
    rows = await _rows(store, f"outcomes/{name}", known or {})
    try:
        return [Batch(key, version, _outcomes.decode(value)) for key, version, value in rows]
    except (ValueError, RecursionError) as error:
        raise StoreError(f"Outcomes of the experiment {name!r} cannot be read", why=str(error)) from error


async def read_outcomes(store: StateStore, name: str) -> list[Outcome]:
    """The outcomes of an experiment, with the scores that were given after the runs had ended.

    Args:
        store: Where they are kept.
        name: The experiment.

    Raises:
        StoreError: they cannot be read.
    """
    outcomes = [outcome for batch in await read_batches(store, name) for outcome in batch.outcomes]
    try:
        found = [score for _, _, value in await _rows(store, _SCORES, {}) for score in _scores.decode(value)]
    except (ValueError, RecursionError) as error:
        raise StoreError("Scores of runs cannot be read", why=str(error)) from error
    late: dict[str, dict[str, float]] = {}
    for score in sorted(found, key=lambda score: score.at):
        late.setdefault(score.run, {})[score.name] = score.value
    return [
        msgspec.structs.replace(each, scores={**each.scores, **late[each.run]}) if each.run in late else each
        for each in outcomes
    ]


async def _rows(store: StateStore, place: str, known: Mapping[str, int]) -> list[tuple[str, int, bytes]]:
    found: list[tuple[str, int, bytes]] = []
    after, prefix = "", f"{_PREFIX}{place}/"
    while rows := await store.kept(prefix, after=after):
        after = rows[-1].key
        fresh = [row.key for row in rows if known.get(row.key) != row.version]
        found += [(key, row.version, row.value) for key in fresh if (row := await store.get(key)) is not None]
    return found


class OutcomeBook:
    """Writes the outcomes of one process.

    Args:
        store: Where they are kept.
        writer: What no other process is called.

    Example:
        >>> from sentient_cli.store.memory import MemoryStateStore
        >>> async def main() -> int:
        ...     store = MemoryStateStore()
        ...     book = OutcomeBook(store, "a")
        ...     book.add("tone", Outcome("5f0c", "a1", "warm", "u1", 0, "done", 0, 1.5, 120, 0.002, {}))
        ...     await book.flush()
        ...     return sum(len(batch.outcomes) for batch in await read_batches(store, "tone"))
        >>> asyncio.run(main())
        1
    """

    def __init__(self, store: StateStore, writer: str) -> None:
        self._store = store
        self._writer = writer
        self._pages: dict[str, _Page] = {}
        self._lock = asyncio.Lock()

    def add(self, name: str, outcome: Outcome) -> None:
        """Take an outcome; it is kept with the next `flush`.

        Args:
            name: The experiment.
            outcome: What became of a run of it.
        """
        self._add(f"outcomes/{name}", outcome)

    def add_score(self, score: LateScore) -> bool:
        """Take the score of a run that has ended, in the same way. False: there are too many already.

        Args:
            score: What was said of it.
        """
        page = self._pages.get(_SCORES)
        if page is not None and page.number * BATCH + len(page.written) + len(page.waiting) >= MOST:
            return False
        self._add(_SCORES, score)
        return True

    def _add(self, place: str, item: Outcome | LateScore) -> None:
        page = self._pages.setdefault(place, _Page())
        page.waiting.append(msgspec.json.encode(item))
        page.at = max(page.at, item.at)

    @property
    def is_written(self) -> bool:
        """Whether all that was taken is kept."""
        return not any(page.waiting for page in self._pages.values())

    async def flush(self) -> None:
        """Keep what was taken. What cannot be kept waits for the next time.

        Raises:
            StoreError: the store fails.
        """
        async with self._lock:
            for place, page in list(self._pages.items()):
                while page.waiting:
                    await self._write(place, page)

    async def _write(self, place: str, page: _Page) -> None:
        if len(page.written) >= BATCH:
            page.number, page.version, page.written = page.number + 1, 0, []
        some = page.waiting[: BATCH - len(page.written)]
        written = [*page.written, *some]
        key = f"{_PREFIX}{place}/{self._writer}-{page.number:06}"
        value = b"[" + b",".join(written) + b"]"
        try:
            page.version = await self._store.put(key, value, expected=page.version, at=page.at)
        except VersionConflictError:  # an earlier write failed and was kept nevertheless: nobody else writes this row
            row = await self._store.get(key)
            version = 0 if row is None else row.version
            page.version = await self._store.put(key, value, expected=version, at=page.at)
        page.written = written
        del page.waiting[: len(some)]


class _Page:
    """The row of one place that is being written, and what is not in it yet."""

    __slots__ = ("at", "number", "version", "waiting", "written")

    def __init__(self) -> None:
        self.at = 0
        self.number = 0
        self.version = 0
        self.waiting: list[bytes] = []
        self.written: list[bytes] = []
