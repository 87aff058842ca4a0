"""A filter of regular expressions that cannot be made to hang."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Final

from sentient_cli.errors import ConfigError
from sentient_cli.llm.provider import Request
from sentient_cli.llm.safety.filters import Finding, Verdict, questions
from sentient_cli.llm.safety.seeing import seen
from sentient_cli.llm.safety.words import last_word

if TYPE_CHECKING:
    from pydantic_core import SchemaValidator

__all__ = ["PatternFilter"]

_MOST: Final = 1000
_GOES_ON: Final = "\ue000x\ue000"
"""Stands for what is still to come, so that a text does not end where it was cut."""


class PatternFilter:
    r"""Finds what matches regular expressions, in a time that grows with the text alone, whatever they are.

    The last ``window`` characters of an answer that streams are held back.

    Args:
        patterns: As Rust's ``regex`` has them: without look-around and back-references.
        window: So many characters one may need until it matches; of a longer match the beginning may be shown.

    Raises:
        ConfigError: a pattern is none, or there is none, or the window is below 1.

    Example:
        >>> filter = PatternFilter([r"\b\d{3}-\d{2}-\d{4}\b"], window=12)
        >>> filter.look("It is 123-45-6789.", is_end=True).finding.category
        'pattern'
    """

    NAME: ClassVar[str] = "patterns"

    def __init__(self, patterns: Iterable[str], *, window: int = 128) -> None:
        if isinstance(patterns, str):
            raise ConfigError(f"The patterns are one text, {patterns!r:.80}", fix="Give a list of patterns: `[…]`")
        if type(window) is not int or window < 1:
            raise ConfigError(f"The `window` of a filter cannot be {window!r:.40}", fix="Give characters, from 1")
        listed = list(patterns)
        self._matcher = _compiled(listed)
        self._ends = any("$" in pattern or r"\z" in pattern for pattern in listed)
        self._window = window

    @property
    def name(self) -> str:
        """``patterns``."""
        return self.NAME

    @property
    def window(self) -> int:
        """So many characters it wants to see again."""
        return self._window

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
        # The last word may go on, so that what matches now does not match then.
        looked_at = text if is_end else text[: last_word(text, self._window)] + (_GOES_ON if self._ends else "")
        visible = seen(looked_at)
        matches = self._matcher.isinstance_python
        if matches(looked_at) or (visible.places is not None and matches(visible.text)):
            return Verdict(0, Finding(self.NAME, "pattern", "It matches a pattern that is not allowed"))
        return Verdict(len(text) if is_end else max(0, len(text) - self._window))


def _compiled(patterns: list[str]) -> SchemaValidator:
    """One matcher for all patterns, by the engine of Rust."""
    from pydantic_core import SchemaError, SchemaValidator, core_schema  # noqa: PLC0415 - only for those who filter

    if not 0 < len(patterns) <= _MOST:
        raise ConfigError(
            "The filter cannot look for these patterns",
            why=f"There are {len(patterns)}",
            fix=f"Give from 1 to {_MOST}",
        )

    def matcher(pattern: str) -> SchemaValidator:
        try:
            return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))
        except SchemaError as error:
            raise ConfigError(
                f"The filter cannot look for {pattern!r:.80}",
                why=str(error).strip().splitlines()[-1][:200],
                fix="Write it without look-around and back-references",
            ) from None

    for pattern in patterns:  # each must be one by itself
        if not isinstance(pattern, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigError(f"A pattern is a text, not {type(pattern).__name__}", fix=r'Write `r"\bfoo\b"`')
        matcher(pattern)
    return matcher("|".join(f"(?:{pattern})" for pattern in patterns))
