"""Text from models, files and networks, made safe for a terminal.

Sequences are recognised as ECMA-48 and the state machine of https://vt100.net/emu/dec_ansi_parser draw them, and are
removed whole, a title or a link with its payload. Nothing that is shown is ever held back: while a sequence is open,
its characters are dropped as they arrive.
"""

from __future__ import annotations

import re
from enum import Enum

__all__ = ["INVISIBLE", "Sanitizer", "sanitize", "sanitize_line"]

MAX_SEQUENCE_LENGTH = 4096
"""A sequence that has not ended after so many characters is taken for text again, so that it cannot hide an answer."""

# Bidirectional controls, zero-width and filler characters, tags, and variation selectors that carry hidden data. U+FE0E
# and U+FE0F stay, since emoji need them.
_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_DROPPED = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_INVISIBLE}]")
INVISIBLE = re.compile(f"[\x00-\x08\x0e-\x1f\x7f-\x9f{_INVISIBLE}\ufe0e\ufe0f]")
"""One character that no reader sees, wherever it stands."""
_LINE_SEPARATOR = re.compile("[\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_CHANGED = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_INVISIBLE}\u2028\u2029\ud800-\udfff]")
_INTRODUCER = re.compile("[\x1b\x90\x98\x9b\x9d\x9e\x9f]")


class _State(Enum):
    TEXT = 0
    ESCAPE = 1  # after ESC
    INTERMEDIATE = 2  # after ESC and an intermediate character, as in the choice of a character set
    CONTROL = 3  # a control sequence (CSI)
    STRING = 4  # the payload of OSC, DCS, SOS, PM or APC


_BODY = {
    _State.ESCAPE: re.compile(""),
    _State.INTERMEDIATE: re.compile("[\x20-\x2f]*"),
    _State.CONTROL: re.compile("[\x20-\x3f]*"),
    _State.STRING: re.compile("[^\x07\x18\x1a\x1b\x80-\x9f]*"),
}
_FINAL = {
    _State.ESCAPE: re.compile("[\x30-\x7e]"),
    _State.INTERMEDIATE: re.compile("[\x30-\x7e]"),
    _State.CONTROL: re.compile("[\x40-\x7e]"),
    _State.STRING: re.compile("[\x07\x18\x1a\x9c]"),
}
_AFTER_ESCAPE = {
    "[": _State.CONTROL,
    **dict.fromkeys("]PX^_", _State.STRING),
    **{chr(code): _State.INTERMEDIATE for code in range(0x20, 0x30)},
}


class Sanitizer:
    r"""Makes a stream of text safe for a terminal, however it was cut into pieces.

    The pieces joined are the same as `sanitize` of the whole, for every way to cut it.

    Example:
        >>> sanitizer = Sanitizer()
        >>> sanitizer.feed("red: \x1b[3"), sanitizer.feed("1mstop"), sanitizer.flush()
        ('red: ', 'stop', '')
    """

    __slots__ = ("_length", "_state")

    def __init__(self) -> None:
        self._state = _State.TEXT
        self._length = 0

    def feed(self, text: str) -> str:
        """Return what of ``text`` may be shown; an escape sequence may go on in the next piece."""
        if self._state is _State.TEXT and not _CHANGED.search(text):
            return text
        shown: list[str] = []
        position = 0
        while position < len(text):
            in_text = self._state is _State.TEXT
            position = self._copy(text, position, shown) if in_text else self._drop(text, position)
        return "".join(shown)

    def flush(self) -> str:
        """End the stream: an open sequence is dropped. Returns what was held back, which is always nothing."""
        self._enter(_State.TEXT)
        return ""

    def _enter(self, state: _State) -> None:
        self._state = state
        self._length = 0

    def _copy(self, text: str, start: int, shown: list[str]) -> int:
        introducer = _INTRODUCER.search(text, start)
        end = introducer.start() if introducer else len(text)
        shown.append(_clean(text[start:end]))
        if introducer is None:
            return end
        states = {"\x1b": _State.ESCAPE, "\x9b": _State.CONTROL}
        self._enter(states.get(introducer[0], _State.STRING))
        return introducer.end()

    def _drop(self, text: str, start: int) -> int:
        following = _AFTER_ESCAPE.get(text[start]) if self._state is _State.ESCAPE else None
        if following is not None:
            self._enter(following)
            return start + 1
        limit = start + MAX_SEQUENCE_LENGTH - self._length
        body = _BODY[self._state].match(text, start, limit)
        end = body.end() if body else start
        self._length += end - start
        if end == len(text) and end < limit:
            return end
        # A character that cannot stand here ends the sequence too, and is looked at again as text.
        final = _FINAL[self._state].match(text, end) if end < limit else None
        self._enter(_State.TEXT)
        return end if final is None else final.end()


def _clean(text: str) -> str:
    if not _CHANGED.search(text):
        return text
    return _SURROGATE.sub("\ufffd", _LINE_SEPARATOR.sub("\n", _DROPPED.sub("", text)))


def sanitize(text: str) -> str:
    r"""Return ``text`` without anything that could act on a terminal or hide in it.

    Removed are control characters but newline and tab, whole escape sequences, bidirectional controls, zero-width and
    tag characters. Other Unicode line separators become newlines and lone surrogates U+FFFD.

    Example:
        >>> sanitize("a\x1b]0;title\x07b\u202ec")
        'abc'
    """
    return text if not _CHANGED.search(text) else Sanitizer().feed(text)


def sanitize_line(text: str) -> str:
    r"""Return ``text`` safe for a terminal and in one line: line breaks and tabs become spaces.

    Example:
        >>> sanitize_line("one\ntwo\x1b[2J")
        'one two'
    """
    return sanitize(text).replace("\n", " ").replace("\t", " ")
