"""What the hub makes of the entries of all runs: recordings, one feed, a list; and what of it can be inspected."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from sentient_cli.dev.messages import BLOB, ENTRIES, BlobHead, EntriesHead
from sentient_cli.dev.recording.feed import Feed
from sentient_cli.dev.recording.recorder import Recorder
from sentient_cli.dev.recording.runs import RunList

__all__ = ["AllRecords"]

_LOST_WITHIN: Final = 0.3

_entries = msgspec.json.Decoder(EntriesHead)
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
                entries = _entries.decode(head)
                self._recorder.take(entries, rest)
                self.feed.push(entries, rest)
                self._runs.note(entries, rest)
            elif kind == BLOB:
                self._recorder.take_blob(_blobs.decode(head), rest)
        except msgspec.DecodeError:
            return

    def abandon(self, runs: Iterable[str]) -> None:
        """Nothing more comes of these runs."""
        lost = list(runs)
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
