"""SIGHUP: read the settings again; but when it is the terminal that went away, stop."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

from sentient_cli.signals import on_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["obeying_hangups"]

_TERMINAL = "/dev/tty"


@contextlib.contextmanager
def obeying_hangups(renew: Callable[[], object], stop: Callable[[], object]) -> Generator[None]:
    """Obey SIGHUP within the block, where there is such a signal; what follows is called in the running loop.

    Args:
        renew: Reads the settings again.
        stop: Ends the server: its terminal is gone, and it was not started with ``nohup``.
    """
    number: signal.Signals | None = getattr(signal, "SIGHUP", None)
    if number is None:
        yield
        return
    ends_with_it = signal.getsignal(number) is not signal.SIG_IGN and _has_terminal()

    def obey() -> None:
        (stop if ends_with_it and not _has_terminal() else renew)()

    with on_signals([number], obey):
        yield


def _has_terminal() -> bool:
    try:
        os.close(os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
