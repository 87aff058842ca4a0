"""Where the key of a provider comes from, and what is said when there is none.

The first of these that holds one wins: what the program was given, the variable that the settings name with
``api_key_env`` (those of the chosen profile before the rest), the variable that the provider is known by, the stores of
credentials; settings may say another order. Settings files hold no keys. A provider whose ``base_url`` was changed gets
a key only by ``api_key_env``, or one that is stored and may be sent to that host. A variable that many programs know
goes only to whom it is for, whatever settings say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from sentient_cli.config.llm import ProviderSettings
from sentient_cli.config.secret import Secret
from sentient_cli.credentials.destinations import Destination
from sentient_cli.credentials.leases import Lease
from sentient_cli.credentials.variable_hosts import Owner
from sentient_cli.errors import AuthenticationError, CredentialHostError, CredentialNotFoundError
from sentient_cli.llm.providers.destinations import destination_of
from sentient_cli.llm.providers.kinds import KINDS, Kind
from sentient_cli.llm.providers.variables import require_variables
from sentient_cli.redact import redactor

__all__ = ["KeyStores", "Keys", "Looked", "find_keys", "missing_key", "say_where"]

_GIVEN = "what the program was given"
_VARIABLES = ("variable", "environment", "env-file")
_KEYLESS = "The model `offline` needs no key and no network"


class Keys(msgspec.Struct, frozen=True):
    """What was found.

    Args:
        found: The keys, most often one.
        source: Where they come from, for a reader; empty: there is none.
        looked: The variables that were looked at, in their order.
        profile: The profile that was chosen.
        stored: What it is called in a store that it was found in; empty: it was in none.
        variables: The variables that they were found in.

    Example:
        >>> keys = find_keys(Kind(("OPENAI_API_KEY",)), None, {"OPENAI_API_KEY": "sk-1"})
        >>> keys.found, keys.source
        ((Secret('**********'),), 'the variable OPENAI_API_KEY')
    """

    found: tuple[Secret, ...] = ()
    source: str = ""
    looked: tuple[str, ...] = ()
    profile: str = "default"
    stored: str = ""
    variables: tuple[str, ...] = ()


class KeyStores(Protocol):
    """Where keys are kept beside variables."""

    @property
    def order(self) -> Sequence[str]:
        """The places that are looked at, in their order."""
        ...

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
        ...

    def refused(self, variable: str, destination: Destination, owner: Owner) -> None:
        """Put on record that the key of a variable was not sent somewhere.

        Args:
            variable: Its name.
            destination: Where it was to go.
            owner: Whom it is for.

        Raises:
            AuditError: it cannot be put on record.
        """
        ...


class Looked:
    """The keys of a provider: what variables hold, and, once it is needed, what stores hold.

    Args:
        provider_id: What the provider is called.
        settings: Its table in the settings, if it has one.
        keys: What was found in variables.
        stores: Where keys are kept beside them; None: nowhere.
    """

    def __init__(
        self, provider_id: str, settings: ProviderSettings | None, keys: Keys, stores: KeyStores | None
    ) -> None:
        self.keys: Keys = keys
        self._id = provider_id
        self._stores = stores
        self._destination = destination_of(provider_id, settings)
        self._is_given = keys.source == _GIVEN

    def look(self) -> Keys:
        """The keys, from a store too if they are kept there.

        Raises:
            CredentialStoreError: a store that may hold one is down.
            AuditError: it cannot be put on record.
            CredentialHostError: the key may not be sent where settings say that the provider is.
        """
        stored = self._stored()
        if not stored:
            told = self._stores.refused if self._stores is not None else None
            require_variables(self.keys.variables, self._destination, told)
        return self.keys

    def _stored(self) -> bool:
        """Whether a store has the key, which then goes before that of a variable."""
        stores = self._stores
        if stores is None or self._is_given or "stores" not in stores.order:
            return False
        places = [place for place in stores.order if place in {*_VARIABLES, "stores"}]
        if self.keys.found and places[0] != "stores":
            return False
        try:
            lease = stores.find(self._id, self._destination)
        except CredentialHostError:
            if self._id not in KINDS or KINDS[self._id].needs_key:
                raise
            lease = None  # it answers without one, too
        if lease is None or not lease.store:
            return False
        source = f"the credential {lease.address} in {lease.source}"
        self.keys = Keys((lease.secret,), source, self.keys.looked, lease.address.profile, str(lease.address))
        return True


def find_keys(
    kind: Kind,
    settings: ProviderSettings | None,
    environment: Mapping[str, str],
    *,
    given: Secret | None = None,
    profile: str = "default",
) -> Keys:
    """Look for keys in the declared order.

    Args:
        kind: Of the provider.
        settings: Of the provider.
        environment: The variables.
        given: A key that the program was given.
        profile: The profile that was chosen, for what is said.

    Example:
        >>> settings = ProviderSettings(base_url="https://proxy.example/v1")
        >>> find_keys(Kind(("OPENAI_API_KEY",)), settings, {"OPENAI_API_KEY": "sk-1"}).found
        ()
    """
    if given:
        return Keys((given,), _GIVEN, profile=profile)
    named = settings.api_key_env if settings is not None else ()
    elsewhere = settings is not None and settings.base_url is not None
    looked: tuple[str, ...] = named or (() if elsewhere else kind.variables)
    values = {name: environment[name].strip() for name in looked if environment.get(name, "").strip()}
    used = list(values) if named else list(values)[:1]
    for name in used:
        redactor.register(values[name])
    source = f"the variable{'s' if len(used) > 1 else ''} {', '.join(used)}" if used else ""
    return Keys(tuple(Secret(values[name]) for name in used), source, looked, profile, variables=tuple(used))


def missing_key(provider: str, keys: Keys) -> CredentialNotFoundError:
    """The error of a provider without a key.

    Args:
        provider: Its id.
        keys: What was looked at.
    """
    if not keys.looked:
        return CredentialNotFoundError(
            f"The provider {provider!r} has no key",
            why="Its `base_url` was changed, so that the key of its vendor is not sent there"
            f" (profile {keys.profile!r})",
            fix=f'Name the variable of its key: `api_key_env = "NAME"` in [llm.providers.{provider}]'
            f"{_or_store(provider)}. {_KEYLESS}",
        )
    names, first = " nor ".join(keys.looked), next(iter(keys.looked))
    return CredentialNotFoundError(
        f"The provider {provider!r} has no key",
        why=f"{'Neither' if len(keys.looked) > 1 else 'The variable'} {names}"
        f"{' is' if len(keys.looked) > 1 else ' is not'} set (profile {keys.profile!r})",
        fix=f"Store it with `sentient keys set {provider}`, put it into `.env` (`{first}=…`) or run"
        f" `export {first}=…`; `sentient keys which {provider}` shows where it was looked for. {_KEYLESS}",
    )


def _or_store(provider: str) -> str:
    host = " --host HOST" if provider in KINDS else ""
    return f", or store it with `sentient keys set {provider}{host}`"


def say_where(error: AuthenticationError, keys: Keys) -> None:
    """Add to the error of a refused key where that key came from, unless whoever asks has given it."""
    if keys.source and keys.source != _GIVEN and keys.source not in error.why:
        error.why = f"{error.why.rstrip('.')}{'. ' if error.why else ''}The key is that of {keys.source}"
        error.why += f" (profile {keys.profile!r})"
        if keys.stored:
            _, _, name = keys.stored.partition("/")
            error.fix = f"Replace it with `sentient keys set {name} --profile {keys.profile}`. {_KEYLESS}"
            return
        variable = keys.looked[0] if keys.looked else ""
        if variable:
            error.fix = f"Set {variable} anew, in `.env` or the shell; `sentient doctor` shows what is set. {_KEYLESS}"
