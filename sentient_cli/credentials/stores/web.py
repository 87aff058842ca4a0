"""Requests to the service of a store: encrypted, without redirects, within limits of time and size, tried again.

The standard library's client is enough for a handful of requests that wait for each other, and costs no import worth
naming. No request may have another effect when it is sent twice: the stores see to that.
"""

from __future__ import annotations

import contextlib
import http.client
import random
import ssl
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Final, NamedTuple, TypeVar
from urllib.parse import SplitResult, quote

import msgspec

from sentient_cli.credentials.stores.web_addresses import check_address, named_place
from sentient_cli.errors import CredentialStoreError
from sentient_cli.loopback import is_loopback

__all__ = ["Answer", "Service", "Session", "unreachable"]

_Shape = TypeVar("_Shape")
_LARGEST: Final = 16 * 1024 * 1024
_ATTEMPTS: Final = 3
_FIRST_WAIT: Final = 0.2
_LONGEST_WAIT: Final = 5.0
_AGAIN: Final = frozenset({412, 429, 472, 473, 500, 502, 503, 504})
_REDIRECTS: Final = range(300, 400)


class Answer(NamedTuple):
    """What a service answered.

    Args:
        status: The number that says how it went.
        headers: With their names in small letters.
        body: At most 16 MiB.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    def read(self, shape: type[_Shape]) -> _Shape | None:
        """The body, when it has this shape; None: it has another."""
        try:
            return msgspec.json.decode(self.body, type=shape)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return None


class Service(NamedTuple):
    """Where a service is, and how it is asked.

    Args:
        name: What it is, for people.
        address: Where it is, such as ``https://vault.example.com:8200``.
        ca_file: The certificates that are trusted; None: those of the system.
        timeout: Seconds to wait for a connection, and for each piece of an answer.
        pause: Waits between two attempts.
    """

    name: str
    address: str
    ca_file: Path | None = None
    timeout: float = 10.0
    pause: Callable[[float], None] = time.sleep

    @contextlib.contextmanager
    def opened(self) -> Generator[Session]:
        """Ask it something, over one connection where that is kept.

        Raises:
            CredentialStoreError: requests may not be sent there.
        """
        session = Session(self, check_address(self.name, self.address))
        try:
            yield session
        finally:
            session.close()


class Session:
    """Some requests, one after another.

    Args:
        service: Whom they go to.
        parts: Its address, which was checked.
    """

    def __init__(self, service: Service, parts: SplitResult) -> None:
        self._service = service
        self._parts = parts
        self._connection: http.client.HTTPConnection | None = None

    def send(
        self, method: str, path: str, *, headers: Mapping[str, str], body: object = None, attempts: int = _ATTEMPTS
    ) -> Answer:
        """Have a request answered, whatever the answer is.

        Args:
            method: Such as ``GET``.
            path: Behind the address, with its query; what may not stand there is quoted.
            headers: More headers.
            body: Sent as JSON; None: nothing is sent.
            attempts: How often it is sent at most.

        Raises:
            CredentialStoreError: there is no answer, or it wants the request to go elsewhere.
        """
        data = None if body is None else msgspec.json.encode(body)
        given = {"Accept": "application/json", **headers}
        if data is not None:
            given["Content-Type"] = "application/json"
        target = self._parts.path.rstrip("/") + quote(path, safe="/?&=%-._~")
        for attempt in range(1, attempts + 1):
            try:
                answer = self._sent(method, target, given, data)
            except (OSError, http.client.HTTPException, ValueError) as error:  # the last one of names that are none
                self.close()
                if attempt == attempts or isinstance(error, ssl.SSLCertVerificationError):
                    raise unreachable(self._service, error) from None
                self._wait(attempt, "")
                continue
            if answer.status not in _AGAIN or attempt == attempts:
                return answer
            self._wait(attempt, answer.headers.get("retry-after", ""))
        raise AssertionError("the last attempt returns or raises")

    def close(self) -> None:
        """Give the connection back. May be called twice."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _wait(self, attempt: int, told: str) -> None:
        grown = _FIRST_WAIT * 4 ** (attempt - 1) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        asked = float(told) if told.isascii() and told.isdecimal() else 0.0
        self._service.pause(min(max(grown, asked), _LONGEST_WAIT))

    def _sent(self, method: str, target: str, headers: Mapping[str, str], data: bytes | None) -> Answer:
        connection = self._connection = self._connection or self._connect()
        connection.request(method, target, body=data, headers=dict(headers))
        response = connection.getresponse()
        body = response.read(_LARGEST + 1)
        if len(body) > _LARGEST:
            raise CredentialStoreError(
                f"{self._service.name} answers too much",
                why=f"{_LARGEST:,} bytes are the most",
                fix="Check the address: something else may be there",
            )
        if response.will_close:
            self.close()
        found = {name.lower(): value for name, value in response.getheaders()}
        if response.status in _REDIRECTS:
            raise CredentialStoreError(
                f"{self._service.name} wants the request to be sent elsewhere",
                why="A credential is sent to nobody but whom the settings name",
                fix=f"Set the address to the place that it names{named_place(found.get('location', ''))}",
            )
        return Answer(response.status, found, body)

    def _connect(self) -> http.client.HTTPConnection:
        host, port, timeout = self._parts.hostname or "", self._parts.port, self._service.timeout
        if self._parts.scheme == "http" and is_loopback(host):
            return http.client.HTTPConnection(host, port, timeout=timeout)
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=_trusted(self._service))


def _trusted(service: Service) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=service.ca_file)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise CredentialStoreError(
            f"The certificates that {service.name} is trusted by cannot be read",
            why=f"{service.ca_file}: {getattr(error, 'strerror', None) or type(error).__name__}",
            fix="Set `ca_file` to a file of certificates in PEM",
        ) from None


def unreachable(service: Service, error: Exception) -> CredentialStoreError:
    """A service that does not answer, and why.

    Args:
        service: Which.
        error: What happened.
    """
    fix = "Check the address and the network, and that the service runs"
    if isinstance(error, ssl.SSLCertVerificationError):
        why = f"Its certificate is not trusted: {error.verify_message}"
        fix = "If its certificates are your own, name the file of their authority with `ca_file`"
    elif isinstance(error, TimeoutError):
        why = f"Nothing came for {service.timeout:g} s"
    else:
        why = (getattr(error, "strerror", None) or "").strip() or type(error).__name__
    return CredentialStoreError(f"{service.name} at {service.address} does not answer", why=why, fix=fix)
