"""The one output object: data goes to stdout, talk to stderr, and nothing else in the package prints."""

from __future__ import annotations

import io
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, TextIO

from sentient_cli.cli.streams import abandon, flush, is_terminal, tolerant, write
from sentient_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    import rich.console

    from sentient_cli.errors import SentientError

__all__ = ["Console"]

MINIMUM_WIDTH = 20
DEFAULT_WIDTH = 80


class Console:
    """Where a command writes to.

    Text is made safe for a terminal and characters that the stream cannot encode are written as escapes, so that no
    text can break the output.

    Args:
        stdout: Where data goes; the process's stdout unless given.
        stderr: Where talk goes; the process's stderr unless given.
        stdin: Where answers come from; the process's stdin unless given.
        environment: Holds ``NO_COLOR``, ``FORCE_COLOR``, ``TERM``, ``COLORTERM`` and ``COLUMNS``.

    Attributes:
        json: Data is JSON, one value a line, and so is an error.
        quiet: Talk is left out.
        verbose: How much detail is wanted: 0, 1, 2.
        no_color: Never colour.
        detailed: Whether what ``-v`` asks for is told here; a server whose log is JSON tells it in its log.
    """

    def __init__(
        self,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
        stdin: TextIO | None = None,
        *,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        # A closed standard stream is None; the streams are looked up now, so that a redirection is respected.
        self._stdout = stdout or tolerant(sys.stdout)
        self._stderr = stderr or tolerant(sys.stderr)
        self._stdin = stdin or sys.stdin
        self._environment: Mapping[str, str] = environment or {}
        self.json = False
        self.quiet = False
        self.verbose = 0
        self.no_color = False
        self.detailed = True

    @property
    def stdout(self) -> TextIO | None:
        """The stream that data goes to; None when it is closed."""
        return self._stdout

    @property
    def stderr(self) -> TextIO | None:
        """The stream that talk goes to; None when it is closed."""
        return self._stderr

    @property
    def interactive(self) -> bool:
        """Whether somebody can be asked: stdin and stderr are terminals and no JSON is wanted."""
        return not self.json and is_terminal(self._stdin) and is_terminal(self._stderr)

    def data(self, text: str, *, end: str = "\n") -> None:
        """Write text to stdout."""
        from sentient_cli.sanitize import sanitize

        write(self._stdout, sanitize(text) + end)

    def script(self, text: str) -> None:
        """Write text of our own to stdout exactly as it is, for another program to read."""
        write(self._stdout, text)

    def json_line(self, value: object) -> None:
        """Write one JSON value to stdout, in one line of ASCII."""
        from sentient_cli.cli.report import json_text

        write(self._stdout, json_text(value) + "\n")

    def say(self, text: str) -> None:
        """Tell the reader something, on stderr; left out with ``--quiet``."""
        if not self.quiet:
            self._talk(text)

    def detail(self, text: str, *, level: int = 1) -> None:
        """Tell the reader something that only ``-v`` (level 1) or ``-vv`` (level 2) asks for."""
        if self.verbose >= level and self.detailed:
            self._talk(text)

    def warn(self, text: str) -> None:
        """Tell the reader of something that is probably not as they want it; left out with ``--quiet``."""
        self.say(f"Warning: {text}")

    def error(self, error: SentientError) -> None:
        """Show an error on stderr: a panel, or one JSON line with ``--json``."""
        from sentient_cli.cli.report import error_line, print_panel

        if self.json:
            write(self._stderr, error_line(error) + "\n")
            return
        print_panel(self.rich(stderr=True), error)
        self.flush()

    def ask(self, question: str, *, flag: str) -> str:
        """Ask for a line of text; without a terminal to ask at, the flag that gives it is named.

        Raises:
            UsageError: nobody can be asked.
        """
        if not self.interactive or self._stdin is None:
            raise UsageError(
                f"A value for {flag} is missing", fix=f"Give it with {flag}: there is no terminal to ask at"
            )
        write(self._stderr, f"{question} ")
        self.flush()
        answer = self._stdin.readline()
        if not answer:
            raise UsageError(f"A value for {flag} is missing", why="The input ended", fix=f"Give it with {flag}")
        from sentient_cli.sanitize import sanitize

        return sanitize(answer.rstrip("\r\n"))  # a terminal that edits no line takes an arrow key for text

    def flush(self) -> None:
        """Hand everything written to the operating system.

        Raises:
            BrokenPipeError: the reader of stdout has left. That nobody hears the talk is no error.
            SentientError: the text cannot be written, such as on a full disk.
        """
        flush(self._stdout)
        with self._heard_or_not():
            flush(self._stderr)

    def color(self, *, stderr: bool = False) -> bool:
        """Whether escape sequences may be written to a stream.

        ``--no-color`` and ``NO_COLOR`` (https://no-color.org) forbid them, ``FORCE_COLOR`` demands them, and else they
        need a terminal that is not dumb.
        """
        if self.no_color or self._environment.get("NO_COLOR"):
            return False
        if self._environment.get("FORCE_COLOR", "0") not in {"", "0"}:
            return True
        return is_terminal(self._stderr if stderr else self._stdout) and self._environment.get("TERM") != "dumb"

    def width(self, *, stderr: bool = False) -> int:
        """The width of the terminal in columns, 80 without one; never below 20."""
        stream = self._stderr if stderr else self._stdout
        columns = self._environment.get("COLUMNS", "")
        if columns.isascii() and columns.isdigit() and int(columns) > 0:
            return max(int(columns), MINIMUM_WIDTH)
        try:
            found = os.get_terminal_size(stream.fileno()).columns if stream is not None else 0
        except (OSError, ValueError):
            found = 0
        return max(found, MINIMUM_WIDTH) if found else DEFAULT_WIDTH

    def rich(self, *, stderr: bool = False) -> rich.console.Console:
        """A Rich console over a stream, with our rules of colour and width; markup, emoji codes and highlights off."""
        from sentient_cli.cli.drawing import RichConsole

        color = self.color(stderr=stderr)
        stream = self._stderr if stderr else self._stdout
        return RichConsole(
            file=stream or io.StringIO(),
            force_terminal=is_terminal(stream) and self._environment.get("TERM") != "dumb",
            color_system=self._color_system() if color else None,
            width=self.width(stderr=stderr),
            markup=False,
            emoji=False,
            highlight=False,
            legacy_windows=False,
        )

    def _color_system(self) -> Literal["truecolor", "256", "standard"]:
        if self._environment.get("COLORTERM", "").lower() in {"truecolor", "24bit"}:
            return "truecolor"
        return "256" if "256color" in self._environment.get("TERM", "") else "standard"

    def _talk(self, text: str) -> None:
        from sentient_cli.config.names import readable
        from sentient_cli.redact import redactor
        from sentient_cli.sanitize import sanitize

        with self._heard_or_not():
            write(self._stderr, redactor.redact(sanitize(readable(text))) + "\n")

    @contextmanager
    def _heard_or_not(self) -> Generator[None]:
        try:
            yield
        except BrokenPipeError:
            abandon(self._stderr)
