"""The services that credentials are kept in: each that settings name is asked whether it can be used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sentient_cli.errors import CredentialStoreError
from sentient_cli.scaffold.doctor.finding import Finding, Surroundings

__all__ = ["check_stores"]

_SERVICES: Final = ("vault", "aws", "azure")


def check_stores(here: Surroundings) -> Iterator[Finding]:
    """Each service that settings name answers, and takes whoever asks."""
    if here.settings is None:
        yield Finding("services", "skip", "The settings cannot be read")
        return
    settings = here.settings.settings.credentials
    named = tuple(name for name in settings.stores if name in _SERVICES)
    if not named:
        yield Finding("services", "skip", "Credentials are kept in no service")
        return
    from sentient_cli.credentials.opening import open_stores

    for store in open_stores(settings.model_copy(update={"stores": named}), here.settings.environment):
        try:
            store.check()
        except CredentialStoreError as error:
            yield Finding("services", "fail", f"{error.what} ({store.describe()})", error.fix, error.why)
        else:
            yield Finding("services", "ok", f"{store.describe()} can be used")
        finally:
            store.close()
