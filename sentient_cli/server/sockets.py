"""The listening socket, and errors that say who has the port."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from pathlib import Path

from sentient_cli.errors import AddressInUseError, AddressNotAllowedError, NetworkError

__all__ = ["bind", "free_port", "port_holder"]

_PROC = Path("/proc")
_LISTEN = "0A"
_MAX_PORT = 65535
_TRIES = 20
_BACKLOG = 2048
"""Connections that may wait to be accepted."""


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Args:
        host: A name or an address.
        port: 0 takes a free one.

    Raises:
        AddressInUseError: the port is taken; the error names the holder where the system tells.
        AddressNotAllowedError: the port is privileged.
        NetworkError: the address is not one of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError, OverflowError) as error:
        raise NetworkError(f"{host!r} is no address to listen on", why=str(error), fix="Use 127.0.0.1") from error
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name != "nt":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise _bind_error(host, port, error) from error
    return listener


def _bind_error(host: str, port: int, error: OSError) -> NetworkError:
    if error.errno == errno.EADDRINUSE:
        holder = port_holder(port)
        return AddressInUseError(
            f"Port {port} on {host} is taken",
            why=f"{holder} listens on it" if holder else "",
            fix=f"Stop it, or use another port: --port {free_port(host, port)}",
        )
    if error.errno == errno.EACCES:
        return AddressNotAllowedError(
            f"Port {port} may not be used", why="Ports below 1024 are privileged", fix="Use --port 8000"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return AddressNotAllowedError(f"{host} is not an address of this machine", fix="Use --host 127.0.0.1")
    return NetworkError(f"Cannot listen on {host}:{port}", why=error.strerror or str(error))


def free_port(host: str, taken: int) -> int:
    """A port near the one that is taken, on which somebody could listen a moment ago; 0, any, when there is none.

    Args:
        host: A name or an address.
        taken: Ports above this one are tried.
    """
    for port in range(taken + 1, min(taken + _TRIES, _MAX_PORT) + 1):
        with contextlib.suppress(OSError, NetworkError), socket.create_server((host, port), family=_family(host)):
            return port
    return 0


def _family(host: str) -> socket.AddressFamily:
    return socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]


def port_holder(port: int) -> str:
    """Who listens on a TCP port, such as ``python (process 4711)``; empty when the system does not tell.

    Args:
        port: On any address of this machine.
    """
    wanted = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    if not wanted:
        return ""
    for process in _PROC.iterdir():
        if process.name.isdigit() and _has_open(process, wanted):
            with contextlib.suppress(OSError):
                name = (process / "comm").read_text(errors="replace").strip()
                return f"{name} (process {process.name})"
    return ""


def _listening_inodes(port: int) -> set[str]:
    inodes: set[str] = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (_PROC / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(fields[9])
    return inodes


def _has_open(process: Path, wanted: set[str]) -> bool:
    with contextlib.suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                if str(descriptor.readlink()) in wanted:
                    return True
    return False
