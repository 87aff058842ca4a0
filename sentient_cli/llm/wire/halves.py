r"""Characters that come in two halves: some servers cut an answer between the two escapes of one, as in ``\ud83d``."""

from __future__ import annotations

import json
import re
from typing import Final, TypeAlias

import msgspec

from sentient_cli.llm.parts import ThinkingPart
from sentient_cli.llm.types import Chunk, JsonValue, ToolCallDelta

__all__ = ["Halves", "decoded_leniently", "has_halves", "with_whole_characters"]

_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")
"""One that is escaped, or one that is encoded as if it were a character."""
_CUT: Final = frozenset(
    {"content", "text", "delta", "thinking", "reasoning", "reasoning_content", "refusal", "arguments", "partial_json"}
)
"""What comes piece by piece, so that its other half may follow."""
_UNKNOWN: Final = "\ufffd"
Key: TypeAlias = "str | tuple[int | None, str | None]"
"""What a text belongs to: the name of its kind, or the index or id of its tool call."""


def has_halves(data: bytes) -> bool:
    r"""Whether JSON that cannot be decoded may be so for this reason.

    Example:
        >>> has_halves(rb'{"text":"\ud83d"}'), has_halves(b'{"text":')
        (True, False)
    """
    return _HALF.search(data) is not None


def decoded_leniently(data: bytes) -> JsonValue:
    r"""JSON in which texts may begin or end with half a character.

    Raises:
        msgspec.DecodeError: it is no JSON even so.

    Example:
        >>> decoded_leniently(rb'{"text":"a\ud83d","id":"b\ud83d"}')
        {'text': 'a\ud83d', 'id': 'b�'}
    """
    try:
        told: JsonValue = json.loads(data.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from None
    return _whole(told, cut=False)


def _whole(value: JsonValue, *, cut: bool) -> JsonValue:
    if isinstance(value, str):
        return value if cut else with_whole_characters(value)
    if isinstance(value, dict):
        return {with_whole_characters(name): _whole(item, cut=name in _CUT) for name, item in value.items()}
    return [_whole(item, cut=cut) for item in value] if isinstance(value, list) else value


def with_whole_characters(text: str) -> str:
    r"""A text with its halves put together, and those that stay alone replaced.

    Args:
        text: As it was put together of pieces.

    Example:
        >>> with_whole_characters("\ud83d\ude00"), with_whole_characters("a\ud83d")
        ('😀', 'a�')
    """
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class Halves:
    r"""Puts together what belongs together in the chunks of one answer: in text, thoughts, refusals and arguments.

    Example:
        >>> halves = Halves()
        >>> "".join(chunk.text for chunk in halves.mended([Chunk("Hi \ud83d"), Chunk("\ude00!")]))
        'Hi 😀!'
        >>> halves.mended([Chunk("\ud83d")]), halves.rest()[0].text
        ([], '�')
    """

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: dict[Key, str] = {}

    def mended(self, chunks: list[Chunk]) -> list[Chunk]:
        """The chunks, with whole characters only; a half that comes last waits.

        Args:
            chunks: The next ones.
        """
        given: list[Chunk] = []
        for chunk in chunks:
            if chunk.finish_reason is not None:
                given += self.rest()
            mended = self._mended(chunk)
            if mended != _NOTHING:
                given.append(mended)
        return given

    def rest(self) -> list[Chunk]:
        """What stands for the halves that are left over."""
        held, self._held = self._held, {}
        return [_chunk(key) for key in held]

    def _mended(self, chunk: Chunk) -> Chunk:
        if chunk.text:
            return msgspec.structs.replace(chunk, text=self._joined("text", chunk.text))
        if chunk.refusal:
            return msgspec.structs.replace(chunk, refusal=self._joined("refusal", chunk.refusal))
        if chunk.thinking is not None and chunk.thinking.text:
            text = self._joined("thinking", chunk.thinking.text)
            thinking = msgspec.structs.replace(chunk.thinking, text=text)
            return msgspec.structs.replace(chunk, thinking=thinking if thinking != ThinkingPart() else None)
        call = chunk.tool_call
        if call is not None and call.arguments:
            arguments = self._joined((call.index, None if call.index is not None else call.id), call.arguments)
            return msgspec.structs.replace(chunk, tool_call=msgspec.structs.replace(call, arguments=arguments))
        return chunk

    def _joined(self, key: Key, text: str) -> str:
        text = self._held.pop(key, "") + text
        if "\ud800" <= text[-1] <= "\udbff":
            self._held[key] = text[-1]
            text = text[:-1]
        return with_whole_characters(text)


_NOTHING: Final = Chunk()


def _chunk(key: Key) -> Chunk:
    if isinstance(key, tuple):
        return Chunk(tool_call=ToolCallDelta(*key, arguments=_UNKNOWN))
    if key == "thinking":
        return Chunk(thinking=ThinkingPart(_UNKNOWN))
    return Chunk(_UNKNOWN) if key == "text" else Chunk(refusal=_UNKNOWN)
