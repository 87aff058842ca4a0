"""The services that credentials are kept in, each with what opens a store there, also from another process."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeAlias

from sentient_cli.config.credential_stores import AwsSettings
from sentient_cli.config.secret import Secret
from sentient_cli.credentials.ports import CredentialStore
from sentient_cli.credentials.stores.aws import AwsStore
from sentient_cli.credentials.stores.aws_opening import open_aws
from sentient_cli.credentials.stores.azure import AzureStore
from sentient_cli.credentials.stores.vault import VaultStore
from sentient_cli.credentials.stores.web import Service
from tests.support.aws_server import ACCOUNT, running_aws
from tests.support.azure_server import TOKEN, KeyVaultFake
from tests.support.vault_server import ROOT, running_vault

__all__ = ["SERVICES", "Make"]

Make: TypeAlias = Callable[[str], CredentialStore]
"""Opens a store with a prefix."""


@contextlib.contextmanager
def _vault(folder: Path) -> Generator[Make]:
    with running_vault(folder) as server:
        service = Service("Vault", server.address, timeout=60)
        yield lambda prefix: VaultStore(service, lambda: Secret(ROOT), prefix=prefix)


@contextlib.contextmanager
def _aws(_folder: Path) -> Generator[Make]:
    import os  # noqa: PLC0415 - botocore reads nothing else

    opened: list[AwsStore] = []
    with running_aws() as address:
        os.environ.update(ACCOUNT)

        def make(prefix: str) -> CredentialStore:
            store = open_aws(AwsSettings(endpoint=address, prefix=prefix, timeout=60), ACCOUNT)
            opened.append(store)
            return store

        try:
            yield make
        finally:
            for name in ACCOUNT:
                del os.environ[name]
            for store in opened:
                store.close()


@contextlib.contextmanager
def _azure(_folder: Path) -> Generator[Make]:
    fake = KeyVaultFake()
    with fake.server:
        service = Service("Key Vault", fake.server.url, timeout=60, pause=fake.pause_from_afar)

        def make(prefix: str) -> CredentialStore:
            fake.pause_from_afar(5)  # what others have done is settled
            return AzureStore(service, lambda: Secret(TOKEN), prefix=prefix)

        yield make


SERVICES: Mapping[str, Callable[[Path], AbstractContextManager[Make]]] = {
    "vault": _vault,
    "aws": _aws,
    "azure": _azure,
}
