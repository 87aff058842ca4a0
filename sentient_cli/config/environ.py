"""The process environment: the one module that touches it."""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["export_environment", "process_environment", "replace_environment"]


def process_environment() -> Mapping[str, str]:
    """A copy of the environment of this process as it is now; it cannot be changed.

    Example:
        >>> environment = process_environment()
        >>> "PATH" in environment
        True
    """
    return MappingProxyType(dict(os.environ))


def export_environment(environment: Mapping[str, str]) -> None:
    """Set the variables of ``environment`` in this process, for agent code that reads them. Others stay as they are.

    Args:
        environment: Names and values, as in ``Loaded.environment``.

    Example:
        >>> export_environment({"SENTIENT_EXAMPLE": "1"})
        >>> process_environment()["SENTIENT_EXAMPLE"], os.environ.pop("SENTIENT_EXAMPLE")
        ('1', '1')
    """
    os.environ.update(environment)


def replace_environment(environment: Mapping[str, str]) -> None:
    """Make ``environment`` the whole environment of this process, as if it had been started with it.

    Args:
        environment: Names and values.
    """
    os.environ.clear()
    os.environ.update(environment)
