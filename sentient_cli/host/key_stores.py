"""Keys for models out of the stores of credentials: opened when one is looked for there, closed with the models."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sentient_cli.credentials.catalogue import Catalogue
from sentient_cli.errors import CredentialStoreError, SentientError

if TYPE_CHECKING:
    from sentient_cli.config.credentials import CredentialSettings
    from sentient_cli.config.settings import Settings
    from sentient_cli.credentials.destinations import Destination
    from sentient_cli.credentials.leases import Lease
    from sentient_cli.credentials.manager import CredentialManager
    from sentient_cli.credentials.variable_hosts import Owner

__all__ = ["StoredKeys", "is_stored", "stored_keys"]

_MANAGED: Final = frozenset({"aws", "azure", "vault"})


class StoredKeys:
    """The stores as models see them.

    Whoever never stored a credential opens no store: nothing is imported, and no keyring is unlocked.

    Args:
        settings: Those of credentials.
        opened: Opens them.
    """

    def __init__(self, settings: CredentialSettings, opened: Callable[[], CredentialManager]) -> None:
        self._settings = settings
        self._open = opened
        self._opened: CredentialManager | None = None

    @property
    def order(self) -> tuple[str, ...]:
        """The places that are looked at, in their order."""
        return self._settings.order

    def find(self, provider_id: str, destination: Destination | None = None) -> Lease | None:
        """The key of a provider, once that is on record; None: there is none.

        Args:
            provider_id: The provider.
            destination: Where the key will be sent.

        Raises:
            CredentialHostError: it may not be sent there.
            CredentialStoreError: a store that may hold it is down.
            AuditError: it cannot be put on record.
        """
        if not self._may_hold(provider_id):
            return None
        if self._opened is None:
            self._opened = self._open()
        return self._opened.find(provider_id, purpose="llm", destination=destination)

    def refused(self, variable: str, destination: Destination, owner: Owner) -> None:
        """Put on record that the key of a variable was not sent somewhere.

        Args:
            variable: Its name.
            destination: Where it was to go.
            owner: Whom it is for.

        Raises:
            AuditError: it cannot be put on record.
        """
        if self._opened is None:
            self._opened = self._open()
        self._opened.note_refused(f"variable/{variable}", destination, owner.hosts, purpose="llm")

    def prepare(self, provider_ids: Iterable[str]) -> None:
        """Look for keys before there is a call that would wait for them; faults are told when they are needed.

        Args:
            provider_ids: The providers.
        """
        for name in provider_ids:
            with contextlib.suppress(SentientError):
                self.find(name)

    def retire_due(self) -> None:
        """Leave out values whose grace is over, where a key of these stores is in use."""
        if self._opened is not None:
            with contextlib.suppress(SentientError):  # it is done next time, and `sentient doctor` tells
                self._opened.retire_due()

    async def aclose(self) -> None:
        """Give everything back. May be called twice."""
        if self._opened is not None:
            self._opened.close()

    def _may_hold(self, name: str) -> bool:
        if _MANAGED.intersection(self._settings.stores):
            return True
        return is_stored(name)


def is_stored(name: str) -> bool:
    """Whether a store on this machine may hold a credential, without asking one.

    Args:
        name: What it is called.
    """
    try:
        return any(card.name == name for card in Catalogue().cards())
    except CredentialStoreError:  # a catalogue that is not whole knows nothing
        return True


def stored_keys(
    settings: Settings, *, environment: Mapping[str, str] | None = None, project: Path | None = None
) -> StoredKeys:
    """The stores that settings describe, as models see them.

    Args:
        settings: All of them.
        environment: The variables; those of this process unless given.
        project: The directory of the project; the current one unless given.
    """

    def opened() -> CredentialManager:
        from sentient_cli.host.credentials import credentials_of_settings  # noqa: PLC0415 - only who has some needs it

        return credentials_of_settings(settings, environment, project)

    return StoredKeys(settings.credentials, opened)
