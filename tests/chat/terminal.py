"""A real terminal around `sentient chat`: what it wrote, byte by byte, and what a reader sees."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from collections.abc import Generator, Mapping
from pathlib import Path

import pexpect
import pyte

from tests.support import commands

__all__ = ["OWN_SEQUENCES", "ChatTerminal", "chatting"]

REPOSITORY = Path(__file__).resolve().parents[2]
# What the chat and readline may send: colours, the moves of the live lines, readline's own line drawing and paste mode.
OWN_SEQUENCES = re.compile(
    rb"\x1b\[[0-9;]*m|\x1b\[[0-9]*A|\x1b\[K|\x1b\[J|\x1b\[\?2004[hl]|\x1b\[\?1034h|\x1b\[C|\x1b\[[0-9]*P"
)


class ChatTerminal:
    """One running chat."""

    def __init__(self, child: pexpect.spawn[bytes], raw: io.BytesIO, columns: int, rows: int) -> None:
        self.child = child
        self._raw = raw
        self._columns = columns
        self._rows = rows

    @property
    def raw(self) -> bytes:
        """Every byte that was written so far."""
        return self._raw.getvalue()

    def prompt(self) -> None:
        """Wait until it asks for a line."""
        self.child.expect(r"(?:›|>)\x1b\[0m $|(?:›|>) $".encode())  # noqa: RUF001 - as drawn

    def ask(self, line: str) -> None:
        """Type a line, and wait for the prompt after its answer."""
        self.child.sendline(line)
        self.child.expect_exact(line.encode())
        self.prompt()

    def wait_for(self, text: str) -> None:
        self.child.expect_exact(text.encode())

    def leave(self) -> int:
        """End the input; the exit code."""
        self.child.sendeof()
        return self.exit_code()

    def exit_code(self) -> int:
        self.child.expect(pexpect.EOF)
        self.child.close()
        assert self.child.signalstatus is None
        return int(self.child.exitstatus or 0)

    def lines(self) -> list[str]:
        """The scrollback and the screen, as an emulator of the terminal shows them."""
        screen = pyte.HistoryScreen(self._columns, self._rows, history=10_000, ratio=0.5)
        pyte.ByteStream(screen).feed(self.raw)
        above = ["".join(row[column].data for column in range(self._columns)) for row in screen.history.top]
        return [line.rstrip() for line in [*above, *screen.display]]

    def text(self) -> str:
        return "\n".join(self.lines()).rstrip()


@contextlib.contextmanager
def chatting(
    *arguments: str,
    columns: int = 80,
    rows: int = 24,
    environment: Mapping[str, str] | None = None,
) -> Generator[ChatTerminal]:
    """Start `sentient chat` in a terminal of its own."""
    raw = io.BytesIO()
    child: pexpect.spawn[bytes] = pexpect.spawn(
        sys.executable,
        commands.attached("chat", *arguments),
        cwd=str(REPOSITORY),
        env={**os.environ, "INPUTRC": "/dev/null", **(environment or {})},
        dimensions=(rows, columns),
        timeout=150,
    )
    child.logfile_read = raw
    terminal = ChatTerminal(child, raw, columns, rows)
    try:
        yield terminal
    finally:
        child.close(force=True)
