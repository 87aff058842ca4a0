"""What a hub needs of others."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from os import PathLike
from typing import Protocol

from sentient_cli.dev.messages import Begun, Watched

__all__ = ["Records", "Server", "Watching"]


class Server(Protocol):
    """Answers what is not the agent's."""

    def adopt(self, connection: socket.socket) -> None:
        """Answer on a connection."""
        ...


class Records(Protocol):
    """Keeps what happens in runs, and shows it."""

    async def take(self, kind: int, payload: bytes) -> None:
        """Take a frame of a worker."""
        ...

    def abandon(self, runs: Iterable[Begun], ended: Iterable[Begun] = ()) -> None:
        """Nothing more comes of these runs, nor of others that have ended, though their last entries may be missing."""
        ...

    def changed(self) -> None:
        """What `Hub.state` tells is another now."""
        ...


class Watching(Protocol):
    """Watches files beyond those of the project."""

    def reads(self, paths: Iterable[str | PathLike[str]], since: int | None = None) -> None:
        """Watch these files too, and tell what of them changed after a moment, in nanoseconds of the file system."""
        ...

    def watch(self, watched: Watched) -> None:
        """Watch what the settings say now."""
        ...
