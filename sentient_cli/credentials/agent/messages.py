"""What is said to the process that keeps passphrases: one line of JSON there, one back, and the connection ends."""

from __future__ import annotations

import socket
from typing import Final, Literal, TypeAlias

import msgspec

__all__ = ["LARGEST", "Order", "Reply", "Work", "receive", "send"]

LARGEST: Final = 32 * 1024
"""Bytes of a line."""
Work: TypeAlias = Literal["get", "keep", "forget"]


class Order(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is asked for.

    Args:
        do: ``get`` or ``keep`` a passphrase, or ``forget`` all of them and end.
        file: Of which encrypted file.
        passphrase: The one to keep.
        seconds: How long.
    """

    do: Work
    file: str = ""
    passphrase: str = ""
    seconds: float = 0.0

    def __repr__(self) -> str:
        return f"Order(do={self.do!r}, file={self.file!r})"


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer.

    Args:
        ok: Whether it was done; for ``get``: whether there is one.
        passphrase: It.
        kept: How many were kept.
    """

    ok: bool = False
    passphrase: str = ""
    kept: int = 0

    def __repr__(self) -> str:
        return f"Reply(ok={self.ok!r}, kept={self.kept!r})"


def send(connection: socket.socket, message: Order | Reply) -> None:
    """Send a line."""
    connection.sendall(msgspec.json.encode(message) + b"\n")


def receive(connection: socket.socket) -> bytes:
    """The line that comes; cut off where it is too long or the other end left."""
    data = b""
    while not data.endswith(b"\n") and len(data) < LARGEST:
        part = connection.recv(LARGEST - len(data))
        if not part:
            break
        data += part
    return data
