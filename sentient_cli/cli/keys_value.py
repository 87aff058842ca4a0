"""Where a key comes from that is to be stored: a hidden prompt, stdin or a file; never the command line."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sentient_cli.errors import UsageError

if TYPE_CHECKING:
    from sentient_cli.cli.invocation import Invocation
    from sentient_cli.config.secret import Secret

__all__ = ["read_hidden", "read_value", "refuse_arguments"]

_LARGEST: Final = 1024 * 1024
_LINE: Final = 4095
"""Characters that a terminal keeps of a line; it loses the rest without a word."""
_LIKE_A_KEY: Final = re.compile(r".*(?:=|[A-Z]).*|(?:sk|pk|rk|xai|gsk|hf)[-_].*|[\w-]{33,}", re.DOTALL)


def refuse_arguments(name: str, extra: list[str] | None, command: str = "set") -> None:
    """See that no key was given as an argument, neither behind the name nor in its place.

    Raises:
        UsageError: one was; it says how to take the key back.
    """
    given = list(extra or ())
    if _LIKE_A_KEY.fullmatch(name):
        given.append(name.partition("=")[2] or name)
    if not given:
        return
    from sentient_cli.redact import redactor

    for text in given:
        redactor.register(text)
    shown = "NAME" if _LIKE_A_KEY.fullmatch(name) else name
    raise UsageError(
        "A key is never given as an argument",
        why="The command line is kept in the history of the shell, and every program on this machine can read it while"
        " the command runs. Nothing was stored",
        fix="Take the key back: make another one at the provider, and revoke this one there. Delete the line from the"
        f" history of your shell. Then run `sentient keys {command} {shown}` and paste the new key at its prompt",
    )


def read_value(here: Invocation, file: Path | None, *, question: str, raw: bool = False) -> Secret:
    """Read a key from a file, from stdin where that is no terminal, or at a prompt that does not show it.

    Args:
        here: The call.
        file: The value of --from-file; `-` is stdin.
        question: What a prompt says.
        raw: Whether the line break at its end belongs to it.

    Raises:
        UsageError: there is none, and nobody can be asked.
    """
    from sentient_cli.cli.streams import is_terminal
    from sentient_cli.config.secret import Secret

    if file is not None and str(file) != "-":
        return Secret(_decoded(_read_file(here, file), raw=raw))
    if file is not None or not is_terminal(sys.stdin):
        return Secret(_decoded(_read_stdin(), raw=raw))
    if not here.console.interactive:
        raise UsageError(
            "The key is missing",
            why="Nobody can be asked with --json",
            fix="Give it with --from-file FILE, or on stdin",
        )
    typed = read_hidden(here, question)
    if typed:
        _tell(here, typed)
    return Secret(typed)


def read_hidden(here: Invocation, question: str) -> str:
    """Ask for a line that is not shown.

    Raises:
        UsageError: the input ended, or the line was too long for a terminal.
    """
    import getpass

    here.console.flush()
    try:
        typed = getpass.getpass(f"{question} (not shown): ", here.console.stderr)
    except EOFError:
        raise UsageError("Nothing was typed", why="The input ended", fix="Run it again") from None
    if len(typed.encode(errors="surrogateescape")) >= _LINE:
        raise UsageError(
            "What was pasted is too long for a terminal",
            why=f"It keeps {_LINE} characters of a line, and the rest is lost",
            fix="Give it with --from-file FILE, or on stdin",
        )
    return typed


def _tell(here: Invocation, typed: str) -> None:
    from sentient_cli.credentials.item import fingerprint_of
    from sentient_cli.redact import redactor

    redactor.register(typed)
    fingerprint = fingerprint_of(typed.strip())
    here.console.say(f"{len(typed)} characters{f', fingerprint {fingerprint}' if fingerprint else ''}")


def _read_stdin() -> bytes:
    data = sys.stdin.buffer.read(_LARGEST + 1) if sys.stdin else b""
    if not data.strip():
        raise UsageError(
            "The key is missing", why="Nothing came on stdin", fix="Give it with --from-file FILE, or on stdin"
        )
    return _bounded(data)


def _read_file(here: Invocation, path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
            mode = path.stat().st_mode
    except OSError as error:
        raise UsageError(
            "The file of --from-file cannot be read", why=error.strerror or "", fix="Check its name and its rights"
        ) from error
    if sys.platform != "win32" and mode & 0o077:
        here.console.warn(f"Others on this machine can read {path}: remove it, or run `chmod 600` on it")
    return _bounded(data)


def _bounded(data: bytes) -> bytes:
    if len(data) > _LARGEST:
        raise UsageError("This is no key", why="It has more than a megabyte", fix="Check what you gave")
    return data


def _decoded(data: bytes, *, raw: bool) -> str:
    text = data.removeprefix(b"\xef\xbb\xbf").decode(errors="surrogateescape")
    return text if raw else text.removesuffix("\n").removesuffix("\r")
