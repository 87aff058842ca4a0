"""Which hosts a credential may be sent to. A project says where its provider is; its user says where a key may go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from sentient_cli.credentials.names import Address
from sentient_cli.errors import CredentialHostError, UsageError

__all__ = ["MOST_HOSTS", "Destination", "check_host", "check_hosts", "host_of", "refusal"]

MOST_HOSTS: Final = 16
_LONGEST: Final = 260
_PORTS: Final = {"https": 443, "http": 80}


class Destination(NamedTuple):
    """Where a credential is about to be sent.

    Args:
        hosts: All that will see it.
        usual: Where one may go that is bound to no host: that of its vendor; empty: nowhere.

    Example:
        >>> Destination(("api.openai.com",), usual="api.openai.com").allowed_for(())
        True
        >>> Destination(("models.example.com",), usual="api.openai.com").allowed_for(())
        False
    """

    hosts: tuple[str, ...]
    usual: str = ""

    def allowed_for(self, bound: Sequence[str]) -> bool:
        """Whether one that is bound to these hosts may go there."""
        return set(self.hosts) <= set(bound or (self.usual,))


def host_of(url: str) -> str:
    """The host of an address, with its port unless that is the usual one; empty: it has none.

    Example:
        >>> host_of("https://API.openai.com:443/v1"), host_of("http://127.0.0.1:11434/v1")
        ('api.openai.com', '127.0.0.1:11434')
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
        if not host.isascii():
            host = host.encode("idna").decode()
    except ValueError:
        return ""
    if ":" in host:
        host = f"[{host}]"
    return f"{host}:{port}" if host and port is not None and port != _PORTS.get(parts.scheme) else host


def check_host(text: str) -> str:
    """The host that was typed, or that of the address that was.

    Raises:
        UsageError: it is none.

    Example:
        >>> check_host("Models.Example.com"), check_host("https://models.example.com:8443/v1")
        ('models.example.com', 'models.example.com:8443')
    """
    typed = text.strip()
    is_url = "://" in typed
    host = host_of(typed if is_url else f"https://{typed}") if "@" not in typed and (is_url or "/" not in typed) else ""
    if host and len(host) <= _LONGEST and host.isprintable() and not set(host) & set(" /\\@?#%*\"'"):
        return host
    raise UsageError(  # without what was typed, which may be a key
        "What was given as a host is none", fix="Write it as `models.example.com` or `127.0.0.1:8080`"
    )


def check_hosts(texts: Iterable[str]) -> tuple[str, ...]:
    """The same for several, each once.

    Raises:
        UsageError: one is none, or they are too many.
    """
    hosts = tuple(dict.fromkeys(check_host(text) for text in texts))
    if len(hosts) > MOST_HOSTS:
        raise UsageError(f"These are {len(hosts)} hosts, and {MOST_HOSTS} are the most", fix="Leave some out")
    return hosts


def refusal(address: Address, bound: Sequence[str], destination: Destination) -> CredentialHostError:
    """The error of a credential that may not be sent where it was to go.

    Args:
        address: Which.
        bound: Where it may go.
        destination: Where it was to go.
    """
    allowed = bound or ((destination.usual,) if destination.usual else ())
    missing = [host for host in destination.hosts if host not in allowed]
    may = f"It may be sent to {', '.join(allowed)} alone" if allowed else "It is bound to no host yet"
    return CredentialHostError(
        f"The credential {address} is not sent to {', '.join(missing)}",
        why=f"{may}, and settings say that its provider is somewhere else",
        fix=f"If you trust that host, run `sentient keys allow {address.name} {' '.join(missing)}"
        f" --profile {address.profile}`; else correct `base_url` and `proxy` of the provider",
    )
