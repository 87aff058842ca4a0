"""A worker that is started as a process of its own, where forking is not safe."""

from __future__ import annotations

import socket
import sys

from sentient_cli.dev.processes.order import decode_order
from sentient_cli.dev.worker import work

__all__ = ["main"]


def main(control: int, doors: int, output: int) -> int:
    """Be told what to load, load it and serve it.

    Args:
        control: Descriptor of a socket for messages; the order comes first.
        doors: Descriptor of a socket that brings connections.
        output: Descriptor of a pipe for what is printed.

    Returns:
        The exit code.
    """
    connection = socket.socket(fileno=control)
    connection.setblocking(True)
    size = int.from_bytes(_read(connection, 4), "big")
    return work(decode_order(_read(connection, size)), connection, socket.socket(fileno=doors), output)


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (part := connection.recv(size - len(data))):
        data += part
    return data


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
