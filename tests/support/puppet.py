"""A test's hand inside an agent: the agent connects back, takes one command a line, and answers when it is done."""

from __future__ import annotations

import json
import socket
from types import TracebackType
from typing import Self

from tests.support.wire import PATIENCE


class Puppet:
    """The test's end. Its `prompt` makes the agent in ``agents/behaviours.py`` connect; then `take` it."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE)
        self._connection: socket.socket | None = None
        self._buffer = b""
        self.pid = 0

    @property
    def prompt(self) -> str:
        """What to ask."""
        _, port = self._listener.getsockname()
        return f"puppet {port}"

    def take(self) -> Self:
        """Wait for the agent."""
        self._connection, _ = self._listener.accept()
        self._connection.settimeout(PATIENCE)
        pid = self.hear()
        assert isinstance(pid, int)
        self.pid = pid
        return self

    def say(self, *words: object) -> None:
        """Give a command without waiting for it."""
        assert self._connection is not None
        self._connection.sendall(json.dumps(words).encode() + b"\n")

    def hear(self) -> object:
        """The agent's next word; None when it is gone."""
        assert self._connection is not None
        while b"\n" not in self._buffer:
            try:
                data = self._connection.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        value: object = json.loads(line)
        return value

    def do(self, *words: object) -> object:
        """Give a command, and return what the agent answers when it has done it."""
        self.say(*words)
        return self.hear()

    def end(self) -> None:
        """Let the agent return."""
        self.say("end")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.close()
        if self._connection is not None:
            self._connection.close()
