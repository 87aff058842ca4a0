"""The question of `ask`: what was typed, what is in files, and what is piped in."""

from __future__ import annotations

import os
import select
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sentient_cli.errors import BadRequestError, UsageError
from sentient_cli.llm.types import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TextIO

    from sentient_cli.llm import Part

__all__ = ["question"]

P = TypeVar("P")

_LARGEST = 32 * 1024 * 1024
_MOMENT = 1.0
"""Seconds after which it is said that something is waited for."""
_SOUNDS = (".wav", ".mp3")


def question(
    prompt: str | None,
    *,
    system: str | None,
    files: Sequence[Path],
    images: Sequence[Path],
    waits: Callable[[], None] | None = None,
) -> tuple[Message, ...]:
    """The conversation that a command line asks.

    Args:
        prompt: What was typed; ``-`` and none: what stdin has.
        system: How the model shall answer.
        files: Texts, documents and sounds.
        images: Pictures.
        waits: Is called when a question was typed and nothing comes from stdin, which is open.

    Raises:
        UsageError: there is no question, or a file cannot be read or is not what it should be.
    """
    from sentient_cli.llm.parts import ImagePart, TextPart

    typed = "" if prompt in {None, "-"} else str(prompt)
    _check_typed(typed, "The question")
    _check_typed(system or "", "The text of --system")
    piped = _piped(must=prompt in {None, "-"}, waits=waits)
    parts: list[Part] = []
    for path in images:
        _check(path)
        parts.append(_read(ImagePart.read, path, "picture", "Give a PNG, JPEG, GIF or WebP file"))
    texts: list[str] = []
    for path in files:
        _check(path)
        part = _part_of(path)
        if isinstance(part, str):
            texts.append(part)
        else:
            parts.append(part)
    text = "\n\n".join(each for each in (typed, *texts, piped) if each.strip())
    if not text and not parts:
        raise UsageError(
            "There is no question", fix='Write `sentient ask "…"`, or pipe one in: `echo "…" | sentient ask`'
        )
    if text:
        parts.append(TextPart(text))
    asked = Message.user(text) if len(parts) == 1 and text else Message.user(tuple(parts))
    return (Message.system(system), asked) if system else (asked,)


def _piped(*, must: bool, waits: Callable[[], None] | None) -> str:
    """What stdin has; where a question was typed, only what is piped in or comes from a file."""
    stdin = sys.stdin
    if stdin is None or stdin.closed:
        return ""
    try:
        mode = os.fstat(stdin.fileno()).st_mode
        comes = stat.S_ISFIFO(mode) or stat.S_ISREG(mode)
        terminal = stdin.isatty()
    except (OSError, ValueError):
        comes, terminal = True, False
    if terminal or not (must or comes):
        return ""
    if not must and waits is not None and not _is_ready(stdin):
        waits()
    data = stdin.buffer.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise UsageError("What is piped in is larger than 32 MiB", fix="Pipe less")
    try:
        return data.decode("utf-8-sig").rstrip("\n")
    except UnicodeDecodeError:
        raise UsageError(
            "What is piped in is no text", fix="Give pictures with --image, other files with --file"
        ) from None


def _is_ready(stdin: TextIO) -> bool:
    """Whether there is something to read within a moment, or it is at its end."""
    try:
        return bool(select.select([stdin], [], [], _MOMENT)[0])
    except (OSError, ValueError):  # no such thing can be waited for here
        return True


def _check_typed(text: str, what: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{what} is no text in UTF-8", fix="Check the encoding of the terminal or script") from None


def _check(path: Path) -> None:
    if not path.is_file():
        what = f"{path} is no file" if path.exists() else f"There is no file {path}"
        raise UsageError(what, fix="Check the path")
    if path.stat().st_size > _LARGEST:
        raise UsageError(f"{path} is larger than 32 MiB", fix="Give a smaller file")


def _part_of(path: Path) -> Part | str:
    from sentient_cli.llm.parts import AudioPart, DocumentPart

    if path.suffix.lower() in _SOUNDS:
        return _read(AudioPart.read, path, "sound", "Give a WAV or MP3 file")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read", why=error.strerror or "", fix="Check its rights") from None
    if data.startswith(b"%PDF-"):
        return DocumentPart.read(path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        fix = "Give a text in UTF-8, a PDF, or a WAV or MP3 file; pictures go with --image"
        raise UsageError(f"{path} is no text", fix=fix) from None
    return f"{path.name}:\n```\n{text.rstrip()}\n```"


def _read(read: Callable[[Path], P], path: Path, what: str, fix: str) -> P:
    try:
        return read(path)
    except BadRequestError as error:
        raise UsageError(f"{path} is no {what}", why=error.why, fix=fix) from None
