"""What the environment says about the way out, and, when asked to, whether it leads there."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from sentient_cli.scaffold.doctor.finding import Finding, Surroundings

__all__ = ["check_certificates", "check_index", "check_proxies", "masked"]

_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_SCHEMES = {"http", "https", "socks5", "socks5h"}
_INDEXES = (
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_NO_INDEX",
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_OFFLINE",
)
_BUNDLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")


def masked(url: str) -> str:
    """A URL without the name and password in it.

    Example:
        >>> masked("http://ann:secret@proxy.example:3128/")
        'http://…@proxy.example:3128/'
    """
    head, separator, rest = url.rpartition("://")
    authority, slash, path = rest.partition("/")
    credentials, at, place = authority.rpartition("@")
    return f"{head}{separator}{'…@' if at and credentials else ''}{place}{slash}{path}"


def check_proxies(here: Surroundings) -> Iterator[Finding]:
    """The proxies that are set can be used."""
    found = {name: value for name in _PROXIES for value in [_variable(here.environment, name)] if value}
    for name in _PROXIES:
        small, large = here.environment.get(name), here.environment.get(name.upper())
        if small and large and small != large:
            yield Finding(
                "proxies",
                "warn",
                f"{name} and {name.upper()} differ; {name} is used",
                f"Set both to the same, or unset {name.upper()}",
            )
    faults = [(name, fault) for name, value in found.items() if (fault := _proxy_fault(value))]
    for name, fault in faults:
        yield Finding("proxies", "fail", f"{name} is {masked(found[name])!r}: {fault}", f"Correct or unset {name}")
    if not found:
        yield Finding("proxies", "ok", "None set")
    elif not faults:
        spared = _variable(here.environment, "no_proxy")
        shown = ", ".join(f"{name} {masked(value)}" for name, value in found.items())
        yield Finding("proxies", "ok", f"{shown}{f'; not for {spared}' if spared else ''}")


def _variable(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name) or environment.get(name.upper()) or ""


def _proxy_fault(value: str) -> str:
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme not in _SCHEMES:
        return f"{parts.scheme} is no kind of proxy that is known here"
    if not host:
        return "it names no host"
    if parts.scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
        return "a SOCKS proxy needs the package socksio"
    return ""


def check_index(here: Surroundings) -> Iterator[Finding]:
    """Where new projects install from, as far as the environment says so."""
    found = [(name, here.environment[name]) for name in _INDEXES if here.environment.get(name)]
    if found:
        shown = ", ".join(f"{name}={' '.join(map(masked, value.split()))}" for name, value in found)
        yield Finding("packages", "ok", f"Installed by {shown}")


def check_certificates(here: Surroundings) -> Iterator[Finding]:
    """The certificates that are set can be read."""
    read = cache(_unreadable)
    found = [(name, Path(here.environment[name])) for name in _BUNDLES if here.environment.get(name)]
    faults = [(name, fault) for name, path in found if (fault := _bundle_fault(name, path) or read(path))]
    for name, fault in faults:
        yield Finding("certificates", "fail", f"{name} {fault}", f"Correct or unset {name}")
    if not found:
        yield Finding("certificates", "ok", "Those that came with the packages")
    elif not faults:
        names = {path: ", ".join(name for name, other in found if other == path) for _, path in found}
        yield Finding("certificates", "ok", "; ".join(f"{path} ({by})" for path, by in names.items()))


def _bundle_fault(name: str, path: Path) -> str:
    if path.is_dir():
        return "" if name != "SSL_CERT_FILE" else f"is {path}, a directory"
    if not path.is_file():
        return f"is {path}, which is not there"
    if name == "SSL_CERT_DIR":
        return f"is {path}, which is no directory"
    return "" if os.access(path, os.R_OK) else f"is {path}, which may not be read"


def _unreadable(path: Path) -> str:
    import ssl

    if path.is_dir():
        return ""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(path)
    except (ssl.SSLError, OSError):
        return f"is {path}, which holds no certificates"
    return ""
