"""The secrets that the redactor knows in every command: those of the environment, and of the file of variables."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from sentient_cli.secret_sources import register_later

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sentient_cli.cli.invocation import Invocation

__all__ = ["know_secrets"]


def know_secrets(invocation: Invocation, arguments: Sequence[str]) -> None:
    """Have the secrets of a call left out of all that it writes; nothing is read before something is written.

    Args:
        invocation: The call.
        arguments: Its arguments, which name the project and the file, whether a command understands them or not.
    """
    register_later(lambda: invocation.environment)
    register_later(lambda: _of_file(invocation, list(arguments)))


def _of_file(invocation: Invocation, arguments: list[str]) -> Mapping[str, str]:
    """The variables of the file that a command would read; none, if it cannot be read: who needs it says why."""
    from pathlib import Path

    from sentient_cli.config.envfile import find_env_file, read_env_file
    from sentient_cli.config.places import home_of
    from sentient_cli.errors import SentientError

    if "--no-env-file" in arguments:
        return {}
    with suppress(SentientError, OSError, ValueError):
        start = invocation.project or _named(arguments, "--project") or Path()
        file = find_env_file(home_of(start.absolute()), _named(arguments, "--env-file"))
        if file is not None:
            return read_env_file(file)
    return {}


def _named(arguments: list[str], option: str) -> Path | None:
    from pathlib import Path

    for at, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name == option:
            value = value if equals else next(iter(arguments[at + 1 :]), "")
            return Path(value) if value else None
    return None
