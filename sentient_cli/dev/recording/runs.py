"""The list of runs: those of this hub as their entries pass, and those of earlier ones from the files."""

from __future__ import annotations

import contextlib
import re
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, TypeVar

import msgspec

from sentient_cli.dev.messages import EntriesHead
from sentient_cli.errors import StoreError
from sentient_cli.store.file import FileEventLog
from sentient_cli.store.jsonl import Line, decode_line
from sentient_cli.store.rules import FINISHED, STARTED

__all__ = ["RunList", "RunRow"]

S = TypeVar("S", bound=msgspec.Struct)

_KEPT: Final = 1000
_EARLIER: Final = 200
_PROMPT: Final = 500
_LOST: Final = "lost"
_GENERATION: Final = re.compile(r"-([0-9]{1,9})\Z")


class RunRow(msgspec.Struct):
    """What the list says of a run. What its log does not tell is None.

    Args:
        run: Its id.
        session: The chat.
        query: The id of what was asked.
        prompt: The beginning of what was asked, as it was recorded.
        outcome: How it ended; ``lost`` when it has no end and nobody is at it; None while it goes on.
        events: How many events it had; None while it goes on.
        started_at: Nanoseconds since the epoch.
        generation: The version of the code that answered.
    """

    run: str
    session: str | None
    query: str | None
    prompt: str | None
    outcome: str | None
    events: int | None
    started_at: int
    generation: int | None


class _Start(msgspec.Struct):
    session: str | None = None
    query: str | None = None
    prompt: str | None = None


class _Totals(msgspec.Struct):
    events: int | None = None


class _End(msgspec.Struct):
    outcome: str | None = None
    totals: _Totals | None = None


_starts = msgspec.json.Decoder(_Start)
_ends = msgspec.json.Decoder(_End)


class RunList:
    """The newest runs. For one event loop.

    Args:
        log: The files of earlier ones; None: there are none.
    """

    def __init__(self, log: FileEventLog | None = None) -> None:
        self._log = log
        self._rows: OrderedDict[str, RunRow] = OrderedDict()
        self._loaded = log is None

    def note(self, head: EntriesHead, lines: bytes) -> None:
        """Look at a frame of entries: only the beginning and the end of a run say something here."""
        if head.first == 1:
            first = decode_line(lines[: lines.find(b"\n") + 1])
            if first is not None and first.type == STARTED:
                self._rows[head.run] = _row(head.run, first.at, bytes(first.data))
                if len(self._rows) > _KEPT:
                    self._rows.popitem(last=False)
        row = self._rows.get(head.run) if head.finished else None
        if row is not None:
            last = decode_line(lines[lines.rfind(b"\n", 0, -1) + 1 :])
            _end(row, last)

    def goes_on(self, run_id: str) -> bool:
        """Whether the list has a run, and no end of it."""
        row = self._rows.get(run_id)
        return row is not None and row.outcome is None

    def lose(self, run_ids: Iterable[str]) -> None:
        """The worker of these runs is gone: those without an end get none."""
        for row in filter(None, map(self._rows.get, run_ids)):
            if row.outcome is None:
                row.outcome = _LOST

    async def newest(self, limit: int = _KEPT) -> list[dict[str, object]]:
        """The runs as JSON objects, the newest first."""
        if not self._loaded:
            self._loaded = True
            with contextlib.suppress(StoreError):  # the list is worth having without the earlier ones
                await self._load()
        rows = sorted(self._rows.values(), key=lambda row: row.started_at, reverse=True)
        return [msgspec.structs.asdict(row) for row in rows[:limit]]

    async def _load(self) -> None:
        if self._log is None:
            return
        found: list[RunRow] = []
        for run_id in await self._log.runs(limit=_EARLIER):
            row = None if run_id in self._rows else await self._read(run_id)
            if row is not None:
                found.append(row)
        for row in found:
            if row.run not in self._rows:
                self._rows[row.run] = row
                self._rows.move_to_end(row.run, last=False)
        while len(self._rows) > _KEPT:
            self._rows.popitem(last=False)

    async def _read(self, run_id: str) -> RunRow | None:
        if self._log is None:
            return None
        with contextlib.suppress(StoreError):
            head = await self._log.head(run_id)
            first = next(iter(await self._log.read(run_id, limit=1)), None)
            if head is not None and first is not None and first.type == STARTED:
                row = _row(run_id, first.at, first.data)
                row.outcome = _LOST
                if head.finished:
                    last = await self._log.read(run_id, after=head.last_seq - 1, limit=1)
                    _end(row, Line(last[0].seq, last[0].at, last[0].type, msgspec.Raw(last[0].data)))
                return row
        return None


def _row(run_id: str, at: int, data: bytes) -> RunRow:
    start = _decoded(_starts, data) or _Start()
    generation = _GENERATION.search(run_id)
    prompt = start.prompt if start.prompt is None else start.prompt[:_PROMPT]
    number = int(generation[1]) if generation else None
    return RunRow(run_id, start.session, start.query, prompt, None, None, at, number)


def _end(row: RunRow, last: Line | None) -> None:
    if last is None or last.type != FINISHED:
        return
    end = _decoded(_ends, bytes(last.data)) or _End()
    row.outcome = end.outcome
    row.events = end.totals.events if end.totals is not None else None


def _decoded(decoder: msgspec.json.Decoder[S], data: bytes) -> S | None:
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeError):
        return None
