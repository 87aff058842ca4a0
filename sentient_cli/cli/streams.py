"""Standard streams that may be closed, may be no terminal, and may not know every character."""

from __future__ import annotations

import io
from typing import TextIO

__all__ = ["is_terminal", "tolerant", "write"]


def tolerant(stream: TextIO | None) -> TextIO | None:
    """Make a stream write what it cannot encode as an escape, instead of failing."""
    known: object = stream
    if isinstance(known, io.TextIOWrapper) and known.errors != "backslashreplace":
        known.reconfigure(errors="backslashreplace")
    return stream


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a terminal is behind a stream; one that is closed has none."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def write(stream: TextIO | None, text: str) -> None:
    """Write ``text``, unless the stream was closed before we began."""
    if stream is not None:
        stream.write(text)
