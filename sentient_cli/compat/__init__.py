"""Runs agents that were written for ``sentient-agent-framework``, unedited, whether that package is installed or not.

`install` makes an import of ``sentient_agent_framework`` resolve to compatible classes where the package is absent.
Where it is present it is used as it is, and never shadowed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentient_cli.compat.adapting import adapt, load_agent
    from sentient_cli.compat.finder import install, installed, uninstall
    from sentient_cli.compat.models import ScriptModels
    from sentient_cli.compat.script import run_script
    from sentient_cli.compat.server import ServeOptions, serve_with

__all__ = [
    "ScriptModels",
    "ServeOptions",
    "adapt",
    "install",
    "installed",
    "load_agent",
    "run_script",
    "serve_with",
    "uninstall",
]

_HOMES = {
    "adapting": ("adapt", "load_agent"),
    "finder": ("install", "installed", "uninstall"),
    "models": ("ScriptModels",),
    "script": ("run_script",),
    "server": ("ServeOptions", "serve_with"),
}
_MODULES = {name: f"{__name__}.{module}" for module, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:  # a type checker shall know the names above and no others

    def __getattr__(name: str) -> object:
        # Installing must cost nothing: the classes are imported when somebody imports the framework.
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value: object = getattr(importlib.import_module(_MODULES[name]), name)
        globals()[name] = value
        return value
