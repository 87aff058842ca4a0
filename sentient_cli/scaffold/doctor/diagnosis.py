"""All checks, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from sentient_cli.config import load
from sentient_cli.errors import SentientError, UsageError
from sentient_cli.scaffold.doctor.credentials import check_credentials
from sentient_cli.scaffold.doctor.dependencies import check_dependencies
from sentient_cli.scaffold.doctor.finding import Check, Finding, Surroundings, Terminal
from sentient_cli.scaffold.doctor.machine import check_directories, check_limits, check_port, check_terminal
from sentient_cli.scaffold.doctor.models import check_keyring, check_keys, check_local
from sentient_cli.scaffold.doctor.network import check_certificates, check_index, check_proxies
from sentient_cli.scaffold.doctor.online import check_online
from sentient_cli.scaffold.doctor.projects import check_agent, check_exposure, check_settings
from sentient_cli.scaffold.doctor.pythons import check_environment, check_python
from sentient_cli.scaffold.doctor.stores import check_stores
from sentient_cli.scaffold.doctor.tools import check_git, check_installer

__all__ = ["CHECKS", "diagnose", "look_around"]

CHECKS: tuple[Check, ...] = (
    Check("Python", "python", check_python),
    Check("Python", "environment", check_environment),
    Check("Python", "dependencies", check_dependencies),
    Check("Project", "settings", check_settings),
    Check("Project", "exposure", check_exposure),
    Check("Project", "agent", check_agent),
    Check("Keys", "keys", check_keys),
    Check("Keys", "stored", check_credentials),
    Check("Keys", "keyring", check_keyring),
    Check("Keys", "services", check_stores),
    Check("Keys", "local", check_local),
    Check("Network", "proxies", check_proxies),
    Check("Network", "certificates", check_certificates),
    Check("Network", "packages", check_index),
    Check("Network", "port", check_port),
    Check("Network", "reach", check_online),
    Check("Tools", "git", check_git),
    Check("Tools", "uv", check_installer),
    Check("Machine", "terminal", check_terminal),
    Check("Machine", "directories", check_directories),
    Check("Machine", "files", check_limits),
)
"""Checks of one area stand together."""


def look_around(
    *,
    environment: Mapping[str, str],
    terminal: Terminal,
    project: Path | None = None,
    profile: str | None = None,
    online: tuple[str, ...] = (),
    env_file: Path | None = None,
    use_env_file: bool = True,
) -> Surroundings:
    """Gather what the checks look at; settings that cannot be loaded are a finding, not an error.

    Args:
        environment: The variables of the process.
        terminal: The terminal.
        project: The directory of ``--project``.
        profile: The value of ``--profile``.
        online: Addresses to reach.
        env_file: A file of variables in the place of the project's ``.env``.
        use_env_file: Whether one is read at all.

    Raises:
        UsageError: ``project`` is no directory.
    """
    start = (project or Path()).absolute()
    loaded, fault = None, None
    try:
        loaded = load(
            project=start, profile=profile, env_file=env_file, use_env_file=use_env_file, environment=environment
        )
    except UsageError:
        raise
    except SentientError as error:
        fault = error
    return Surroundings(environment, start, terminal, loaded, fault, profile, online, env_file, use_env_file)


def diagnose(here: Surroundings) -> Iterator[Finding]:
    """Run every check. A check that fails itself is a finding too, and the others go on.

    Example:
        >>> from sentient_cli.scaffold.doctor.finding import Terminal
        >>> here = look_around(environment={}, terminal=Terminal("utf-8", False, False, False, 80))
        >>> next(diagnose(here)).name
        'python'
    """
    for check in CHECKS:
        try:
            for finding in check.run(here):
                yield replace(finding, area=check.area)
        except Exception as error:  # noqa: BLE001 - what is broken here is what was asked for
            why = f"It could not be looked at: {type(error).__name__}: {error}"
            yield Finding(check.name, "fail", why, "Repair the installation", area=check.area)
