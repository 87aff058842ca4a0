"""The texts of an answer of a model, in the log of a run, and the same answer with other texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec.structs import replace

from sentient_cli.llm.types import Chunk
from sentient_cli.runtime.events import encode_json

__all__ = ["LoggedAnswer", "decode_answer", "texts_in", "with_texts"]

_TEXT = "text"


class LoggedAnswer(msgspec.Struct):
    """The data of an ``llm.chunks`` entry, in its order."""

    call: str
    attempt: int
    parent: str | None
    chunks: list[tuple[int, Chunk]]


_answers = msgspec.json.Decoder(LoggedAnswer)


def decode_answer(data: bytes) -> LoggedAnswer:
    """What an entry holds.

    Raises:
        msgspec.DecodeError: it is no answer.
    """
    return _answers.decode(data)


def texts_in(answer: LoggedAnswer) -> Iterator[tuple[tuple[str, str | int], str]]:
    """Each text, with the stream that it is a piece of."""
    for _, chunk in answer.chunks:
        if chunk.text:
            yield (answer.call, _TEXT), chunk.text
        if chunk.tool_call is not None and chunk.tool_call.arguments:
            yield (answer.call, chunk.tool_call.index or 0), chunk.tool_call.arguments


def with_texts(answer: LoggedAnswer, texts: Sequence[str]) -> bytes:
    """The data of an answer with other texts, in the order of `texts_in`."""
    left = iter(texts)
    chunks: list[tuple[int, Chunk]] = []
    for offset, chunk in answer.chunks:
        call = chunk.tool_call
        text = next(left) if chunk.text else ""
        if call is not None and call.arguments:
            call = replace(call, arguments=next(left))
        chunks.append((offset, replace(chunk, text=text, tool_call=call)))
    return encode_json(replace(answer, chunks=chunks))
