"""Why a connection failed, in words for who knows no library: by the classes and numbers of what was raised."""

from __future__ import annotations

import errno
import socket
import ssl
from typing import Final

from sentient_cli.llm.wire.broken import BrokenError
from sentient_cli.redact import redactor
from sentient_cli.sanitize import sanitize

__all__ = ["reason_of", "roots"]

_LONGEST: Final = 300
_NUMBERS: Final[dict[int, str]] = {
    errno.ECONNREFUSED: "{} refused the connection: nothing listens there",
    errno.ECONNRESET: "{} broke the connection off",
    errno.ECONNABORTED: "{} broke the connection off",
    errno.EPIPE: "{} closed the connection while it was written to",
    errno.ETIMEDOUT: "{} does not answer",
    errno.EHOSTUNREACH: "There is no way to {}",
    errno.ENETUNREACH: "There is no way to {}: is this machine connected to a network?",
    errno.ENETDOWN: "There is no way to {}: the network of this machine is down",
    errno.EADDRNOTAVAIL: "This machine has no port left for a connection to {}",
    errno.EMFILE: "This process has as many files and connections open as it may",
    errno.ENFILE: "This machine has as many files and connections open as it may",
    errno.EACCES: "This machine does not allow a connection to {}",
    errno.EPERM: "This machine does not allow a connection to {}",
}
_NAMES: Final[dict[int, str]] = {
    socket.EAI_NONAME: "There is no host of the name {name}",
    socket.EAI_AGAIN: "The name {name} could not be looked up: no name server answers",
}
_CERTIFICATES: Final[dict[int, str]] = {
    9: "The certificate of {name} is not valid yet: is the clock of this machine right?",
    10: "The certificate of {name} has expired",
    18: "The certificate of {name} is signed by nobody but itself",
    19: "The certificate of {name} comes from an authority that is not trusted here",
    20: "The certificate of {name} comes from an authority that is not trusted here",
    21: "The certificate of {name} comes from an authority that is not trusted here",
    23: "The certificate of {name} was withdrawn",
    62: "The certificate of {name} is for another name",
    64: "The certificate of {name} is for another address",
}
"""By the numbers of OpenSSL (X509_V_ERR)."""
_TLS: Final[dict[str, str]] = {
    "WRONG_VERSION_NUMBER": "{} does not answer in TLS: is `http://` meant?",
    "HTTP_REQUEST": "{} does not answer in TLS: is `http://` meant?",
    "UNEXPECTED_EOF_WHILE_READING": "{} broke off the TLS handshake",
    "NO_PROTOCOLS_AVAILABLE": "{} and this machine have no version of TLS in common",
    "UNSUPPORTED_PROTOCOL": "{} and this machine have no version of TLS in common",
    "TLSV1_ALERT_PROTOCOL_VERSION": "{} and this machine have no version of TLS in common",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "{} refused the TLS handshake",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "{} asks for a certificate of ours",
}
_CLASSES: Final[dict[str, str]] = {
    # of aiohttp, httpx and httpx2: none of them has to be imported for this
    "ServerDisconnectedError": "{} closed the connection before it had answered",
    "ClientConnectionResetError": "{} closed the connection while it was written to",
    "ClientPayloadError": "The answer ended in the middle",
    "ContentEncodingError": "The answer cannot be unpacked: it is not packed as its head says",
    "TransferEncodingError": "The answer ended in the middle",
    "ContentLengthError": "The answer ended in the middle",
    "LineTooLong": "A line in the head of the answer is too long",
    "HttpProcessingError": "What it answers is no HTTP",
    "WSServerHandshakeError": "What it answers is no HTTP",
    "ServerFingerprintMismatch": "The certificate of {name} is another one than was expected",
    "ClientConnectorDNSError": "There is no host of the name {name}",
    "RemoteProtocolError": "The answer broke off, or is no HTTP",
    "LocalProtocolError": "What was to be sent is no HTTP",
    "ProtocolError": "What goes to and fro is no HTTP",
    "TimeoutException": "Nothing came for too long",
    "SSEError": "What it answers is no stream of events",
    "InvalidURL": "The address is none",
    "CookieConflict": "Several cookies of the answer have one name",
    "HTTPStatusError": "It refused the request",
    "ProxyError": "The proxy does not let it through",
    "ConnectError": "There is no connection",
    "ReadError": "The connection broke while the answer was read",
    "WriteError": "The connection broke while the request was sent",
    "CloseError": "The connection broke when it was closed",
    "DecodingError": "The answer cannot be unpacked: it is not packed as its head says",
    "TooManyRedirects": "It sends from one address to the next",
    "UnsupportedProtocol": "The address begins with neither `http:` nor `https:`",
    "StreamError": "The answer was read when it was over",
    "ClientResponseError": "What it answers is no HTTP",
    "ClientConnectionError": "The connection broke",
    "TransportError": "The connection broke",
    "APIConnectionError": "The connection broke",
}


def roots(error: BaseException) -> list[BaseException]:
    """An error and those that it came from, the first of them at the end.

    Example:
        >>> try:
        ...     raise KeyError from OSError("first")
        ... except KeyError as error:
        ...     [type(one).__name__ for one in roots(error)]
        ['KeyError', 'OSError']
    """
    found = [error]
    while (below := _below(found[-1])) is not None and below not in found:
        found.append(below)
    return found


def _below(error: BaseException) -> BaseException | None:
    for name in ("certificate_error", "os_error"):  # of aiohttp, whose own words speak of its settings
        inner: object = getattr(error, name, None)
        if isinstance(inner, BaseException):
            return inner
    return error.__cause__


def reason_of(error: BaseException, place: str = "") -> str:
    """Why it failed.

    Args:
        error: What was raised.
        place: The host that was asked, and its port, where they are known.

    Example:
        >>> reason_of(ConnectionRefusedError(), "127.0.0.1:8000")
        '127.0.0.1:8000 refused the connection: nothing listens there'
        >>> reason_of(socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "no.example:443")
        'There is no host of the name no.example'
    """
    chain = roots(error)
    place = next((found for one in chain if (found := _place_of(one))), place)
    told = next((known for one in reversed(chain) if (known := _known(one))), "") or _words(chain[-1])
    return sanitize(redactor.redact(_filled(told, place)))[:_LONGEST]


def _filled(told: str, place: str) -> str:
    if not place:
        return _capital(told.replace("{}", "the other side").replace("{name}", "the other side"))
    return told.replace("{}", place).replace("{name}", place.rpartition(":")[0])


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _place_of(error: BaseException) -> str:
    host, port = getattr(error, "host", None), getattr(error, "port", None)
    return f"{host}:{port}" if isinstance(host, str) and isinstance(port, int) else ""


def _known(error: BaseException) -> str:
    if isinstance(error, BrokenError):
        return str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        code: object = getattr(error, "verify_code", None)  # is missing from one that is made by hand
        named = _CERTIFICATES.get(code) if isinstance(code, int) else None
        return named or "The certificate of {name} is not valid"
    if isinstance(error, ssl.SSLError):
        reason: object = getattr(error, "reason", None)  # the same
        return _TLS.get(str(reason), "The encryption (TLS) between this machine and {} failed")
    if isinstance(error, socket.gaierror):
        return _NAMES.get(error.errno or 0, "The name {name} could not be looked up")
    if isinstance(error, OSError) and (told := _of_number(error)):
        return told
    return next((_CLASSES[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in _CLASSES), "")


def _of_number(error: OSError) -> str:
    if error.errno in _NUMBERS:
        return _NUMBERS[error.errno]
    if isinstance(error, ConnectionRefusedError):
        return _NUMBERS[errno.ECONNREFUSED]
    if isinstance(error, BrokenPipeError):
        return _NUMBERS[errno.EPIPE]
    return _NUMBERS[errno.ECONNRESET] if type(error) in {ConnectionResetError, ConnectionAbortedError} else ""


def _words(error: BaseException) -> str:
    """What the system says of an error that is not known here; other texts are for those who know the library."""
    if isinstance(error, OSError) and error.strerror:
        return f"{{}}: {error.strerror}"
    return f"It failed in a way that is not known here ({type(error).__name__})"
