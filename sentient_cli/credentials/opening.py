"""Stores and look-up as settings describe them. No store is asked, nor its library imported, before it is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from sentient_cli import paths
from sentient_cli.config.environ import shell_environment
from sentient_cli.config.secret import Secret
from sentient_cli.credentials.look_up import Variables
from sentient_cli.credentials.manager import Policy
from sentient_cli.credentials.ports import CredentialStore
from sentient_cli.errors import CredentialStoreError
from sentient_cli.redact import redactor

if TYPE_CHECKING:
    from pathlib import Path

    from sentient_cli.config.credentials import CredentialSettings
    from sentient_cli.credentials.stores.passphrases import PassphraseSource

__all__ = ["encrypted_file", "open_stores", "policy_of", "variables_of"]

_UNCHANGED: Final[Mapping[str, str]] = {}


def policy_of(settings: CredentialSettings) -> Policy:
    """How credentials are looked for and kept.

    Args:
        settings: Those of credentials.
    """
    return Policy(
        order=settings.order,
        default_profile=settings.default_profile,
        fallback=settings.fallback,
        lease=settings.lease,
        core_dumps=settings.core_dumps,
    )


def open_stores(
    settings: CredentialSettings, environment: Mapping[str, str], ask: PassphraseSource | None = None
) -> list[CredentialStore]:
    """The stores, in the order in which they are asked.

    Args:
        settings: Those of credentials.
        environment: The variables.
        ask: Asks for the passphrase of the encrypted file; without one, settings have to say where it is.
    """
    made: dict[str, Callable[[], CredentialStore]] = {
        "keyring": lambda: _keyring(environment),
        "encrypted": lambda: _encrypted(settings, environment, ask),
        "vault": lambda: _vault(settings, environment),
        "aws": lambda: _aws(settings, environment),
        "azure": lambda: _azure(settings, environment),
    }
    return [made[name]() for name in settings.stores]


def _keyring(environment: Mapping[str, str]) -> CredentialStore:
    from sentient_cli.credentials.stores.keyring import KeyringStore  # noqa: PLC0415 - what is not used is not loaded

    return KeyringStore(paths.data_dir() / "credentials" / "keyring.lock", environment)


def _encrypted(
    settings: CredentialSettings, environment: Mapping[str, str], ask: PassphraseSource | None
) -> CredentialStore:
    from sentient_cli.credentials.agent.client import from_agent  # noqa: PLC0415 - what is not used is not loaded
    from sentient_cli.credentials.stores import passphrases  # noqa: PLC0415 - the same
    from sentient_cli.credentials.stores.encrypted import EncryptedFileStore  # noqa: PLC0415 - the same

    file = encrypted_file(settings)
    otherwise = ask or _nobody_to_ask
    if settings.passphrase_keyring:
        from sentient_cli.credentials.stores.keyring_passphrase import in_keyring  # noqa: PLC0415 - the same

        otherwise = in_keyring(file, environment).source(otherwise)
    source = from_agent(file, otherwise)
    for name in settings.passphrase_env[:1]:
        redactor.register(environment.get(name, ""))
        source = passphrases.from_variable(name, shell_environment(), elsewhere=bool(environment.get(name)))
    if settings.passphrase_file is not None:
        source = passphrases.from_file(settings.passphrase_file)
    return EncryptedFileStore(file, source)


def encrypted_file(settings: CredentialSettings) -> Path:
    """The file of the store ``encrypted``.

    Args:
        settings: Those of credentials.
    """
    return settings.encrypted_file or paths.data_dir() / "credentials" / "encrypted"


def _vault(settings: CredentialSettings, environment: Mapping[str, str]) -> CredentialStore:
    from sentient_cli.credentials.stores import vault_opening as vault  # noqa: PLC0415 - what is not used is not loaded
    from sentient_cli.credentials.stores.web_agreed import (  # noqa: PLC0415 - the same
        CERTIFICATES,
        agreement_of,
        refuse_exported,
    )

    agreed_to = agreement_of("vault", "address", vault.ADDRESSES)

    def agreed(address: str) -> None:
        agreed_to(address)
        refuse_exported("Vault", *vault.CERTIFICATES, environment=environment)
        refuse_exported("Vault", *CERTIFICATES)

    return vault.open_vault(settings.vault, environment, agreed)


def _aws(settings: CredentialSettings, environment: Mapping[str, str]) -> CredentialStore:
    from sentient_cli.credentials.stores.aws_opening import open_aws  # noqa: PLC0415 - what is not used is not loaded
    from sentient_cli.credentials.stores.web_agreed import agreement_of  # noqa: PLC0415 - the same

    return open_aws(settings.aws, environment, agreement_of("aws", "endpoint"))


def _azure(settings: CredentialSettings, environment: Mapping[str, str]) -> CredentialStore:
    from sentient_cli.credentials.stores.azure_opening import open_azure  # noqa: PLC0415 - what is not used is not loaded
    from sentient_cli.credentials.stores.web_agreed import agreement_of  # noqa: PLC0415 - the same

    return open_azure(settings.azure, environment, agreement_of("azure", "address"))


def _nobody_to_ask(_new: bool) -> Secret:
    raise CredentialStoreError(
        "There is no passphrase for the encrypted file",
        why="Nobody can be asked here",
        fix="Run `sentient keys unlock`, or name a file with `passphrase_file` or a variable with `passphrase_env` in"
        " [credentials] of your own settings",
    )


def variables_of(
    known: Callable[[str], Sequence[str]],
    named: Callable[[str], Sequence[str]],
    environment: Mapping[str, str],
    env_file: Mapping[str, str] = _UNCHANGED,
    path: str = ".env",
) -> Callable[[str], Variables]:
    """What tells which variables may hold the credential of a name.

    Args:
        known: The variables that a provider is known by.
        named: Those that settings name for it.
        environment: All variables, those of ``.env`` among them.
        env_file: Those of ``.env``.
        path: Where that is, for people.

    Example:
        >>> find = variables_of(lambda name: [f"{name.upper()}_API_KEY"], lambda name: [], {"OPENAI_API_KEY": "sk-1"})
        >>> find("openai").known
        ('OPENAI_API_KEY',)
    """
    from_file = {name: value for name, value in env_file.items() if environment.get(name) == value}
    shell = {name: value for name, value in environment.items() if name not in from_file}

    def find(name: str) -> Variables:
        return Variables(tuple(named(name)), tuple(known(name)), shell, from_file, path)

    return find
