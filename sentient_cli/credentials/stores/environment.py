"""Credentials in environment variables and in a `.env` file. Both are read only, and plain to whoever sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, NoReturn

from sentient_cli.config.envfile import read_env_file
from sentient_cli.config.secret import Secret
from sentient_cli.credentials.names import Address
from sentient_cli.credentials.ports import Held
from sentient_cli.credentials.stores.texts import revision_of
from sentient_cli.errors import ConfigError, CredentialStoreError
from sentient_cli.sanitize import sanitize_line

__all__ = ["EnvFileStore", "EnvironmentStore", "Origin"]


class Origin(NamedTuple):
    """Where a value comes from.

    Args:
        variable: The variable.
        file: The file that it stands in; None: the environment itself.

    Example:
        >>> str(Origin("OPENAI_API_KEY", Path(".env")))
        'OPENAI_API_KEY in .env'
    """

    variable: str
    file: Path | None = None

    def __str__(self) -> str:
        return f"{self.variable} in {self.file}" if self.file is not None else self.variable


class EnvironmentStore:
    """What the environment variables of providers hold, under the names of the providers.

    Args:
        environment: The variables.
        names: The variables of each provider, the first that is set counts.
        profile: The profile that they are in; variables know of none.

    Example:
        >>> store = EnvironmentStore({"OPENAI_API_KEY": "sk-1"}, {"openai": ("OPENAI_API_KEY",), "groq": ("GROQ_KEY",)})
        >>> store.addresses(), store.origin(Address("default", "openai"))
        ([Address(profile='default', name='openai')], Origin(variable='OPENAI_API_KEY', file=None))
    """

    def __init__(
        self, environment: Mapping[str, str], names: Mapping[str, Sequence[str]], *, profile: str = "default"
    ) -> None:
        self._environment = environment
        self._names = names
        self._profile = profile

    @property
    def store_id(self) -> str:
        """``environment``."""
        return "environment"

    @property
    def strength(self) -> Literal["plain"]:
        """Plain."""
        return "plain"

    @property
    def writable(self) -> bool:
        """It is not."""
        return False

    def describe(self) -> str:
        """What it is."""
        return "environment variables"

    def origin(self, address: Address) -> Origin | None:
        """Where the value of a credential comes from; None: there is none."""
        return self._origin_in(self._variables(), address)

    def get(self, address: Address) -> Held | None:
        """What is held, without white space at its ends, or None when there is nothing.

        Raises:
            CredentialStoreError: the file cannot be read.
        """
        variables = self._variables()
        origin = self._origin_in(variables, address)
        if origin is None:
            return None
        text = variables[origin.variable].strip()
        return Held(Secret(text), revision_of(text))

    def put(self, address: Address, text: Secret, *, expected: str) -> str:  # noqa: ARG002 - nothing is put here
        """Refuse.

        Raises:
            CredentialStoreError: always.
        """
        self._refuse(address)

    def delete(self, address: Address, *, expected: str) -> None:  # noqa: ARG002 - nothing is deleted here
        """Refuse.

        Raises:
            CredentialStoreError: always.
        """
        self._refuse(address)

    def addresses(self) -> Sequence[Address]:
        """All providers that a variable is set for, sorted."""
        variables = self._variables()
        places = [Address(self._profile, name) for name in sorted(self._names)]
        return [place for place in places if self._origin_in(variables, place) is not None]

    def check(self) -> None:
        """Read it."""
        self._variables()

    def close(self) -> None:
        """Nothing is open."""

    @property
    def _file(self) -> Path | None:
        return None

    def _variables(self) -> Mapping[str, str]:
        return self._environment

    def _origin_in(self, variables: Mapping[str, str], address: Address) -> Origin | None:
        names = self._names.get(address.name, ()) if address.profile == self._profile else ()
        return next((Origin(name, self._file) for name in names if variables.get(name, "").strip()), None)

    def _refuse(self, address: Address) -> NoReturn:
        names = self._names.get(address.name, ())
        raise CredentialStoreError(
            f"Nothing can be stored in {self.describe()}",
            why="They are only read",
            fix=f"Set {names[0]} there yourself, or choose another store" if names else "Choose another store",
        )


class EnvFileStore(EnvironmentStore):
    """What a `.env` file holds, read anew each time.

    Args:
        file: The file; there need not be one.
        names: The variables of each provider, the first that is set counts.
        profile: The profile that they are in.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, ".env").write_text("GROQ_API_KEY=gsk-1")
        ...     store = EnvFileStore(Path(folder, ".env"), {"groq": ("GROQ_API_KEY",)})
        ...     store.get(Address("default", "groq")).text.reveal(), store.origin(Address("default", "groq")).file.name
        ('gsk-1', '.env')
    """

    def __init__(self, file: Path, names: Mapping[str, Sequence[str]], *, profile: str = "default") -> None:
        super().__init__({}, names, profile=profile)
        self._path = file

    @property
    def store_id(self) -> str:
        """``env-file``."""
        return "env-file"

    def describe(self) -> str:
        """The path of the file."""
        return sanitize_line(f"the variables of {self._path}")

    @property
    def _file(self) -> Path | None:
        return self._path

    def _variables(self) -> Mapping[str, str]:
        if not self._path.exists():
            return {}
        try:
            return read_env_file(self._path)
        except ConfigError as error:
            raise CredentialStoreError(
                error.what, why=error.why, fix=error.fix or "Check the file and its rights"
            ) from None
