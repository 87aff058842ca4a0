"""Puts the rest of an answer, as another attempt gives it, to its beginning, without a seam; pure functions.

The model is shown the beginning and asked to repeat its last characters and to go on. Where they are found, the new
text is cut. Where they are not, or not beyond doubt, there is no splice: never a wrong one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

import msgspec

from sentient_cli.errors import ProviderConnectionError
from sentient_cli.llm.provider import Request
from sentient_cli.llm.resilience.replay import Replay
from sentient_cli.llm.tokens import BYTES
from sentient_cli.llm.types import Chunk, Message

__all__ = ["ANCHOR", "HOLD", "LEAST", "LONGER", "Splicer", "anchor_of", "continuation", "find_cut", "spliced"]

ANCHOR: Final = 40
"""Characters that the model is asked to repeat, about."""
HOLD: Final = 240
"""Characters of the new text that are held back to look for them, and for signs of doubt behind them."""
LEAST: Final = 8
"""Characters, without white space, that both have to share at least."""
LONGER: Final = 120
"""So many where those were not enough: what comes again behind them does not with what stands before them."""
LONGEST_ANCHOR: Final = 160
_BEHIND: Final = 40
"""Characters behind the anchor that have to be seen, unless the text ends before."""
_AGAIN: Final = 48
"""Characters, without white space, by which the beginning of the text is known when it comes again."""
_AT_EDGE: Final = 24
"""As many do at the edge of what is held."""
_CLOSING: Final = {
    '"': '"',
    "'": "'",
    "`": "`",
    "\u201d": "\u201c\u201e",
    "\u2019": "\u2018\u201a",
    "\u00bb": "\u00ab",
    "\u00ab": "\u00bb",
}
"""Marks that end a quotation, and those that begin it."""
_COMMENTS: Final = (
    "...", "\u2026", "cont", "resum", "going on", "go on", "goes on", "picking up", "interrupt", "repeat", "the rest",
    "as above", "as before", "from here", "fortsetzung", "weiter", "suite", "sigue",
)  # fmt: skip
_WORD: Final = 24
"""Characters that the anchor may be longer to begin with a whole word."""
_ASK: Final = (
    "Your answer was interrupted. Begin by repeating its last characters, given below, exactly as they are, and go on"
    " from there to its end. Write nothing before them, no comment, and nothing a second time.\n\n"
)


def _bare(text: str) -> str:
    return "".join(text.split())


def anchor_of(partial: str, length: int = ANCHOR) -> str | None:
    """The end of a text, by which another text can be put to it; None: there is none that would do.

    It begins with a word, and occurs only once, so that it is clear which place is meant.

    Args:
        partial: The text so far.
        length: Its characters, about; more where it occurs twice.

    Example:
        >>> anchor_of("It was the best of times, it was the worst of times, it was the age of wisdom")
        'worst of times, it was the age of wisdom'
        >>> anchor_of("Hi"), anchor_of("ha " * 100)
        (None, None)
    """
    text = partial.rstrip()
    while True:
        start = max(0, len(text) - length)
        earliest = max(0, start - _WORD)
        begin = start
        while begin > earliest and not text[begin - 1].isspace():
            begin -= 1
        if begin > 0 and not text[begin - 1].isspace():
            begin = start
        anchor = text[begin:].lstrip()
        bare = _bare(anchor)
        if len(bare) < LEAST:
            return None
        if _bare(text).find(bare) == len(_bare(text)) - len(bare):
            return anchor
        if start == 0 or length >= LONGEST_ANCHOR:
            return None
        length = min(2 * length, LONGEST_ANCHOR)


def find_cut(partial: str, anchor: str, held: str, *, is_end: bool) -> int | None:
    """Where the new part of a text begins: just after the anchor, white space aside; None: that is not beyond doubt.

    What stands before the anchor has to be the end of the partial text too, or an introduction of its own: a line, or
    words up to a colon. In a quotation or a block of code the anchor means nothing. Behind it, neither the anchor nor
    the beginning of the partial text may come again, and no sign of a quotation or of a comment.

    Args:
        partial: The text so far.
        anchor: Its end.
        held: The beginning of the new text.
        is_end: Whether that is all of it.

    Example:
        >>> text, anchor = "The quick brown fox jumps", "quick brown fox jumps"
        >>> find_cut(text, anchor, "quick  brown fox jumps over", is_end=True)
        22
        >>> find_cut(text, anchor, "Sure: quick brown fox jumps over", is_end=True)
        27
        >>> find_cut(text, anchor, "quick brown fox jumps... over", is_end=True) is None
        True
    """
    wanted = _bare(anchor)
    places = [place for place, char in enumerate(held) if not char.isspace()]
    bare = "".join(held[place] for place in places)
    at = bare.find(wanted)
    if at < 0:
        return None
    end = at + len(wanted)
    cut, before, behind = places[end - 1] + 1, held[: places[at]], bare[end:]
    goes_back = _bare(partial).endswith(bare[:end]) and any(map(str.isalnum, before))
    if not (at == 0 or goes_back or _introduces(before)):
        return None
    if not is_end and len(held) - cut < _BEHIND:
        return None
    if any(_comes_again(text, behind, is_end=is_end) for text in (wanted, _bare(partial)[:_AGAIN])):
        return None
    return None if _is_doubtful(partial, held[cut:]) else cut


def _comes_again(text: str, behind: str, *, is_end: bool) -> bool:
    if text in behind:
        return True
    lengths = range(_AT_EDGE, len(text)) if not is_end else ()
    return any(behind.endswith(text[:length]) for length in lengths)


def _is_doubtful(partial: str, rest: str) -> bool:
    """Whether what follows the anchor shows that it was quoted or commented upon, rather than continued."""
    text = rest.lstrip()
    if text.startswith(("...", "\u2026")):
        return True
    if _is_comment(text, begins_line="\n" in rest[: len(rest) - len(text)] or partial.rstrip(" \t").endswith("\n")):
        return True
    return bool(text) and text[0] in _CLOSING and _closes(partial, text, is_apart=text != rest)


def _is_comment(text: str, *, begins_line: bool) -> bool:
    inner = text.lstrip("*_")
    close = {"(": ")", "[": "]"}.get(inner[:1])
    if close is None:
        return False
    inside, found, after = inner[1:].partition(close)
    if inside.strip(" *_").lower().startswith(_COMMENTS):
        return True
    if " " not in inside.strip():
        return False  # such as [llm.budget]
    is_alone = not after.lstrip("*_ \t") or after.lstrip("*_ \t").startswith("\n")
    return bool(found) and begins_line and is_alone and "\n" not in inside


def _closes(partial: str, text: str, *, is_apart: bool) -> bool:
    mark, last, following = text[0], partial.rstrip()[-1:], text[1:2]
    # A text may begin within a quotation, and then each mark is taken for the other: its last line tells better.
    if _is_open(mark, partial) or _is_open(mark, partial.rpartition("\n")[2]) or last in "([{=<":
        return False
    if partial.endswith(mark * 2) and not is_apart:
        return False  # the third of a fence, or of a docstring
    if mark in "'\u2019" and following.isalnum():
        return False  # an apostrophe
    begins = not following.isspace() and following not in ",.;:!?"
    begins = begins or (following in {".", ":"} and text[2:3].isalnum())  # such as `.env`
    return not (begins and (is_apart or partial[-1:].isspace() or not (last.isalnum() or last in ".!?\u2026")))


def _is_open(mark: str, text: str) -> bool:
    opening = _CLOSING[mark]
    return text.count(mark) % 2 == 1 if opening == mark else sum(map(text.count, opening)) > text.count(mark)


def _introduces(before: str) -> bool:
    words = before.rstrip(" \t")
    return "`" not in words and words.endswith((":", "\n"))


def continuation(request: Request, partial: str, anchor: str, hop: int) -> Request:
    """The request for the rest of an answer.

    Args:
        request: What was asked.
        partial: What was answered so far.
        anchor: The end of that.
        hop: How many such requests there were, this one included: it is another request, so it gets another id.
    """
    parameters, text = request.parameters, partial.rstrip()
    gap = partial[len(text) :]
    if parameters.max_tokens is not None:
        left = parameters.max_tokens - len(partial) // BYTES
        parameters = msgspec.structs.replace(parameters, max_tokens=max(16, left) + len(anchor) // 2)
    return msgspec.structs.replace(
        request,
        messages=(*request.messages, Message.assistant(text), Message.user(_ASK + anchor + gap)),
        parameters=parameters,
        call=f"{request.call}-{hop}" if request.call else "",
    )


class Splicer:
    """Reads the new text until it is clear where it goes on.

    Args:
        partial: The text so far.
        anchor: Its end, by `anchor_of`.

    Example:
        >>> splicer = Splicer("It was the best of times, ", "It was the best of times,")
        >>> [splicer.feed(text) for text in ("It was the best", " of times, ", "it was the worst")]
        ['', '', '']
        >>> splicer.finish()
        'it was the worst'
    """

    __slots__ = ("_anchor", "_gap", "_has_ended", "_held", "_partial", "_space", "cut", "is_done")

    def __init__(self, partial: str, anchor: str) -> None:
        self._partial = partial
        self._anchor = anchor
        self._gap = partial[len(partial.rstrip()) :]
        self._held = self._space = ""
        self._has_ended = False
        self.cut: int | None = None
        """How many characters of the new text were cut off; None: that is not clear yet."""
        self.is_done: bool = False

    @property
    def read(self) -> int:
        """How many characters were read to find the place."""
        return len(self._held)

    @property
    def is_refused(self) -> bool:
        """Whether enough was read and the place is not beyond doubt."""
        return self.cut is None and (self._has_ended or len(self._held) >= HOLD)

    def feed(self, text: str) -> str:
        """Take the next of the new text and give what of it goes on."""
        if self.is_done:
            return text
        if self.cut is None:
            self._held += text
            if len(self._held) >= HOLD:
                self.cut = find_cut(self._partial, self._anchor, self._held, is_end=False)
            if self.cut is None:
                return ""
            text = self._held[self.cut :]
        return self._trimmed(text)

    def finish(self) -> str | None:
        """The new text is at its end: what is left of it; None: the place was not found."""
        if self.is_done:
            return ""
        self._has_ended = True
        if self.cut is None:
            self.cut = find_cut(self._partial, self._anchor, self._held, is_end=True)
            if self.cut is None:
                return None
            self._space = self._held[self.cut :]
        self.is_done = True
        return self._without_gap(self._space)

    def _trimmed(self, text: str) -> str:
        # How much white space there is, is known only with the next word.
        self._space += text
        self.is_done = bool(self._space.strip())
        return self._without_gap(self._space) if self.is_done else ""

    def _without_gap(self, text: str) -> str:
        # The white space at the end of the partial text stands there already.
        return text.removeprefix(self._gap) if text.startswith(self._gap) else text.lstrip()


async def spliced(
    first: Chunk, source: AsyncGenerator[Chunk, None], splicer: Splicer | Replay
) -> AsyncGenerator[Chunk, None]:
    """The rest of an answer, from the chunks of the attempt that repeats its end, or its beginning, first.

    Args:
        first: The first chunk of the attempt.
        source: The others; it is closed.
        splicer: Finds the place.

    Raises:
        ProviderConnectionError: the place was not found.
        ProviderError: the attempt failed.
    """
    try:
        rest = _joined(first, splicer)
        if rest is not None:
            yield rest
        async for chunk in source:
            rest = _joined(chunk, splicer)
            if rest is not None:
                yield rest
    finally:
        await source.aclose()


def _joined(chunk: Chunk, splicer: Splicer | Replay) -> Chunk | None:
    if splicer.is_done:
        return chunk if chunk.thinking is None else msgspec.structs.replace(chunk, thinking=None)
    text = splicer.feed(chunk.text) if chunk.text else ""
    ends = chunk.finish_reason is not None or chunk.tool_call is not None
    if splicer.is_refused:
        raise _refused()
    if ends and not splicer.is_done:
        rest = splicer.finish()
        if rest is None:
            raise _refused()
        text += rest
    if text or ends or chunk.usage is not None:
        return msgspec.structs.replace(chunk, text=text, thinking=None)
    return None


def _refused() -> ProviderConnectionError:
    return ProviderConnectionError(
        "The rest of the answer does not join its beginning",
        why="The model was asked to repeat its answer, or the last words of it, and to go on, and did not",
        fix="Try again",
        retryable=False,
    )
