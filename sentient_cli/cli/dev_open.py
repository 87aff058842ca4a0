"""Opening a page in the user's browser, never in their terminal."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["can_open", "open_page"]

_OPEN: Final = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.stdin.read()))"
_PATIENCE: Final = 20.0


def can_open(environment: Mapping[str, str]) -> bool:
    """Whether there is a browser with windows: over ssh, or in a container, there is none.

    Args:
        environment: Holds ``BROWSER``, ``DISPLAY`` and the like.
    """
    if sys.platform in {"win32", "darwin"} or environment.get("BROWSER"):
        return not environment.get("SSH_CONNECTION") or bool(environment.get("BROWSER"))
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def open_page(url: str) -> bool:
    """Open a page; may take seconds, so it belongs into a thread.

    Args:
        url: The page. It becomes an argument of the browser, which everybody on this machine can read.

    Returns:
        Whether a browser took it.
    """
    # In a process of its own: a browser may write to its standard streams, and ends with the terminal's Ctrl-C.
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(  # noqa: S603 - our own Python
            [sys.executable, "-I", "-c", _OPEN],  # isolated: a module of the project must not pass for one of Python's
            input=url.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            timeout=_PATIENCE,
            check=False,
        )
        return done.returncode == 0
    return False
