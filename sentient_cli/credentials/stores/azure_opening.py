"""Azure Key Vault as settings describe it, and who signs in: a given token, or whoever azure-identity finds."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Protocol, cast
from urllib.parse import urlsplit

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.stores.azure import AzureStore
from sentient_cli.credentials.stores.web import Service
from sentient_cli.credentials.stores.web_agreed import CERTIFICATES, Agreement, anywhere, refuse_exported
from sentient_cli.errors import CredentialStoreError
from sentient_cli.loopback import is_loopback
from sentient_cli.redact import redactor

if TYPE_CHECKING:
    from sentient_cli.config.credential_stores import AzureSettings

__all__ = ["open_azure", "scope_of"]

_PUBLIC: Final = "https://vault.azure.net/.default"
_FIX: Final = "Sign in with `az login`, or set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET"


class _Token(Protocol):
    token: str


class _Identity(Protocol):
    def get_token(self, *scopes: str) -> _Token: ...

    def close(self) -> None: ...


def open_azure(settings: AzureSettings, environment: Mapping[str, str], agreed: Agreement = anywhere) -> AzureStore:
    """The store that settings describe.

    Args:
        settings: Those of this store.
        environment: The variables.
        agreed: Is asked whether a token may be sent to an address.
    """
    address = settings.address or ""

    def given() -> Secret:
        agreed(address)
        for name in settings.token_env[:1]:
            return _sendable(environment.get(name, "").strip(), f"The variable {name} is not set, or holds none")
        return _sendable(_signed_in(scope_of(address)), "azure-identity gave none")

    return AzureStore(Service("Key Vault", address, settings.ca_file, settings.timeout), given, prefix=settings.prefix)


def scope_of(address: str) -> str:
    """What a token has to be for: Key Vault in the cloud that the address is in, and nobody else.

    So whoever else has that address gets no token that Key Vault would take.

    Args:
        address: Of a vault.

    Example:
        >>> scope_of("https://mine.vault.azure.net"), scope_of("https://mine.vault.azure.cn")
        ('https://vault.azure.net/.default', 'https://vault.azure.cn/.default')
    """
    host = urlsplit(address).hostname or ""
    return _PUBLIC if is_loopback(host) else f"https://{host.partition('.')[2]}/.default"


def _sendable(token: str, why: str) -> Secret:
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise CredentialStoreError("There is no token for Key Vault", why=why, fix=_FIX)
    redactor.register(token)
    return Secret(token)


def _signed_in(scope: str) -> str:
    refuse_exported("Azure", "AZURE_AUTHORITY_HOST", "IDENTITY_ENDPOINT", "MSI_ENDPOINT", *CERTIFICATES)
    try:
        module = importlib.import_module("azure.identity")
    except ImportError:
        raise CredentialStoreError(
            "The sign-in of Azure is not installed",
            why="The store `azure` needs the package azure-identity, or a token",
            fix='Run `pip install "sentient-agent-cli[azure]"`, or name a variable with `token_env`',
        ) from None
    made = cast("Callable[[], _Identity]", module.DefaultAzureCredential)
    try:
        identity = made()
        try:
            return identity.get_token(scope).token
        finally:
            identity.close()
    except Exception as error:  # noqa: BLE001 - whatever a foreign client raises; it may say what was sent
        raise CredentialStoreError("Nobody is signed in to Azure", why=type(error).__name__, fix=_FIX) from None
