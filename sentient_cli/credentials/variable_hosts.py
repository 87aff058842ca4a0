"""Where the keys of variables that many programs know may be sent: to whom they are for, and where their user says.

A project's settings name the variable of a key, and may name any; ``OPENAI_API_KEY`` of the shell is no business of
whatever server they name beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from sentient_cli import paths
from sentient_cli.credentials.choices import ChoiceFile
from sentient_cli.credentials.destinations import MOST_HOSTS, Destination, host_of
from sentient_cli.credentials.users_own import own_tables, table_in
from sentient_cli.errors import CredentialHostError, UsageError

__all__ = ["Owner", "VariableHosts", "elsewhere", "is_variable", "variable_refusal"]

_VARIABLE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,127}")


class Owner(NamedTuple):
    """Whom a variable is for.

    Args:
        name: The provider or service.
        hosts: Its hosts. What is below one of them is its too; one that begins with a dot stands for these alone.

    Example:
        >>> Owner("azure", (".openai.azure.com",)).has("mine.openai.azure.com")
        True
        >>> Owner("openai", ("api.openai.com",)).has("api.openai.com.example.com")
        False
    """

    name: str
    hosts: tuple[str, ...] = ()

    @property
    def told(self) -> tuple[str, ...]:
        """The hosts, for people."""
        return tuple(f"*{host}" if host.startswith(".") else host for host in self.hosts)

    def has(self, host: str) -> bool:
        """Whether a host is one of its own."""
        return any(host == own or host.endswith(f".{own.lstrip('.')}") for own in self.hosts)


class _File(msgspec.Struct, frozen=True, tag_field="format", tag="sentient.variables"):
    hosts: dict[str, tuple[str, ...]] = {}


class VariableHosts:
    """The hosts that this user allows a variable, beside those whom it is for.

    Args:
        path: The file; that of this user unless given.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     chosen = VariableHosts(Path(folder, "variables.json"))
        ...     chosen.allow("OPENAI_API_KEY", ["models.example.com"])
        ...     chosen.of("OPENAI_API_KEY"), chosen.of("GROQ_API_KEY")
        ('models.example.com',)
        (('models.example.com',), ())
    """

    def __init__(self, path: Path | None = None) -> None:
        self._file = ChoiceFile(
            path or paths.data_dir() / "variables.json",
            _File,
            "The choice of hosts for variables",
            "Remove the file, and choose anew with `sentient keys allow`; no key is in it",
        )

    def of(self, variable: str) -> tuple[str, ...]:
        """The hosts of one.

        Raises:
            CredentialStoreError: the file cannot be read.
        """
        return self._file.read().hosts.get(variable, ())

    def allow(self, variable: str, hosts: Sequence[str], *, remove: bool = False) -> tuple[str, ...]:
        """Allow a variable further hosts, or some no longer.

        Returns:
            Those that it has then.

        Raises:
            UsageError: they would be too many.
            CredentialStoreError: the file cannot be written.
        """

        def step(file: _File) -> _File:
            before = file.hosts.get(variable, ())
            kept = tuple(host for host in before if host not in hosts)
            after = kept if remove else tuple(dict.fromkeys((*before, *hosts)))
            if len(after) > MOST_HOSTS:
                raise UsageError(f"It would be bound to {len(after)} hosts, and {MOST_HOSTS} are the most")
            others = {name: held for name, held in file.hosts.items() if name != variable}
            return _File({**others, variable: after} if after else others)

        self._file.change(step)
        return self.of(variable)


def is_variable(text: str) -> bool:
    """Whether a text is the name of a variable, which no credential can be called.

    Example:
        >>> is_variable("OPENAI_API_KEY"), is_variable("openai")
        (True, False)
    """
    return _VARIABLE.fullmatch(text) is not None


def elsewhere(variable: str, owner: Owner, destination: Destination) -> tuple[str, ...]:
    """The hosts of a destination that a variable may not be sent to.

    Args:
        variable: Its name.
        owner: Whom it is for.
        destination: Where it would be sent.

    Raises:
        CredentialStoreError: what its user has chosen cannot be read.

    Example:
        >>> there = Destination(("api.openai.com", "proxy.example.com"))
        >>> elsewhere("OPENAI_API_KEY", Owner("openai", ("api.openai.com",)), there)
        ('proxy.example.com',)
    """
    strange = [host for host in destination.hosts if not owner.has(host)]
    if not strange:
        return ()
    allowed = {*VariableHosts().of(variable), *_in_own_settings(variable)}
    return tuple(host for host in strange if host not in allowed)


def variable_refusal(variable: str, owner: Owner, hosts: Sequence[str]) -> CredentialHostError:
    """The error of a variable that may not be sent where it was to go.

    Args:
        variable: Its name.
        owner: Whom it is for.
        hosts: Where it may not go.
    """
    may = f"and goes to {', '.join(owner.told)} alone" if owner.hosts else "and goes to no model"
    there = ", ".join(hosts)
    return CredentialHostError(
        f"The key in the variable {variable} is not sent to {there}",
        why=f"It is for {owner.name}, {may}; settings say that a provider is somewhere else",
        fix=f"If that host has a key of its own, put it into another variable, and name that with `api_key_env`. If you"
        f" trust it with this one, run `sentient keys allow {variable} {' '.join(hosts)}`. Else correct `base_url` and"
        " `proxy` of the provider",
    )


def _in_own_settings(variable: str) -> Iterator[str]:
    """The hosts for which this user's own settings name the variable."""
    for settings in own_tables():
        providers = table_in(settings, "llm", "providers")
        for name in providers:
            table = table_in(providers, name)
            named, url = table.get("api_key_env"), table.get("base_url")
            if isinstance(url, str) and (named == variable or (isinstance(named, list) and variable in named)):
                yield host_of(url)
