"""The numbers of tokens that servers tell: with an answer, or in refusals of requests that are too long.

Sources: the error pages of OpenAI and Anthropic, the servers of vLLM and llama.cpp.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

__all__ = ["Counts", "counts_of", "plausible"]

_MOST: Final = 2**53
"""No number of tokens is larger, and no reader of JSON takes a larger one for what it is."""
_WORDS: Final = {
    "MODEL": r"This model's maximum context length is LIMIT tokens\. However",
    "TOKENS": r"(?P<tokens>\d{1,12})",
    "LIMIT": r"(?P<limit>\d{1,12})",
}


def _compiled(form: str) -> re.Pattern[str]:
    for word, meaning in _WORDS.items():
        form = form.replace(word, meaning)
    return re.compile(form, re.DOTALL)


_FORMS: Final = tuple(
    _compiled(form)
    for form in (
        r"prompt is too long: TOKENS tokens > LIMIT maximum",
        r"input length and `max_tokens` exceed context limit: TOKENS \+ (?P<more>\d{1,12}) > LIMIT\b.{,200}",
        r"MODEL, your messages resulted in TOKENS tokens\b.{,300}",
        r"MODEL, you(?:r request has| requested) TOKENS (?:input )?tokens\b.{,300}",
        r"MODEL, you requested \d{1,12} output tokens .{,100} for a total of at least TOKENS tokens\..{,300}",
        r"Input tokens exceed the configured limit of LIMIT tokens\. Your messages resulted in TOKENS tokens\..{,300}",
        r"(?:the )?request \(TOKENS tokens\) exceeds the available context size \(LIMIT tokens\).{,200}",
    )
)


class Counts(NamedTuple):
    """How long a request was.

    Args:
        tokens: How many tokens were asked for, the answer's included where the server counts them.
        limit: How many it takes.
    """

    tokens: int
    limit: int


def counts_of(message: str) -> Counts | None:
    """The numbers of a refusal; None: it is worded in another way.

    The whole text is compared, and not a part of it: a refusal may quote the request.

    Args:
        message: What the server says.

    Example:
        >>> counts_of("prompt is too long: 205000 tokens > 200000 maximum")
        Counts(tokens=205000, limit=200000)
        >>> counts_of('You wrote "prompt is too long: 2 tokens > 1 maximum"') is None
        True
    """
    text = message.strip()
    found = next((match for form in _FORMS if (match := form.fullmatch(text))), None)
    if found is None:
        return None
    more = int(found["more"]) if "more" in found.re.groupindex else 0
    return Counts(int(found["tokens"]) + more, int(found["limit"]))


def plausible(told: int | None) -> int | None:
    """A number of tokens; None where there cannot be so many.

    Args:
        told: By a server.

    Example:
        >>> plausible(12), plausible(-5), plausible(10**300)
        (12, None, None)
    """
    return told if told is not None and 0 <= told < _MOST else None
