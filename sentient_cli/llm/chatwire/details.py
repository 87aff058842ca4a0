"""Thoughts as a list of parts, put together from their pieces, and kept as they have to go back.

Source: https://openrouter.ai/docs/guides/best-practices/reasoning-tokens. A part that was signed is only good as a
whole: its text comes in pieces with one index, and the signature in the last of them. Mistral has them in the content
of an answer, and wants them back with it: https://docs.mistral.ai/capabilities/reasoning.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from sentient_cli.llm.types import JsonValue
from sentient_cli.llm.wire.thoughts import signed_by

__all__ = ["Details", "details_in", "text_in", "thinking_in"]

_TEXTS: Final = ("text", "summary")
_SEALED: Final = "reasoning.encrypted"
_THINKING: Final = "thinking"
"""The type of a part of the content, and in it the name of the list with its texts."""


class Details:
    """The parts of one answer's thoughts.

    Example:
        >>> details = Details()
        >>> details.add([{"type": "reasoning.text", "text": "Hm", "index": 0}])
        >>> details.add([{"type": "reasoning.text", "text": "m", "index": 0}, {"type": "reasoning.text", "index": 0}])
        >>> details.signature
        '[{"type":"reasoning.text","text":"Hmm","index":0}]'
    """

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[dict[str, JsonValue]] = []

    def add(self, pieces: Iterable[JsonValue]) -> None:
        """Take the next pieces.

        Args:
            pieces: As the provider sent them; what is no object is passed over.
        """
        for piece in pieces:
            if not isinstance(piece, dict):
                continue
            part = self._part_of(piece)
            if part is None:
                self._parts.append(dict(piece))
            else:
                _join(part, piece)

    def _part_of(self, piece: dict[str, JsonValue]) -> dict[str, JsonValue] | None:
        """The part that a piece goes on with; None: it begins one."""
        kind, index = piece.get("type"), piece.get("index")
        if kind == _SEALED:
            return None  # comes whole
        if index is None:
            last = self._parts[-1] if self._parts else {}
            return last if last.get("type") == kind and "index" not in last and not last.get("signature") else None
        found = (part for part in self._parts if part.get("index") == index and part.get("type") == kind)
        return next(found, None)

    @property
    def signature(self) -> str:
        """All of them, for the signature of a `ThinkingPart`; empty: there are none."""
        return msgspec.json.encode(self._parts).decode() if self._parts else ""


def _join(part: dict[str, JsonValue], piece: dict[str, JsonValue]) -> None:
    for name, value in piece.items():
        before = part.get(name)
        if name in _TEXTS and isinstance(before, str) and isinstance(value, str):
            part[name] = before + value
        elif name == _THINKING and isinstance(before, list) and isinstance(value, list):
            part[name] = _joined(before, value)
        elif value is not None:
            part[name] = value


def _joined(before: list[JsonValue], more: list[JsonValue]) -> list[JsonValue]:
    """A list of texts and what else there is, such as references, with texts that follow each other as one."""
    whole = [*before]
    for each in more:
        last = whole[-1] if whole else None
        if isinstance(each, dict) and isinstance(last, dict) and each.keys() == last.keys() == {"type", "text"}:
            whole[-1] = {**last, "text": f"{last['text']}{each['text']}"}
        else:
            whole.append(each)
    return whole


def text_in(pieces: Iterable[JsonValue]) -> str:
    """What a reader may see of pieces.

    Args:
        pieces: As the provider sent them.

    Example:
        >>> text_in([{"type": "reasoning.summary", "summary": "Hm"}, {"type": "reasoning.encrypted", "data": "x"}])
        'Hm'
    """
    told = (piece.get(name) for piece in pieces if isinstance(piece, dict) for name in _TEXTS)
    return "".join(text for text in told if isinstance(text, str))


def details_in(signature: str) -> list[JsonValue]:
    """The parts that were kept in a signature; none, when it is another's.

    Those that stood in the content are left out: `thinking_in` has them.

    Args:
        signature: Of a `ThinkingPart`.

    Example:
        >>> details_in('[{"type":"reasoning.text"}]'), details_in("EqQB")
        ([{'type': 'reasoning.text'}], [])
    """
    return [part for part in _kept(signature) if not _is_thinking(part)]


def thinking_in(signature: str) -> list[JsonValue]:
    """The parts of a content that were kept in a signature, as they go back into one.

    Args:
        signature: Of a `ThinkingPart`.

    Example:
        >>> thinking_in('[{"type":"thinking","thinking":[]}]')
        [{'type': 'thinking', 'thinking': [], 'closed': True}]
    """
    return [{**part, "closed": True} for part in _kept(signature) if isinstance(part, dict) and _is_thinking(part)]


def _is_thinking(part: JsonValue) -> bool:
    return isinstance(part, dict) and part.get("type") == _THINKING


def _kept(signature: str) -> list[JsonValue]:
    if signed_by(signature) != "chat":
        return []
    try:
        return msgspec.json.decode(signature, type=list[JsonValue])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return []
