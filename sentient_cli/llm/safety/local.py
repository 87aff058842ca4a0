"""A filter that asks nobody: secrets and words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

import msgspec

from sentient_cli.llm.provider import Request
from sentient_cli.llm.safety.filters import Finding, Verdict, questions
from sentient_cli.llm.safety.seeing import seen
from sentient_cli.llm.safety.words import Words
from sentient_cli.redact import Redactor, redactor

__all__ = ["LocalFilter"]

_CONTEXT: Final = 32
"""Characters that show what a secret is called."""


class LocalFilter:
    """Finds secrets and words. Of an answer that streams, only what may be the beginning of one is held back.

    Characters that nobody sees hide nothing. The first two characters of a secret may be shown, since too much begins
    with them.

    Args:
        words: Whole words or phrases, in whatever case.
        secrets: Whether secrets are looked for, those that are known and what looks like one.
        known: Knows the secrets; the one of the process unless given.

    Raises:
        ConfigError: a word is empty or too long.

    Example:
        >>> filter = LocalFilter(words=("open sesame",))
        >>> filter.look("Say Open Sesame!", is_end=True).finding.category
        'word'
    """

    NAME: ClassVar[str] = "local"

    def __init__(self, *, words: Iterable[str] = (), secrets: bool = True, known: Redactor = redactor) -> None:
        self._words = Words(words)
        self._secrets = known if secrets else None

    @property
    def name(self) -> str:
        """``local``."""
        return self.NAME

    @property
    def window(self) -> int:
        """Enough to see what a secret is called, and the whole of a word."""
        return max(_CONTEXT, self._words.longest)

    @property
    def step(self) -> int:
        """It is asked for every piece."""
        return 1

    async def check_request(self, request: Request) -> Finding | None:
        """Look at what users and tools say, since the last answer."""
        found = (self.look(text, is_end=True).finding for text in questions(request))
        return next((finding for finding in found if finding is not None), None)

    async def check_text(self, text: str, *, is_end: bool) -> Verdict:
        """Look at an answer, or at the end of what came of it so far."""
        return self.look(text, is_end=is_end)

    def look(self, text: str, *, is_end: bool) -> Verdict:
        """The same for those who cannot wait."""
        visible = seen(text)
        verdict = self._verdict(visible.text, is_end=is_end)
        if visible.places is None:
            return verdict
        return msgspec.structs.replace(verdict, safe=visible.place(verdict.safe))

    def _verdict(self, text: str, *, is_end: bool) -> Verdict:
        safe = len(text)
        if self._secrets is not None:
            safe, found = _secret(self._secrets, text, is_end=is_end)
            if found:
                return Verdict(safe, Finding(self.NAME, "secret", "It holds a secret"))
        at = self._words.find(text, is_end=is_end)
        if at is not None:
            return Verdict(min(safe, at), Finding(self.NAME, "word", "It holds a word that is not allowed"))
        return Verdict(safe if is_end else min(safe, self._words.begun(text)))


def _secret(known: Redactor, text: str, *, is_end: bool) -> tuple[int, bool]:
    """Up to where there is no secret for certain, and whether there is one behind that."""
    if not known.suspects(text):
        return (len(text) if is_end else known.cut_value(text)), False
    safe = len(text) if is_end else known.begun(text)
    for hidden in known.hidden(text):
        if hidden.end == len(text) and not is_end:  # it may go on, and be none at last
            return min(safe, hidden.start), False
        return min(safe, hidden.start), True
    return safe, False
