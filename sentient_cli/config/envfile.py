"""A project's ``.env``."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

from typing_extensions import override

from sentient_cli.config.places import home_of, is_file, is_of_others, read_text
from sentient_cli.config.veiled import Veiled
from sentient_cli.errors import ConfigError, ConfigurationNotFoundError

__all__ = ["ENV_FILE", "Variables", "find_env_file", "read_env_file", "read_variables"]

ENV_FILE = ".env"


class Variables(Veiled, frozen=True):
    """The variables that a command sees.

    Args:
        values: Those of the process and, below them, those of the file.
        file: The file that was read; None: none.
    """

    values: Mapping[str, str]
    file: Path | None

    @override
    def veiled(self) -> Mapping[str, object]:
        # The name of a variable does not always tell whether there is a secret in it.
        return {"values": sorted(self.values), "file": self.file}


def read_variables(
    start: Path, environment: Mapping[str, str], *, given: Path | None = None, use_file: bool = True
) -> Variables:
    r"""The variables of the process, and of the file of the project that ``start`` is in; for who needs no settings.

    Args:
        start: Where to look for the project, upward from there.
        environment: The variables of the process. They win, but for those that are empty.
        given: A file in the place of the project's.
        use_file: Whether one is read at all.

    Raises:
        ConfigError: the file cannot be read or understood.
        ConfigurationNotFoundError: a file was given and does not exist.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, ".env").write_text("NAME=Ann\nPLACE=here")
        ...     dict(read_variables(Path(folder), {"PLACE": "there"}).values)
        {'NAME': 'Ann', 'PLACE': 'there'}
    """
    file = find_env_file(home_of(start.absolute()), given) if use_file else None
    found: Mapping[str, str] = read_env_file(file) if file is not None else {}
    return Variables({**found, **{name: value for name, value in environment.items() if value}}, file)


def find_env_file(directory: Path, given: Path | None) -> Path | None:
    """The file that was given, else the ``.env`` of a directory, if there is one.

    Raises:
        ConfigError: what is called ``.env`` is a pipe, or a link that leads nowhere.
        ConfigurationNotFoundError: a file was given and does not exist.
    """
    if given is None:
        found = directory / ENV_FILE
        return found if is_file(found) and not is_of_others(found, chosen=True) else None
    if not given.is_file():
        raise ConfigurationNotFoundError(f"There is no file {given}", fix="Check the path given with --env-file")
    return given


def read_env_file(path: Path) -> Mapping[str, str]:
    """The variables of a file.

    Raises:
        ConfigError: it cannot be read or understood; its text, which may hold secrets, is not repeated.
    """
    from dotenv import dotenv_values  # noqa: PLC0415 - most calls have no such file
    from dotenv.parser import parse_stream  # noqa: PLC0415

    source = read_text(path)
    for binding in parse_stream(io.StringIO(source)):
        if binding.error:
            # The parser counts from where the statement before ended.
            line = binding.original.line + len(binding.original.string) - len(binding.original.string.lstrip("\n"))
            raise ConfigError(
                f"Line {line} of {path} is not understood", fix="Write NAME=value, with quotes when needed"
            )
    found = {name: value for name, value in dotenv_values(stream=io.StringIO(source)).items() if value is not None}
    for name, value in found.items():
        if "\0" in name or "\0" in value:
            raise ConfigError(f"The variable {name!r} in {path} holds a NUL character", fix="Remove it")
    return found
