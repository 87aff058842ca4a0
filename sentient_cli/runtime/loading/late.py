"""Packages of which a part is wanted, while their first file imports far more than that."""

from __future__ import annotations

import importlib.util
import sys

__all__ = ["leave_first_file"]


def leave_first_file(name: str) -> None:
    """Have a package there, so that its parts can be imported, without running its first file.

    That is run when somebody asks the package for what is not there: whoever imports it finds what they expect.

    Args:
        name: The package. Nothing is done where it is imported already, or not installed.

    Example:
        >>> leave_first_file("asyncio")
    """
    spec = importlib.util.find_spec(name) if name not in sys.modules else None
    if spec is None or spec.loader is None:
        return
    package, loader = importlib.util.module_from_spec(spec), spec.loader

    def run_first_file(wanted: str) -> object:
        vars(package).pop("__getattr__", None)
        loader.exec_module(package)
        value: object = getattr(package, wanted)
        return value

    vars(package)["__getattr__"] = run_first_file
    sys.modules[name] = package
