"""Whether an address that the user names can be reached from here."""

from __future__ import annotations

import time
from collections.abc import Iterator

from sentient_cli.sanitize import sanitize_line
from sentient_cli.scaffold.doctor.finding import Finding, Surroundings
from sentient_cli.scaffold.doctor.network import masked

__all__ = ["check_online"]

SECONDS = 10.0
_PROXY_REFUSES = 407


def check_online(here: Surroundings) -> Iterator[Finding]:
    """Each address answers, whatever it answers; without one nothing is contacted."""
    if not here.online:
        yield Finding("reach", "skip", "Nothing was contacted; `--online URL` tries an address")
    for url in here.online:
        yield _reach(url if "://" in url else f"https://{url}")


def _reach(url: str) -> Finding:
    import httpx

    shown, began = masked(url), time.monotonic()
    try:
        with httpx.Client(timeout=SECONDS, follow_redirects=False) as client, client.stream("GET", url) as response:
            status = response.status_code
    except (httpx.TransportError, httpx.InvalidURL, ValueError, OSError, ImportError) as error:
        return _unreached(shown, *_reason(error))
    if status == _PROXY_REFUSES:
        return _unreached(shown, "the proxy wants a name and a password", "Put them into HTTPS_PROXY")
    return Finding("reach", "ok", f"{shown} answered {status} after {(time.monotonic() - began) * 1000:.0f} ms")


def _unreached(shown: str, why: str, fix: str) -> Finding:
    return Finding("reach", "fail", f"{shown} was not reached: {sanitize_line(why)}".rstrip(":. "), fix)


def _reason(error: Exception) -> tuple[str, str]:
    import httpx

    match error:
        case httpx.ProxyError():
            return f"the proxy refused: {error}", "Check the proxy's address, name and password"
        case httpx.InvalidURL() | httpx.UnsupportedProtocol():
            return str(error), "Write it as https://host"
        case httpx.TimeoutException():
            return f"no answer in {SECONDS:.0f} s", "Check the network; a proxy may have to be set"
        case httpx.TransportError():
            return str(error), _fix(str(error))
        case _:
            return str(error), "Correct the variables of the proxies and certificates"


def _fix(said: str) -> str:
    if "CERTIFICATE" in said:
        return "Name your organisation's certificates with SSL_CERT_FILE"
    if "resolv" in said or "Name or service" in said or "nodename" in said:
        return "Check the name and the resolver; a proxy may have to be set with HTTPS_PROXY"
    return "Check the address, and that a firewall or proxy lets it through"
