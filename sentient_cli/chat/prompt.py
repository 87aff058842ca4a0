"""The line that the user types.

Editing is readline's, from the standard library: it is there without an import to pay for, and every terminal and key
binding of the user's works as elsewhere. Where there is none, the terminal's own line editing serves.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from typing import TYPE_CHECKING, Protocol, cast

from sentient_cli.redact import redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import TextIO

__all__ = ["Prompt"]

MAX_HISTORY = 1000
MAX_KEPT_LENGTH = 2000


class _Readline(Protocol):
    def add_history(self, string: str, /) -> None: ...
    def set_auto_history(self, enabled: bool, /) -> None: ...
    def set_completer(self, function: Callable[[str, int], str | None] | None = None, /) -> None: ...
    def set_completer_delims(self, string: str, /) -> None: ...
    def parse_and_bind(self, string: str, /) -> None: ...
    def get_line_buffer(self) -> str: ...


class Prompt:
    """Asks for lines.

    Args:
        sign: Stands before the line.
        stdin: Where lines come from.
        talk: Where the sign is written when stdout is no terminal.
        edit: Whether stdin and stdout are terminals, so that lines can be edited.
        history: The file of earlier lines; None keeps none.
        words: What the tabulator completes.
        styled: Whether the sign may be bold.
    """

    def __init__(
        self,
        sign: str,
        *,
        stdin: TextIO,
        talk: TextIO,
        edit: bool,
        history: Path | None,
        words: Sequence[str] = (),
        styled: bool = False,
    ) -> None:
        self._sign = sign
        self._stdin = stdin
        self._talk = talk
        self._history = history
        self._words = tuple(words)
        self._styled = styled
        self._lines: list[str] = []
        self._readline = self._prepared() if edit else None

    def read(self) -> str:
        """The next line, without its end.

        Raises:
            EOFError: there are no more lines.
            KeyboardInterrupt: the user interrupts.
        """
        if self._readline is None:
            return self._read_plainly()
        # The markers tell readline which characters take no room.
        sign = f"\001\x1b[1m\002{self._sign}\001\x1b[0m\002 " if self._styled else f"{self._sign} "
        line = input(sign)
        self._remember(line)
        return line

    def _read_plainly(self) -> str:
        self._talk.write(f"{self._sign} ")
        self._talk.flush()
        line = self._stdin.readline()
        if not line:
            raise EOFError
        return line.rstrip("\r\n")

    def _prepared(self) -> _Readline | None:
        try:
            found = importlib.import_module("readline")
        except ImportError:
            return None
        readline = cast("_Readline", found)
        readline.set_auto_history(False)
        readline.set_completer(self._complete)
        readline.set_completer_delims(" ")
        readline.parse_and_bind("bind ^I rl_complete" if "libedit" in (found.__doc__ or "") else "tab: complete")
        self._lines = _read_history(self._history)
        for line in self._lines:
            readline.add_history(line)
        return readline

    def _complete(self, text: str, state: int) -> str | None:
        fitting = [word for word in self._words if text.startswith("/") and word.startswith(text)]
        return fitting[state] if state < len(fitting) else None

    def _remember(self, line: str) -> None:
        if not line.strip() or self._readline is None or self._lines[-1:] == [line]:
            return
        self._readline.add_history(line)
        self._lines.append(line)
        if self._history is not None:
            _write_history(self._history, self._lines)


def _read_history(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.isprintable()][-MAX_HISTORY:]


def _write_history(path: Path, lines: Sequence[str]) -> None:
    """Keep the latest lines in a private file, without secrets; a chat does not fail for want of a history."""
    kept = [
        redactor.redact(line) for line in lines[-MAX_HISTORY:] if line.isprintable() and len(line) <= MAX_KEPT_LENGTH
    ]
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError, UnicodeError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in kept))
        temporary.replace(path)
