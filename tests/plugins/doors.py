"""One audit hook with two uses: nothing leaves loopback, and a story mark needs a real process or a real socket."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Generator
from typing import cast

import pytest

_DOORS = frozenset({"subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty", "pty.spawn", "socket.connect"})
_LOOKUPS = frozenset({"socket.getaddrinfo", "socket.gethostbyname"})
_SENDS = frozenset({"socket.connect", "socket.sendto"})
_opened = 0
_at_start = pytest.StashKey[int]()


class NetworkBlockedError(RuntimeError):
    """A test tried to reach something outside loopback."""


def is_loopback(host: object) -> bool:
    """Whether a host, as the socket module takes it, stays on this machine.

    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "", None, "192.0.2.1", "example.com")]
    [True, True, True, True, True, False, False]
    """
    if host is None:
        return True
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    if name in {"", "localhost", "0.0.0.0", "::", "<broadcast>"} or name.endswith(".localhost"):  # noqa: S104 compared
        return name != "<broadcast>"
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or (isinstance(mapped, ipaddress.IPv4Address) and mapped.is_loopback)


def _check(event: str, args: tuple[object, ...]) -> None:
    if event in _LOOKUPS:
        host = args[0]
    else:
        address: object = args[1]
        if not isinstance(address, tuple):
            return  # a Unix socket's path
        host = cast("tuple[object, ...]", address)[0]
    if not is_loopback(host):
        message = f"{event} to {host!r}: tests have no network but loopback"
        raise NetworkBlockedError(message)


def _audit(event: str, args: tuple[object, ...]) -> None:
    global _opened  # noqa: PLW0603 a hook has no other place
    if event in _DOORS:
        _opened += 1
    if event in _SENDS or event in _LOOKUPS:
        _check(event, args)


def pytest_configure() -> None:
    """Install the hook; Python offers no way to take one out again."""
    sys.addaudithook(_audit)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Remember how many doors were opened before this test."""
    item.stash[_at_start] = _opened


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a passed test whose story mark is not earned."""
    report = yield
    marked = item.get_closest_marker("story") is not None
    if marked and report.when == "call" and report.passed and _opened == item.stash[_at_start]:
        report.outcome = "failed"
        report.longrepr = (
            f"{item.nodeid}: a story mark needs the real door: this test started no process and opened no connection. "
            "Go through the command line or a socket, or take the mark off."
        )
    return report
