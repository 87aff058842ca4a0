"""No network but loopback for whatever tests start, in any language: the suite has one of its own, with no way out.

Linux lets root have one, and mostly everybody else. Elsewhere `tests.plugins.doors` still guards the tests' own
processes; the head of the report says which it is. Run as a program this is the attempt, on a process that may be lost.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

ALONE = "TESTS_HAVE_LOOPBACK_ONLY"
"""The variable that tells whoever is started, this plugin among them, that there is nothing left to leave."""
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000  # unshare(2)
_SET_FLAGS, _UP = 0x8914, 1  # netdevice(7)
_NAME_AND_FLAGS = "16sh22x"


def leave_the_network() -> None:
    """Move this process, and whatever it starts from now on, to a network that has loopback and nothing else.

    Raises:
        OSError: the system does not let us.
    """
    import fcntl  # noqa: PLC0415 - Unix alone has it

    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(_NEW_NETWORK) != 0:
        if libc.unshare(_NEW_USER | _NEW_NETWORK) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        own = Path("/proc/self")
        (own / "setgroups").write_text("deny")
        (own / "uid_map").write_text(f"{user} {user} 1")
        (own / "gid_map").write_text(f"{group} {group} 1")
    with socket.socket(type=socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack(_NAME_AND_FLAGS, b"lo", _UP))


def pytest_configure() -> None:
    """Leave the network, before there are processes or threads that would stay there; first a process tries it."""
    if sys.platform != "linux" or ALONE in os.environ:
        return
    if subprocess.run([sys.executable, "-I", "-S", __file__], capture_output=True, check=False).returncode == 0:
        leave_the_network()
        os.environ[ALONE] = "1"


def pytest_report_header() -> str:
    """Say what the tests have."""
    if ALONE in os.environ:
        return "network: loopback only"
    return "network: loopback only for tests; what they start could go further, for this system gives us no other"


if __name__ == "__main__":
    leave_the_network()
