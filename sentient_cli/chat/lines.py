"""An answer as JSON lines, for another program: each event as it came, in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sentient_cli.chat.escape import escape_unprintable
from sentient_cli.sanitize import sanitize_line

if TYPE_CHECKING:
    from typing import TextIO

    from sentient_cli.errors import SentientError
    from sentient_cli.runtime.events import Event

__all__ = ["JsonLinesView"]


class JsonLinesView:
    """Writes events as they come; text that is not the agent's goes to the other stream.

    Args:
        out: For the events.
        talk: For notices.
        quiet: Leave notices out.
    """

    def __init__(self, out: TextIO, talk: TextIO, *, quiet: bool = False) -> None:
        self._out = out
        self._talk = talk
        self._quiet = quiet
        encoding = (getattr(out, "encoding", None) or "ascii").lower().replace("-", "")
        self._ascii_only = encoding != "utf8"

    def waiting(self) -> None:
        """The question was sent."""

    def show(self, event: Event, raw: str) -> None:  # noqa: ARG002 - other views need it
        """Write an event. A line break in JSON stands between its parts only, where a space means the same."""
        line = escape_unprintable(raw.replace("\n", " ").strip(), ascii_only=self._ascii_only)
        self._out.write(line + "\n")
        self._out.flush()

    def notice(self, text: str) -> None:
        """Say something quiet that is not the agent's."""
        if not self._quiet:
            self._talk.write(sanitize_line(text) + "\n")
            self._talk.flush()

    def status(self, text: str) -> None:
        """Say what is going on now."""
        self.notice(text)

    def fail(self, error: SentientError) -> None:
        """Say that the answer could not be had."""
        self._talk.write(f"Error: {sanitize_line(str(error))}\n")
        self._talk.flush()

    def end(self) -> None:
        """Nothing is held back."""
