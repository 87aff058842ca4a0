"""Opening a page in the user's browser, never in their terminal."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["can_open", "open_page", "tunnel"]

_OPEN: Final = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.stdin.read()))"
_PATIENCE: Final = 20.0
_SSH_PORT: Final = "22"
_CONNECTION: Final = re.compile(r"\S+ \d+ ([0-9A-Fa-f.:]+) (\d+)")
"""What ``SSH_CONNECTION`` holds: address and port of the client, then of the server."""
_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def can_open(environment: Mapping[str, str]) -> bool:
    """Whether there is a browser with windows: over ssh, or in a container, there is none.

    Args:
        environment: Holds ``BROWSER``, ``DISPLAY`` and the like.
    """
    if sys.platform in {"win32", "darwin"} or environment.get("BROWSER"):
        return not environment.get("SSH_CONNECTION") or bool(environment.get("BROWSER"))
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def tunnel(environment: Mapping[str, str], url: str) -> str:
    """The command that makes an address of this machine one of the machine that the user sits at.

    Args:
        environment: Holds ``SSH_CONNECTION``, where it is reached over ssh.
        url: Where it listens.

    Returns:
        Nothing where there is no ssh, or others can reach the address anyhow.

    Example:
        >>> over_ssh = {"SSH_CONNECTION": "10.0.0.9 51000 10.0.0.5 22", "USER": "ann"}
        >>> tunnel(over_ssh, "http://127.0.0.1:8000"), tunnel({}, "http://127.0.0.1:8000")
        ('ssh -N -L 8000:127.0.0.1:8000 ann@10.0.0.5', '')
    """
    found = _CONNECTION.fullmatch(environment.get("SSH_CONNECTION", ""))
    address = urlsplit(url)
    if found is None or address.hostname not in {"127.0.0.1", "::1"}:
        return ""
    user = environment.get("USER", "")
    named = f"{user}@" if _USER.fullmatch(user) else ""
    port = "" if found[2] == _SSH_PORT else f"-p {found[2]} "
    return f"ssh -N -L {address.port}:{address.netloc} {port}{named}{found[1]}"


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
