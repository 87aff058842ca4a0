"""Why a connection failed is said in our own words, whatever library it failed in."""

from __future__ import annotations

import errno
import inspect
import socket
import ssl
from types import ModuleType

import aiohttp
import httpx
import httpx2
import pytest

from sentient_cli.llm.wire.broken import BrokenError
from sentient_cli.llm.wire.reasons import reason_of

RAW = "Cannot do RAW [Errno 0]"


def _made(library: ModuleType) -> list[Exception]:
    found: list[Exception] = []
    for _, kind in inspect.getmembers(library, inspect.isclass):
        if issubclass(kind, Exception) and not issubclass(kind, Warning):
            error = kind.__new__(kind, RAW)
            Exception.__init__(error, RAW)
            found.append(error)
    return found


@pytest.mark.parametrize("library", [aiohttp, httpx, httpx2], ids=lambda library: library.__name__)
def test_no_word_of_a_library_is_told(library: ModuleType) -> None:
    errors = _made(library)
    assert len(errors) > 10
    for error in errors:
        told = reason_of(error, "e.com:443")
        assert "RAW" not in told
        assert told[0].isupper() or told.startswith("e.com")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ECONNREFUSED, RAW), "e.com:443 refused the connection: nothing listens there"),
        (ConnectionRefusedError(RAW), "e.com:443 refused the connection: nothing listens there"),
        (ConnectionResetError(RAW), "e.com:443 broke the connection off"),
        (BrokenPipeError(RAW), "e.com:443 closed the connection while it was written to"),
        (OSError(errno.ENETUNREACH, RAW), "There is no way to e.com:443: is this machine connected to a network?"),
        (OSError(errno.EMFILE, RAW), "This process has as many files and connections open as it may"),
        (socket.gaierror(socket.EAI_NONAME, RAW), "There is no host of the name e.com"),
        (socket.gaierror(socket.EAI_AGAIN, RAW), "The name e.com could not be looked up: no name server answers"),
        (socket.gaierror(socket.EAI_FAIL, RAW), "The name e.com could not be looked up"),
        (ssl.SSLError(1, RAW), "The encryption (TLS) between this machine and e.com:443 failed"),
        (ssl.SSLCertVerificationError(1, RAW), "The certificate of e.com is not valid"),
        (OSError(errno.EXDEV, "Odd link"), "e.com:443: Odd link"),
        (BrokenError("{} left"), "e.com:443 left"),
        (RuntimeError(RAW), "It failed in a way that is not known here (RuntimeError)"),
    ],
)
def test_it_says_what_is_to_be_known(error: Exception, told: str) -> None:
    assert reason_of(error, "e.com:443") == told


def test_what_it_came_from_says_more_than_what_it_became() -> None:
    outer = httpx.ConnectError(RAW)
    outer.__cause__ = OSError(RAW)
    outer.__cause__.__cause__ = ConnectionRefusedError(RAW)
    assert reason_of(outer) == "The other side refused the connection: nothing listens there"
