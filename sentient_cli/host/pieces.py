"""A stream of text that comes in pieces, with its secrets masked wherever they were cut."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from sentient_cli.redact import MAX_MATCH, REDACTED, Hidden, Redactor

__all__ = ["RedactedPieces"]

_CONTEXT = 16
"""Characters given out that are looked at again: a name such as ``api_key`` may have been cut."""
_BEHIND = 64
"""Characters before those that a pattern may look back at."""
_LONG = 512
_KEPT = 512
"""So much more of it may stay: to cut is dearer than to keep."""
_NEEDED = 3
"""So much of a known value has to be there to be told for its beginning; see `Redactor.begun`."""
_OPEN = ("", "\\")
"""What may follow a secret that goes on: nothing, or what makes the next character a part of it."""


class RedactedPieces:
    """Masks the pieces of one stream: as many come out as go in, in their order.

    A piece comes out once nothing that follows can make a secret of it. The mark for a secret stands in the first piece
    that has a part of it; of the others that part is left out. Up to ten characters by which a secret is recognised,
    such as ``sk`` or the first two of a known value, may stay in the piece before.

    Args:
        redactor: Knows the secrets.

    Example:
        >>> redactor = Redactor()
        >>> redactor.register("correct horse")
        True
        >>> pieces = RedactedPieces(redactor)
        >>> pieces.feed(["It is corr", "ect ho"])
        []
        >>> pieces.feed(["rse", ", he says"])
        ['It is [redacted]', '', '', ', he says']
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._text = ""
        self._lengths: deque[int] = deque()
        self._given: int = 0  # what stands before was given out
        self._from: int = 0  # from where on secrets are looked for
        self._within = False  # whether what was given out ends within a secret that has its mark
        self._patience = 0  # characters that may come before it is worth looking again

    def feed(self, pieces: Sequence[str]) -> list[str]:
        """Take further pieces, and return those that are certain now."""
        self._lengths.extend(map(len, pieces))
        fresh = "".join(pieces)
        self._text += fresh
        self._patience -= len(fresh)
        if self._patience > 0:
            return []
        found, certain = self._look()
        undecided = len(self._text) - certain
        if not undecided and not found and len(self._lengths) == len(pieces):
            self._pass_by()
            return list(pieces)
        if undecided > MAX_MATCH:
            return self.cover()
        self._patience = undecided // 8 if undecided > _LONG else 0
        return self._give(found, certain)

    def ahead(self, fresh: str) -> str:
        """What has to be looked at before ``fresh`` may pass: with what was given out of its neighbourhood."""
        return self._text[self._from :] + fresh

    def passes_unmarked(self, fresh: str) -> bool:
        """Whether nothing is held back, and nothing in ``fresh`` may be the beginning of a secret.

        Args:
            fresh: Further pieces, joined; the redactor does not suspect what `ahead` makes of them.
        """
        if self._lengths:
            return False
        text = self._text + fresh
        # What begins further ahead was looked at when it came, and was not the beginning of a known value.
        start = self._from if self._within else max(self._from, len(self._text) - _NEEDED + 1)
        return self._redactor.cut_value(text, start) == len(text)

    def pass_unmarked(self, fresh: str) -> None:
        """Take further pieces, joined, which `passes_unmarked` lets pass; they come out as they are."""
        self._text += fresh
        self._pass_by()

    def cover(self) -> list[str]:
        """Return what was held back without waiting any longer: what may be the beginning of a secret is masked."""
        found, certain = self._look()
        if certain < len(self._text):
            found.append(Hidden(certain, certain, len(self._text)))
        given = self._give(found, len(self._text))
        self._from = min(self._from, certain)
        self._trim()
        return given

    def finish(self) -> list[str]:
        """Return what was held back, at the end of the stream."""
        given = self._give(list(self._redactor.hidden(self._text, self._from)), len(self._text))
        self._text = ""
        self._given = self._from = self._patience = 0
        self._within = False
        return given

    def _pass_by(self) -> None:
        """All of the text is harmless."""
        self._lengths.clear()
        self._within = False
        self._patience = 0
        self._given = len(self._text)
        self._from = max(self._from, self._given - _CONTEXT)
        self._trim()

    def _look(self) -> tuple[list[Hidden], int]:
        """The secrets that are complete, and from where on nothing is certain yet."""
        text, redactor = self._text, self._redactor
        end = len(text)
        found: list[Hidden] = []
        if not redactor.suspects(text[self._from :]):
            return found, redactor.cut_value(text, self._from)
        certain = redactor.begun(text, self._from)
        for hidden in redactor.hidden(text, self._from):
            if text[hidden.end :] in _OPEN:
                certain = min(certain, hidden.start)
                break
            found.append(hidden)
        while found and certain < end and found[-1].end >= certain:
            certain = min(certain, found.pop().start)
        return found, certain

    def _give(self, found: list[Hidden], certain: int) -> list[str]:
        before = self._given
        given: list[str] = []
        while self._lengths and self._given + self._lengths[0] <= certain:
            end = self._given + self._lengths.popleft()
            given.append(self._masked(found, self._given, end, before))
            self._given = end
        if self._given > before:
            open_ones = [hidden for hidden in found if hidden.cover < self._given <= hidden.end]
            self._within = bool(open_ones)
            passed = max((hidden.end for hidden in found if hidden.end <= self._given), default=self._from)
            starts = [hidden.start for hidden in open_ones if hidden.end > self._given]
            self._from = min([certain, max(passed, self._given - _CONTEXT), *starts])
        self._trim()
        return given

    def _masked(self, found: list[Hidden], start: int, end: int, before: int) -> str:
        parts: list[str] = []
        at = start
        for hidden in found:
            first = max(hidden.cover, before)
            if hidden.end <= start or first >= end:
                continue
            parts.append(self._text[at : max(first, at)])
            if first >= start and not (hidden.cover < before and self._within):
                parts.append(REDACTED)
            at = min(max(hidden.end, at), end)
        parts.append(self._text[at:end])
        return "".join(parts)

    def _trim(self) -> None:
        cut = self._from - _BEHIND
        if cut > _KEPT:
            self._text = self._text[cut:]
            self._given -= cut
            self._from -= cut
