"""Where an agent is, how long to wait for it, and what its refusals mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import httpx
import msgspec

from sentient_cli.errors import ConfigError, NetworkError, SentientError, UsageError
from sentient_cli.loopback import is_loopback
from sentient_cli.sanitize import sanitize_line

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Timeouts", "base_url", "client_for", "is_loopback_url", "refusal", "unreachable"]

OK = 200
MAX_REFUSAL_BYTES = 64 * 1024
_MAX_REASON = 300
_UNPROCESSABLE = 422
_MAX_PORT = 65_535


class Timeouts(NamedTuple):
    """How long to wait, in seconds.

    Args:
        connect: For the connection, and the name look-up and TLS handshake before it.
        first_byte: For the headers of an answer.
        idle: Between two pieces of an answer that can be resumed; such servers send heartbeats.
        idle_unresumable: The same for servers that send none; a slow agent must not be cut off.
        cancelled: For the end of an answer after its run was cancelled.
        backoff: Before the first attempt to go on with a broken answer; each further one waits twice as long.
    """

    connect: float = 5.0
    first_byte: float = 30.0
    idle: float = 60.0
    idle_unresumable: float = 600.0
    cancelled: float = 5.0
    backoff: float = 0.1


class _Fault(msgspec.Struct):
    loc: list[str | int] = []
    msg: str = ""


class _Faults(msgspec.Struct):
    detail: list[_Fault]


class _Reason(msgspec.Struct):
    detail: str
    code: str = ""


class _ErrorBody(msgspec.Struct):
    what: str = ""
    why: str = ""
    message: str = ""


class _Error(msgspec.Struct):
    error: _ErrorBody | str


def base_url(url: str) -> str:
    """The address of an agent without ``/assist`` and without a slash at its end.

    Raises:
        UsageError: it is no http or https URL, or it holds a password.

    Example:
        >>> base_url("localhost:8000/assist")
        'http://localhost:8000'
    """
    text = url.strip()
    try:
        parsed = httpx.URL(text if "://" in text else f"http://{text}")
        host, port = parsed.host, parsed.port
    except (httpx.InvalidURL, UnicodeError) as error:
        raise _bad_url(url) from error
    if parsed.scheme not in {"http", "https"} or not host or not (port is None or 0 < port <= _MAX_PORT):
        raise _bad_url(url)
    if parsed.userinfo:
        raise UsageError("A URL is no place for a password", fix="Pass --agent-token, or set SENTIENT_AGENT_TOKEN")
    path = parsed.path.rstrip("/").removesuffix("/assist")
    return str(parsed.copy_with(path=path or "/", query=None, fragment=None)).rstrip("/")


def _bad_url(url: str) -> UsageError:
    return UsageError(
        f"{sanitize_line(url)[:80]!r} is no address of an agent", fix="Give a URL such as http://127.0.0.1:8000"
    )


def is_loopback_url(url: str) -> bool:
    """Whether an address is one of this machine.

    Example:
        >>> is_loopback_url("http://[::1]:8000"), is_loopback_url("https://example.org")
        (True, False)
    """
    return is_loopback(httpx.URL(url).host)


def client_for(url: str, token: str | None, timeouts: Timeouts) -> httpx.AsyncClient:
    """An HTTP client that follows no redirect, and that takes no proxy for this machine's own agents.

    Raises:
        ConfigError: no header can carry the token.
    """
    if token and not (token.isascii() and token.isprintable()):
        raise ConfigError(
            "The token of the agent cannot be sent",
            why="A header carries visible ASCII characters only",
            fix="Check --agent-token or SENTIENT_AGENT_TOKEN, and that nothing else was copied along",
        )
    headers = {"User-Agent": "sentient-cli", "Accept": "text/event-stream"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    timeout = httpx.Timeout(None, connect=timeouts.connect, write=timeouts.first_byte)
    return httpx.AsyncClient(
        base_url=url,
        headers=headers,
        timeout=timeout,
        follow_redirects=False,
        trust_env=not is_loopback_url(url),
        # Loading the certificates takes a quarter of a second, and a plain address never needs them.
        verify=url.startswith("https:"),
    )


def unreachable(url: str, error: httpx.TransportError) -> NetworkError:
    """What a failure to reach the agent means."""
    if isinstance(error, httpx.ConnectTimeout):
        return NetworkError(f"{url} did not answer in time", fix="Check the address, and the network between")
    if isinstance(error, httpx.ConnectError):
        return NetworkError(
            f"There is no agent at {url}",
            why=_why_unreachable(error),
            fix="Start one with `sentient dev` in its project, or give the URL of another",
        )
    return NetworkError(
        f"The connection to {url} broke before the agent answered",
        why=sanitize_line(str(error)) or type(error).__name__,
        fix="Look at the server's log, then ask again",
    )


def _why_unreachable(error: httpx.ConnectError) -> str:
    told = sanitize_line(str(error))
    if "All connection attempts failed" in told or "refused" in told:
        return "Nothing listens there"
    return "The name is not known" if "[Errno -" in told else told


def refusal(url: str, status: int, headers: Mapping[str, str], body: bytes) -> SentientError:
    """What an HTTP status that is no answer means."""
    reason = _reason(status, body)
    if httpx.codes.is_redirect(status):
        target = sanitize_line(headers.get("location", ""))[:_MAX_REASON]
        return NetworkError(
            f"{url} answers with a redirect ({status})",
            why=f"It points to {target}" if target else "",
            fix="Give the agent's own URL; the question was not sent on",
        )
    if status in {401, 403}:
        fix = _PLACES.get(_code(body), "Pass its token with --agent-token")
        return ConfigError(f"The agent at {url} refused the access ({status})", why=reason, fix=fix)
    what, fix = _WHAT.get(status, ("could not answer" if status >= 500 else "refused the request", ""))  # noqa: PLR2004
    return NetworkError(f"{url} {what} ({status})", why=reason, fix=fix or "Look at the server's log")


_WHAT = {
    404: ("has no agent", "Check the URL: an agent answers at /assist below it"),
    405: ("has no agent", "Check the URL: an agent answers at /assist below it"),
    413: ("finds the request too large", "Shorten the question, or begin anew with /new"),
    415: ("refused the request", "Check that the URL is that of a Sentient agent"),
    _UNPROCESSABLE: ("does not accept the request", "Check that the URL is that of a Sentient agent"),
    429: ("asks for fewer requests", "Wait a moment, then ask again"),
    503: ("takes no requests now", "Wait a moment, then ask again"),
}


_PLACES = {
    "host-not-allowed": "Use an address that the server allows; its operator adds one with --allow-host",
    "origin-not-allowed": "Ask the operator of the server to add this origin with --allow-origin",
}
"""What helps where the way to the server is refused, and not who goes it."""


def _code(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Reason).code
    except msgspec.DecodeError:
        return ""


def _reason(status: int, body: bytes) -> str:
    text = _validation_faults(body) if status == _UNPROCESSABLE else _plain_reason(body)
    return sanitize_line(text)[:_MAX_REASON]


def _validation_faults(body: bytes) -> str:
    try:
        faults = msgspec.json.decode(body, type=_Faults).detail[:3]
    except msgspec.DecodeError:
        return _plain_reason(body)
    return "; ".join(f"{'.'.join(map(str, fault.loc))}: {fault.msg}" for fault in faults)


def _plain_reason(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Reason).detail
    except msgspec.DecodeError:
        pass
    try:
        error = msgspec.json.decode(body, type=_Error).error
    except msgspec.DecodeError:
        return ""
    return error if isinstance(error, str) else error.what or error.message
