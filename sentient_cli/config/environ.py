"""The process environment: the one module that touches it."""

from __future__ import annotations

import contextlib
import os
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

__all__ = [
    "PYDANTIC_PLUGINS",
    "export_environment",
    "process_environment",
    "replace_environment",
    "shell_environment",
    "variable",
]

PYDANTIC_PLUGINS = "PYDANTIC_DISABLE_PLUGINS"
"""At ``1``, pydantic does not look for plugins, for which it reads the metadata of every installed package."""

_HOMES: Final = frozenset(
    {"HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"}
    | {f"XDG_{name}" for name in ("CONFIG_HOME", "DATA_HOME", "STATE_HOME", "CACHE_HOME", "RUNTIME_DIR")}
)
"""Where this user's own files are, such as settings and credentials: no file of a project moves them."""
_exported: Final[dict[str, str]] = {}
"""What `export_environment` has set that was not so before."""


def process_environment() -> Mapping[str, str]:
    """A copy of the environment of this process as it is now; it cannot be changed.

    Example:
        >>> environment = process_environment()
        >>> "PATH" in environment
        True
    """
    return MappingProxyType(dict(os.environ))


def shell_environment() -> Mapping[str, str]:
    """The same without what was exported out of a file: what whoever started this process has said.

    Example:
        >>> export_environment({"SENTIENT_EXAMPLE": "1"})
        >>> "SENTIENT_EXAMPLE" in shell_environment(), os.environ.pop("SENTIENT_EXAMPLE")
        (False, '1')
    """
    return MappingProxyType({name: value for name, value in os.environ.items() if _exported.get(name) != value})


def export_environment(environment: Mapping[str, str]) -> None:
    """Set the variables of ``environment`` in this process, for agent code that reads them. Others stay as they are.

    Those that say where this user's own files are stay as they are, too.

    Args:
        environment: Names and values, as in ``Loaded.environment``.

    Example:
        >>> export_environment({"SENTIENT_EXAMPLE": "1"})
        >>> process_environment()["SENTIENT_EXAMPLE"], os.environ.pop("SENTIENT_EXAMPLE")
        ('1', '1')
    """
    changed = {
        name: value for name, value in environment.items() if name not in _HOMES and os.environ.get(name) != value
    }
    _exported.update(changed)
    os.environ.update(changed)


def replace_environment(environment: Mapping[str, str]) -> None:
    """Make ``environment`` the whole environment of this process, as if it had been started with it.

    Args:
        environment: Names and values.
    """
    _exported.clear()
    os.environ.clear()
    os.environ.update(environment)


@contextlib.contextmanager
def variable(name: str, value: str | None) -> Generator[None]:
    """Have a variable in this process for as long as the block lasts.

    Args:
        name: Which.
        value: Its value; None: there is none of that name.

    Example:
        >>> with variable("SENTIENT_EXAMPLE", "1"):
        ...     process_environment()["SENTIENT_EXAMPLE"]
        '1'
        >>> "SENTIENT_EXAMPLE" in process_environment()
        False
    """
    before = os.environ.get(name)
    _set(name, value)
    try:
        yield
    finally:
        _set(name, before)


def _set(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
