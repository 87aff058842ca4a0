"""What of an answer is its content: it is held back up to there, so that another attempt can take its place unseen."""

from __future__ import annotations

import msgspec

from sentient_cli.llm.call import Call
from sentient_cli.llm.types import Chunk

__all__ = ["NOTICES", "is_content", "without_notices"]

NOTICES = "notices"
"""The key in ``Chunk.extra`` under which a provider says what it did not ask as it was wanted."""


def is_content(chunk: Chunk) -> bool:
    """Whether a reader would see something of a piece, or it is the last one.

    Example:
        >>> is_content(Chunk(model="large-2026")), is_content(Chunk("Hel"))
        (False, True)
    """
    return bool(
        chunk.text
        or chunk.tool_call is not None
        or chunk.finish_reason is not None
        or chunk.thinking is not None
        or chunk.refusal
    )


def without_notices(chunk: Chunk, call: Call) -> Chunk:
    """A piece without what its provider has to say about it; the call is told that.

    Args:
        chunk: The piece.
        call: What it belongs to.

    Example:
        >>> from sentient_cli.clock import SystemClock
        >>> from sentient_cli.llm.hooks import Recorder
        >>> call = Call(Recorder((), SystemClock(), "1"))
        >>> without_notices(Chunk("Hi", extra={NOTICES: ["It has no seed"], "id": 7}), call).extra, call.notices
        ({'id': 7}, ['It has no seed'])
    """
    extra = chunk.extra
    if extra is None or NOTICES not in extra:
        return chunk
    told = extra[NOTICES]
    for notice in told if isinstance(told, list) else (told,):
        call.note(str(notice))
    rest = {name: value for name, value in extra.items() if name != NOTICES}
    return msgspec.structs.replace(chunk, extra=rest or None)
