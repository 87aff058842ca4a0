"""Which services somebody's sign-in may be sent to: those that this user names, and not whatever a project says.

A project, such as one that was cloned a moment ago, may name any address, in its settings or in its ``.env``. A token
goes there only when the user's own settings or the variables of the shell name the same one.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias, cast

from sentient_cli import paths
from sentient_cli.config.environ import process_environment
from sentient_cli.errors import CredentialStoreError
from sentient_cli.sanitize import sanitize_line

__all__ = ["Agreement", "agreement_of", "anywhere"]

Agreement: TypeAlias = Callable[[str], None]
"""Raises a `CredentialStoreError` when nobody has agreed to an address."""
_FILE: Final = "credentials"


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
        shell = process_environment()
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


def _of_user(store: str, key: str) -> Iterator[str]:
    """What the user's own settings say, in whichever profile."""
    try:
        settings: dict[str, object] = tomllib.loads(paths.user_config_file().read_text("utf-8"))
    except (OSError, ValueError):  # whoever reads the settings themselves says what is wrong with them
        return
    for table in (settings, *_tables(settings, "profile")):
        value = _table(_table(table, _FILE), store).get(key)
        if isinstance(value, str):
            yield value


def _tables(settings: Mapping[str, object], name: str) -> Iterator[Mapping[str, object]]:
    held = _table(settings, name)
    yield from (_table(held, each) for each in held)


def _table(settings: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = settings.get(name)
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}
