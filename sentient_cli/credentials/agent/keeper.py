"""The process itself: keeps passphrases until their time is over, and ends with the last one.

It writes nothing but one line that it is ready, has no child, and leaves no core dump.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from sentient_cli.credentials.agent.messages import Order, Reply, receive, send
from sentient_cli.credentials.agent.peers import is_ours, named
from sentient_cli.credentials.core_dumps import forbid_core_dumps
from sentient_cli.credentials.stores.locks import locked
from sentient_cli.credentials.stores.places import require_folder
from sentient_cli.errors import SentientError

__all__ = ["MOST", "READY", "Passphrases", "keep_passphrases"]

MOST: Final = 16
"""Files whose passphrase is kept at once."""
_PATIENCE: Final = 2.0
_FIRST: Final = 10.0
"""Seconds in which the first passphrase has to come."""
_PR_SET_DUMPABLE: Final = 4
READY: Final = b"ready\n"
"""What it writes once it can be asked."""
_orders: Final = msgspec.json.Decoder(Order)


def _seconds() -> float:
    """A clock that never goes back, and goes on while the machine sleeps where the system has one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic()


class Passphrases:
    """What is kept, for a while.

    Example:
        >>> kept = Passphrases()
        >>> kept.answer(Order("keep", "/a", "correct horse", 60.0), now=0.0)
        Reply(ok=True, kept=1)
        >>> kept.answer(Order("get", "/a"), now=59.0).passphrase, kept.answer(Order("get", "/a"), now=60.0).passphrase
        ('correct horse', '')
    """

    def __init__(self) -> None:
        self.has_begun: bool = False
        """Whether there ever was one."""
        self._kept: dict[str, tuple[bytearray, float]] = {}

    def answer(self, order: Order, *, now: float) -> Reply:
        """Do what is asked for.

        Args:
            order: What that is.
            now: What the time is, in seconds.
        """
        self.expire(now)
        if order.do == "forget":
            count = len(self._kept)
            self.expire(float("inf"))
            return Reply(ok=True, kept=count)
        if order.do == "get":
            found = self._kept.get(order.file)
            return Reply(ok=True, passphrase=found[0].decode("utf-8", "surrogatepass")) if found else Reply()
        if not order.file or not order.passphrase or (order.file not in self._kept and len(self._kept) >= MOST):
            return Reply(kept=len(self._kept))
        self._drop(order.file)
        self.has_begun = True
        self._kept[order.file] = bytearray(order.passphrase.encode("utf-8", "surrogatepass")), now + order.seconds
        return Reply(ok=True, kept=len(self._kept))

    def expire(self, now: float) -> None:
        """Forget what is over."""
        for file in [file for file, (_, until) in self._kept.items() if until <= now]:
            self._drop(file)

    def next_end(self) -> float | None:
        """When the next one is over; None: nothing is kept."""
        return min((until for _, until in self._kept.values()), default=None)

    def _drop(self, file: str) -> None:
        found = self._kept.pop(file, None)
        if found is not None:
            found[0][:] = bytes(len(found[0]))


def keep_passphrases(path: str) -> None:
    """Keep passphrases until there are none; return at once when another process does so already.

    Args:
        path: The socket.
    """
    _forbid_looking()
    with contextlib.suppress(SentientError):
        _keep(Path(path))
    _say_ready()


def _keep(path: Path) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it outlives the terminal that it was started from
    os.umask(0o077)
    require_folder(path.parent)
    with locked(path.with_name(f"{path.name}.lock"), 0.0), socket.socket(socket.AF_UNIX) as listener:
        path.unlink(missing_ok=True)  # of one that was killed: it had the lock
        with named(path) as name:
            listener.bind(name)
        path.chmod(0o600)
        listener.listen(16)
        try:
            _say_ready()
            _serve(listener, Passphrases())
        finally:
            path.unlink(missing_ok=True)


def _forbid_looking() -> None:
    """Have the system write no core dump, and let no other process of this user read the memory of this one."""
    forbid_core_dumps()
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - of this process alone

        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _say_ready() -> None:
    with contextlib.suppress(OSError):
        os.write(1, READY)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 1)
        os.close(nothing)


def _serve(listener: socket.socket, kept: Passphrases) -> None:
    first = _seconds() + _FIRST
    while True:
        now = _seconds()
        kept.expire(now)
        end = kept.next_end()
        if end is None and (kept.has_begun or now >= first):
            return
        listener.settimeout(max(0.01, (first if end is None else end) - now))
        with contextlib.suppress(OSError, msgspec.MsgspecError, UnicodeError):  # a peer that leaves, or says nonsense
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(_PATIENCE)
                if is_ours(connection):
                    send(connection, kept.answer(_orders.decode(receive(connection)), now=_seconds()))
