"""What one call of the command line knows: its output, its global options, its settings."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from sentient_cli.cli.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from sentient_cli.config import FlagValue, Loaded

__all__ = ["PROGRAMS", "Invocation", "current", "start"]

PROGRAMS = ("sentient", "sentient-agent-cli")
"""The names by which the command line can be called."""


class Invocation:
    """One call of the command line.

    Args:
        console: Where it writes to.
        environment: The environment of the process.
        program: The name it was called by.
        project: The directory of ``--project``.
    """

    # No dataclass: importing that module would cost a third of `sentient --version`.
    __slots__ = ("console", "environment", "program", "project")

    def __init__(
        self, console: Console, environment: Mapping[str, str], program: str = "sentient", project: Path | None = None
    ) -> None:
        self.console: Console = console
        self.environment: Mapping[str, str] = environment
        self.program: str = program
        self.project: Path | None = project

    def load(
        self,
        flags: Mapping[str, FlagValue] | None = None,
        *,
        profile: str | None = None,
        env_file: Path | None = None,
        no_env_file: bool = False,
        tell: bool = True,
        details: bool = True,
    ) -> Loaded:
        """Load the settings for a command, and say which ``.env`` was read and what looks wrong.

        Args:
            flags: Dotted keys and the values that flags gave them; None means not given.
            profile: The value of ``--profile``.
            env_file: The value of ``--env-file``.
            no_env_file: Whether ``--no-env-file`` was given.
            tell: Whether to say so now; otherwise `tell_sources` does it later.
            details: Whether ``-v`` has every source told.

        Raises:
            ConfigError: a setting is missing, malformed or unknown.
            UsageError: ``--project`` is no directory.
        """
        from sentient_cli.config import load

        loaded = load(
            flags,
            project=self.project,
            profile=profile,
            env_file=env_file,
            use_env_file=not no_env_file,
            environment=self.environment,
        )
        if tell:
            self.tell_sources(loaded)
        if details:
            for line in self.details_of(loaded, env_file=not tell or loaded.env_file is None):
                self.console.detail(line)
        return loaded

    def introduce(self) -> None:
        """Say, if ``-v`` asks for it, which program this is."""
        if self.console.verbose:
            from sentient_cli.cli.details import program_told

            self.console.detail(program_told())

    def details_of(self, loaded: Loaded, *, env_file: bool = True) -> Iterable[str]:
        """What ``-v`` says of the settings; nothing without it."""
        if not self.console.verbose:
            return ()
        from sentient_cli.cli.details import sources_told

        return sources_told(loaded, env_file=env_file)

    def tell_sources(self, loaded: Loaded) -> None:
        """Say which ``.env`` was read and what looks wrong."""
        if loaded.env_file is not None:
            self.console.say(f"Environment read from {loaded.env_file}")
        for warning in loaded.warnings:
            self.console.warn(warning)


_current: ContextVar[Invocation] = ContextVar("sentient_cli_invocation")


def start(invocation: Invocation) -> None:
    """Make ``invocation`` the current one."""
    _current.set(invocation)


def current() -> Invocation:
    """The invocation that is going on; outside of ``main()`` one over the standard streams."""
    found = _current.get(None)
    if found is None:
        from sentient_cli.config.environ import process_environment

        environment = process_environment()
        found = Invocation(Console(environment=environment), environment)
        _current.set(found)
    return found
