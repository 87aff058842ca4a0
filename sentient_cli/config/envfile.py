"""A project's ``.env``."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from sentient_cli.config.files import read_text
from sentient_cli.errors import ConfigError, ConfigurationNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["ENV_FILE", "find_env_file", "read_env_file"]

ENV_FILE = ".env"


def find_env_file(directory: Path, given: Path | None) -> Path | None:
    """The file that was given, else the ``.env`` of a directory, if there is one.

    Raises:
        ConfigurationNotFoundError: a file was given and does not exist.
    """
    if given is None:
        found = directory / ENV_FILE
        return found if found.is_file() else None
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
