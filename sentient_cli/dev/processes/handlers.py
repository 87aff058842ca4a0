"""What a process does at signals, where code of others runs that may change it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Generator

__all__ = ["as_new", "end_group", "kept"]


def as_new() -> None:
    """Do at signals what a new interpreter does; what is ignored stays so."""
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


@contextlib.contextmanager
def kept() -> Generator[None]:
    """Do after the block what is done before it; the ends of children are waited for, whatever it was."""
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None and signal.getsignal(number) != handler:
                signal.signal(number, handler)
        if sys.platform != "win32":  # libraries may have changed it, of which Python knows nothing
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def end_group() -> None:
    """End the others of the group that this process leads."""
    if sys.platform != "win32" and os.getpgrp() == os.getpid():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with contextlib.suppress(OSError):
            os.killpg(0, signal.SIGTERM)
