"""The pytest plugin: tests of agents that were written for the public framework import, and two fixtures.

It is loaded by pytest where this package is installed, and imports nothing heavy until a test asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sentient_cli.compat.finder import install, is_installed, uninstall

if TYPE_CHECKING:
    from collections.abc import Callable

    from sentient_cli.runtime.session import Session
    from sentient_cli.testing.agent_run import AgentRun

_ours = pytest.StashKey[bool]()


def _install(config: pytest.Config) -> None:
    if not is_installed():
        install()
        config.stash[_ours] = True


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Let an import of ``sentient_agent_framework`` work in the first ``conftest.py``."""
    _install(early_config)


def pytest_configure(config: pytest.Config) -> None:
    """The same where the plugin was named by a ``conftest.py``."""
    _install(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave the process as it was found."""
    if config.stash.get(_ours, False):
        uninstall()


@pytest.fixture
def run_agent() -> Callable[..., AgentRun]:
    """Runs an agent on one query: `sentient_cli.testing.run_agent_sync`."""
    from sentient_cli.testing.running import run_agent_sync  # noqa: PLC0415 - most test runs never ask

    return run_agent_sync


@pytest.fixture
def agent_session() -> Callable[..., Session]:
    """Makes a session of turns: `sentient_cli.testing.make_session`."""
    from sentient_cli.testing.sessions import make_session  # noqa: PLC0415 - most test runs never ask

    return make_session
