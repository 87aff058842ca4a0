"""One audit hook with two uses: nothing leaves loopback, and a story mark needs our command line or a socket."""

from __future__ import annotations

import ipaddress
import itertools
import mmap
import os
import shlex
import sys
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import cast

import pytest

_ARGUMENTS = {"subprocess.Popen": 1, "os.posix_spawn": 1, "os.exec": 1}
"""What starts a program, and where among its arguments those of the program are."""
_LOOKUPS = frozenset({"socket.getaddrinfo", "socket.gethostbyname"})
_SENDS = frozenset({"socket.connect", "socket.sendto"})
_COMMANDS = frozenset({"sentient", "sentient-agent-cli", "attach.py"})
"""Our command line by its names, one of which is that of `tests.support.attach`."""
_MODULES = frozenset({"sentient_cli", "docs.tools.demo"})
"""Those that are our command line when they are run, or drive nothing else."""
_MAIN = "sentient_cli.cli.main"
"""What a program has to import that runs it with something changed."""
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "fish", "pwsh", "tmux"})
_opened = mmap.mmap(-1, 1)
"""Whether a door was opened since this was last asked; a child that is to become our command line tells of it too."""
_by_fixture: dict[int, bool] = {}
_is_earned = pytest.StashKey[bool]()


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


def is_our_command(arguments: Iterable[str]) -> bool:
    """Whether a program that is started with such arguments, its name first, is our command line.

    >>> is_our_command(["/a/bin/python", "-m", "sentient_cli", "serve"]), is_our_command(["bash", "-c", "sentient -h"])
    (True, True)
    >>> is_our_command(["git", "ls-files"]), is_our_command(["mypy", "/a/sentient_cli"]), is_our_command(["make", "-n"])
    (False, False, False)
    """
    words = list(arguments)
    if words and Path(words[0]).name in _SHELLS:
        words = [word for text in words for word in _words(text)]
    if not _COMMANDS.isdisjoint(Path(word).stem if word.endswith(".exe") else Path(word).name for word in words):
        return True
    return any(
        (option == "-m" and given in _MODULES) or (option == "-c" and _MAIN in given)
        for option, given in itertools.pairwise(words)
    )


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


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


def _started(arguments: object) -> list[str]:
    if isinstance(arguments, str | bytes):
        return _words(os.fsdecode(arguments))
    return [os.fsdecode(cast("str", word)) for word in cast("Iterable[object]", arguments)]


def _audit(event: str, args: tuple[object, ...]) -> None:
    if event == "socket.connect" or (event in _ARGUMENTS and is_our_command(_started(args[_ARGUMENTS[event]]))):
        _opened[0] = 1
    if event in _SENDS or event in _LOOKUPS:
        _check(event, args)


def pytest_configure() -> None:
    """Install the hook; Python offers no way to take one out again."""
    sys.addaudithook(_audit)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object]) -> Generator[None, object, object]:
    """Remember of a fixture whether it opened a door: that counts for every test that has it."""
    before = _opened[0]
    _opened[0] = 0
    try:
        return (yield)
    finally:
        _by_fixture[id(fixturedef)] = bool(_opened[0])
        _opened[0] |= before


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin to look for doors that this test opens."""
    del item
    _opened[0] = 0


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a passed test whose story mark is not earned."""
    report = yield
    marked = item.get_closest_marker("story") is not None
    if marked and report.when == "call" and report.passed and not (_opened[0] or _has_a_door(item)):
        report.outcome = "failed"
        report.longrepr = (
            f"{item.nodeid}: a story mark needs the real door: neither this test nor a fixture of it ran our command "
            "line or opened a connection. Go through one of them, or take the mark off."
        )
    return report


def _has_a_door(item: pytest.Item) -> bool:
    """Whether one of its fixtures opened one, for this test or for another before."""
    request = getattr(item, "_request", None)
    definitions: dict[str, pytest.FixtureDef[object]] = getattr(request, "_fixture_defs", {})
    return any(_by_fixture.get(id(definition), False) for definition in definitions.values())
