"""OpenBao or Vault as settings and the variables of their own command lines describe it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.stores.places import read_own
from sentient_cli.credentials.stores.vault import VaultStore
from sentient_cli.credentials.stores.web import Service
from sentient_cli.credentials.stores.web_agreed import Agreement, anywhere
from sentient_cli.errors import CredentialStoreError
from sentient_cli.redact import redactor

if TYPE_CHECKING:
    from sentient_cli.config.credential_stores import VaultSettings

__all__ = ["ADDRESSES", "CERTIFICATES", "open_vault", "token_source"]

_LARGEST: Final = 16 * 1024
_TOKENS: Final = ("BAO_TOKEN", "VAULT_TOKEN")
ADDRESSES: Final = ("BAO_ADDR", "VAULT_ADDR")
"""Variables that say where it is."""
_NAMESPACES: Final = ("BAO_NAMESPACE", "VAULT_NAMESPACE")
CERTIFICATES: Final = ("BAO_CACERT", "VAULT_CACERT")
"""Variables that say by which certificates it is trusted."""
_FIX: Final = "Sign in with `bao login` or `vault login`, set BAO_TOKEN, or name a file with `token_file`"


def open_vault(settings: VaultSettings, environment: Mapping[str, str], agreed: Agreement = anywhere) -> VaultStore:
    """The store that settings describe.

    Args:
        settings: Those of this store.
        environment: The variables.
        agreed: Is asked whether the token may be sent to an address.
    """
    ca_file = settings.ca_file or (Path(told) if (told := _first(environment, CERTIFICATES)) else None)
    address = settings.address or _first(environment, ADDRESSES)
    token = token_source(settings, environment)

    def given() -> Secret:
        agreed(address)
        return token()

    return VaultStore(
        Service("Vault", address, ca_file, settings.timeout),
        given,
        mount=settings.mount,
        prefix=settings.prefix,
        namespace=settings.namespace or _first(environment, _NAMESPACES),
    )


def token_source(settings: VaultSettings, environment: Mapping[str, str]) -> Callable[[], Secret]:
    """What gives the token: the variable or the file that settings name, else what ``bao`` and ``vault`` use.

    A token of another place is not sent to one that settings name: where a variable says which service it is for, the
    address has to be the same.

    Args:
        settings: Those of this store.
        environment: The variables.
    """

    def given() -> Secret:
        token = _token(settings, environment).strip()
        if not token.isascii() or not token.isprintable() or " " in token:
            raise CredentialStoreError(
                "The token for Vault is none", why="It has white space or other characters in it", fix=_FIX
            )
        redactor.register(token)
        return Secret(token)

    return given


def _token(settings: VaultSettings, environment: Mapping[str, str]) -> str:
    for name in settings.token_env[:1]:
        return environment.get(name, "") or _missing(f"The variable {name} is not set")
    if settings.token_file is not None:
        return _read(settings.token_file) or _missing(f"{settings.token_file} is not there, or is empty")
    known = _first(environment, ADDRESSES)
    if settings.address and known and settings.address.rstrip("/") != known.rstrip("/"):
        return _missing(f"That of {known} is for another service than {settings.address}")
    told = _first(environment, _TOKENS)
    home = environment.get("HOME") or environment.get("USERPROFILE")
    return (
        told
        or (_read(Path(home) / ".vault-token") if home else "")
        or _missing("Neither BAO_TOKEN nor VAULT_TOKEN is set, and there is no file ~/.vault-token")
    )


def _read(path: Path) -> str:
    data = read_own(path, _LARGEST)
    try:
        return data.decode() if data is not None else ""
    except UnicodeDecodeError:
        return _missing(f"{path} is no text")


def _missing(why: str) -> str:
    raise CredentialStoreError("There is no token for Vault", why=why, fix=_FIX)


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((value for name in names if (value := environment.get(name, "").strip())), "")
