"""Which services somebody's sign-in may be sent to: those that this user names, and not whatever a project says.

A project, such as one that was cloned a moment ago, may name any address, in its settings or in its ``.env``. A token
goes there only when the user's own settings or the variables of the shell name the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from sentient_cli import paths
from sentient_cli.config.environ import process_environment, shell_environment
from sentient_cli.credentials.users_own import own_tables, table_in
from sentient_cli.errors import CredentialStoreError
from sentient_cli.sanitize import sanitize_line

__all__ = ["CERTIFICATES", "Agreement", "agreement_of", "anywhere", "refuse_exported"]

CERTIFICATES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables by which Python and the clients of services trust others than the system does."""

Agreement: TypeAlias = Callable[[str], None]
"""Raises a `CredentialStoreError` when nobody has agreed to an address."""


def anywhere(_address: str) -> None:
    """Whoever opens the store has chosen the address himself."""


def agreement_of(store: str, key: str, variables: tuple[str, ...] = ()) -> Agreement:
    """What asks for the agreement of whoever runs this process.

    Args:
        store: The name of the store.
        key: The setting that has its address.
        variables: The variables that may have it as well, beside that of the setting.

    Example:
        >>> agreement_of("vault", "address")("https://elsewhere.example.com")
        Traceback (most recent call last):
        ...
        sentient_cli.errors.CredentialStoreError: Nobody has agreed to sign in at https://elsewhere.example.com. ...
    """
    variable = f"SENTIENT_CREDENTIALS_{store}_{key}".upper()

    def require(address: str) -> None:
        shell = shell_environment()
        named = {shell.get(name, "") for name in (variable, *variables)} | set(_of_user(store, key))
        if address.rstrip("/") in {each.strip().rstrip("/") for each in named}:
            return
        raise CredentialStoreError(
            f"Nobody has agreed to sign in at {sanitize_line(address)}",
            why="The project says so, in its settings or in its `.env`, and a project may say anything",
            fix=f"If you trust it, set {(*variables, variable)[0]} to it in the shell, or `{key}` in"
            f" [credentials.{store}] of {paths.user_config_file()}",
        )

    return require


def refuse_exported(service: str, *names: str, environment: Mapping[str, str] | None = None) -> None:
    """See that none of these variables comes out of a ``.env``.

    Args:
        service: The service, for people.
        names: The variables that say where somebody signs in, or whom to trust there.
        environment: The variables; those of the process unless given, which a foreign client reads.

    Raises:
        CredentialStoreError: one comes out of a file.
    """
    shell, process = shell_environment(), process_environment() if environment is None else environment
    for name in names:
        if process.get(name, "") != shell.get(name, ""):
            raise CredentialStoreError(
                f"Nobody has agreed to sign in at {service} as {name} says",
                why="It stands in the `.env` of the project, and a project may say anything",
                fix=f"If you trust it, set {name} to it in the shell; else remove it from `.env`",
            )


def _of_user(store: str, key: str) -> Iterator[str]:
    """What the user's own settings say, in whichever profile."""
    for table in own_tables():
        value = table_in(table, "credentials", store).get(key)
        if isinstance(value, str):
            yield value
