"""Where this package keeps things on this machine, in the platform's own places. Nothing is created here."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from platformdirs import user_cache_path, user_config_path, user_data_path, user_runtime_path, user_state_path

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["cache_dir", "config_dir", "crash_dir", "data_dir", "runtime_dir", "state_dir", "user_config_file"]

_NAME = "sentient"


def config_dir() -> Path:
    """The directory of the user's own settings.

    Example:
        >>> config_dir().name
        'sentient'
    """
    return user_config_path(_NAME, appauthor=False)


def user_config_file() -> Path:
    """The user's settings, below every project's in precedence."""
    return config_dir() / "config.toml"


def data_dir() -> Path:
    """The directory of what the user would miss: stored runs and sessions."""
    return user_data_path(_NAME, appauthor=False)


def state_dir() -> Path:
    """The directory of what outlives a process but is not missed: histories, crash reports."""
    return user_state_path(_NAME, appauthor=False)


def crash_dir() -> Path:
    """The directory of the reports of unknown errors."""
    return state_dir() / "crashes"


def cache_dir() -> Path:
    """The directory of what can be made again."""
    return user_cache_path(_NAME, appauthor=False)


def runtime_dir() -> Path:
    """The directory of sockets and tokens of running processes, private to the user.

    Where the system has none, and somebody else has taken the place of the one that would do, it is among this user's
    own files.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the system has none is no concern of whoever runs a command
        try:
            return user_runtime_path(_NAME, appauthor=False)
        except PermissionError:
            return state_dir() / "run"
