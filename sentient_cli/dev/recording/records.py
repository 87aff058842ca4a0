"""What the hub makes of the entries of all runs: recordings, one feed, a list; and what of it can be inspected."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from sentient_cli.dev.messages import BLOB, ENTRIES, Begun, BlobHead, EntriesHead
from sentient_cli.dev.recording.feed import Feed
from sentient_cli.dev.recording.recorder import Recorder
from sentient_cli.dev.recording.runs import RunList
from sentient_cli.store.entry import Entry
from sentient_cli.store.jsonl import encode_line
from sentient_cli.store.rules import STARTED

__all__ = ["AllRecords"]

_LOST_WITHIN: Final = 0.3

_entries = msgspec.json.Decoder(list[EntriesHead])
_blobs = msgspec.json.Decoder(BlobHead)


class AllRecords:
    """Takes the frames of workers.

    Args:
        recorder: Writes them to files.
        state: Tells how things stand.
    """

    def __init__(self, recorder: Recorder, state: Callable[[], Mapping[str, object]]) -> None:
        self.feed: Feed = Feed()
        self.state: Callable[[], Mapping[str, object]] = state
        """How things stand, as a JSON object."""
        self._recorder = recorder
        self._runs = RunList(recorder.log)

    async def take(self, kind: int, payload: bytes) -> None:
        """Take a frame. What is none is passed over."""
        head, _, rest = payload.partition(b"\n")
        try:
            if kind == ENTRIES:
                self._take_entries(_entries.decode(head), rest, payload)
            elif kind == BLOB:
                self._recorder.take_blob(_blobs.decode(head), rest)
        except msgspec.DecodeError:
            return

    def _take_entries(self, heads: Sequence[EntriesHead], text: bytes, frame: bytes) -> None:
        take, note = self._recorder.take, self._runs.note
        at = 0
        for head in heads:
            lines = text[at : at + head.size]
            at += head.size
            take(head, lines)
            if head.first == 1 or head.finished:
                note(head, lines)
        self.feed.push_frame(heads, frame)

    def abandon(self, runs: Iterable[Begun], ended: Iterable[Begun] = ()) -> None:
        """Nothing more comes of these runs. One that ended before any of its entries came is recorded as begun.

        Args:
            runs: Those that have no end.
            ended: Those that have one, of which the last entries may be missing.
        """
        lost = [begun.run for begun in ended if self._runs.goes_on(begun.run)]
        for begun in runs:
            lost.append(begun.run)
            if not self._recorder.knows(begun.run):
                lines = _beginning(begun)
                heads = [EntriesHead(begun.run, 1, 1, finished=False, size=len(lines))]
                self._take_entries(heads, lines, msgspec.json.encode(heads) + b"\n" + lines)
        self._recorder.abandon(lost)
        self._runs.lose(lost)

    def changed(self) -> None:
        """How things stand is another now."""
        self.feed.push_reload(msgspec.json.encode(self.state()))

    async def runs(self, limit: int) -> Sequence[Mapping[str, object]]:
        """The runs, the newest first, each as a JSON object."""
        return await self._runs.newest(limit)

    async def aclose(self) -> None:
        """Write what waits, as far as that takes a moment, and let followers go."""
        self.feed.wake()
        await self._recorder.aclose(timeout=_LOST_WITHIN)


def _beginning(begun: Begun) -> bytes:
    """The line of the first entry of a run, as far as it is known."""
    known = {name: getattr(begun, name) for name in ("run", "session", "query", "prompt", "process")}
    return encode_line(Entry(1, begun.at, STARTED, msgspec.json.encode(known)), 0, _no_blob)


def _no_blob(_digest: str, _data: bytes) -> None:
    """What is kept apart is larger than what is known of a run that has only begun."""
