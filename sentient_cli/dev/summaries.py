"""What a hub is told of each run: that it has begun, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from sentient_cli.dev.messages import Begun, Finished
from sentient_cli.host.hooks import RunInfo
from sentient_cli.redact import redactor
from sentient_cli.runtime.chunks import ChunkEntry
from sentient_cli.store.entry import LogEntry

__all__ = ["Summaries"]

_MAX_PROMPT: Final = 200
_MAX_ERROR: Final = 500
_ERROR: Final = b'"content_type":"atomic.error"'


class _Start(msgspec.Struct):
    prompt: str = ""
    process: str = ""


class _Fault(msgspec.Struct):
    error_message: str = ""


class _Error(msgspec.Struct):
    content: _Fault


class _End(msgspec.Struct):
    outcome: str = ""


_starts = msgspec.json.Decoder(_Start)
_errors = msgspec.json.Decoder(_Error)
_ends = msgspec.json.Decoder(_End)


class _Tally:
    __slots__ = ("began", "error", "events", "first")

    def __init__(self, began: int) -> None:
        self.began = began
        self.events = 0
        self.first: int | None = None
        self.error: str | None = None

    def take(self, entries: Sequence[LogEntry]) -> None:
        events, first = 0, self.first
        for entry in entries:
            if isinstance(entry, ChunkEntry) or self._is_event(entry):
                events += 1
                if first is None:
                    first = entry.at
        self.events += events
        self.first = first

    def _is_event(self, entry: LogEntry) -> bool:
        if entry.type != "event":
            return False
        if _ERROR in entry.data[:64]:
            self.error = _clipped(_errors.decode(entry.data).content.error_message, _MAX_ERROR)
        return True


class Summaries:
    """A hook that tells of runs in brief.

    Args:
        say: Takes the messages.
    """

    patient: Final = True
    """The beginning and the end are told at once, and what is between them is only counted."""

    def __init__(self, say: Callable[[Begun | Finished], None]) -> None:
        self._say = say
        self._tallies: dict[str, _Tally] = {}

    def on_entries(self, run: RunInfo, entries: Sequence[LogEntry]) -> None:
        """Take the new entries of a run."""
        tally = self._tallies.get(run.run_id)
        if tally is None:
            tally = self._begin(run, entries[0])
        tally.take(entries)
        if entries[-1].type == "run.finished":
            self._finish(run, entries[-1])

    def _begin(self, run: RunInfo, first: LogEntry) -> _Tally:
        tally = self._tallies[run.run_id] = _Tally(first.at)
        start = _starts.decode(first.data)
        prompt = _clipped(start.prompt, _MAX_PROMPT)
        self._say(Begun(run.run_id, prompt, str(run.session), str(run.query), first.at, start.process))
        return tally

    def _finish(self, run: RunInfo, last: LogEntry) -> None:
        tally = self._tallies.pop(run.run_id)
        first = None if tally.first is None else (tally.first - tally.began) / 1e6
        total = (last.at - tally.began) / 1e6
        self._say(Finished(run.run_id, _ends.decode(last.data).outcome, tally.events, first, total, tally.error))


def _clipped(text: str, length: int) -> str:
    # Cut after masking: a secret that is cut in two is none that anything would find.
    return redactor.redact(text[: length * 4])[:length]
