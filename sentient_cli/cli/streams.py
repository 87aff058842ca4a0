"""Standard streams that may be closed, may be no terminal, and may not know every character."""

from __future__ import annotations

import io
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from sentient_cli.errors import SentientError

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["abandon", "flush", "is_terminal", "open_closed", "tolerant", "write"]

_STANDARD = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def open_closed() -> None:
    """Lead the standard streams that the process was started without nowhere.

    Else the next file or socket would get the number of one, for which libuv ends a process.
    """
    for descriptor, (name, mode) in enumerate(_STANDARD):
        try:
            os.fstat(descriptor)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != descriptor:
                os.dup2(nowhere, descriptor)
                os.close(nowhere)
            os.set_inheritable(descriptor, True)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))


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
    """Write ``text``, unless the stream was closed before we began.

    Raises:
        BrokenPipeError: the reader has left.
        SentientError: the text cannot be written, such as on a full disk.
    """
    if stream is not None:
        with _explained():
            stream.write(text)


def flush(stream: TextIO | None) -> None:
    """Hand what was written to the operating system.

    Raises:
        BrokenPipeError: the reader has left.
        SentientError: the text cannot be written, such as on a full disk.
    """
    if stream is not None:
        with _explained():
            stream.flush()


def abandon(stream: TextIO | None) -> None:
    """Once the reader has left, send what a stream still holds, and all that follows, nowhere.

    Python flushes the standard streams once more when it exits, which must not fail a second time.
    """
    if stream is None:
        return
    try:
        stream.flush()
    except (OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


@contextmanager
def _explained() -> Generator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise SentientError(
            "The output could not be written", why=error.strerror or "", fix="Check where it goes"
        ) from error
