"""What our own reading of a connection raises, before the seam makes errors of a provider of it."""

from __future__ import annotations

from typing import Final

__all__ = [
    "UNSENT",
    "BrokenError",
    "GarbledError",
    "NoConnectionError",
    "NoHttp2Error",
    "NotReachedError",
    "ProxyFailedError",
    "StalledError",
]

UNSENT: Final = "Nothing was sent"
"""The note of a cancellation that came before a request went out."""


class BrokenError(ConnectionError):
    """The connection or the answer ended too early. Its text is in plain words, for a reader."""


class GarbledError(BrokenError):
    """What came is not what the protocol allows."""


class NoHttp2Error(GarbledError):
    """The other side does not speak HTTP/2."""


class NotReachedError(TimeoutError):
    """There was no connection in time."""


class StalledError(TimeoutError):
    """Something came now and then, and never what it is all about."""


class NoConnectionError(BrokenError):
    """There is none, for the reason that it was raised from."""


class ProxyFailedError(BrokenError):
    """The proxy does not do what it is there for."""
