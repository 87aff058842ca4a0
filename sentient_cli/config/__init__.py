"""Settings: their types, the layers they come from, and the one place that reads the environment."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentient_cli.config.environ import export_environment, process_environment
    from sentient_cli.config.loading import Loaded, load
    from sentient_cli.config.manager import ConfigurationManager
    from sentient_cli.config.secret import Secret
    from sentient_cli.config.settings import (
        CredentialSettings,
        DevSettings,
        LlmSettings,
        LogSettings,
        MetricsSettings,
        ServerSettings,
        Settings,
        StoreSettings,
        TelemetrySettings,
    )
    from sentient_cli.config.snapshot import ConfigChange, Snapshot
    from sentient_cli.config.values import FlagValue, Source
    from sentient_cli.config.versions import Version

__all__ = [
    "ConfigChange",
    "ConfigurationManager",
    "CredentialSettings",
    "DevSettings",
    "FlagValue",
    "LlmSettings",
    "Loaded",
    "LogSettings",
    "MetricsSettings",
    "Secret",
    "ServerSettings",
    "Settings",
    "Snapshot",
    "Source",
    "StoreSettings",
    "TelemetrySettings",
    "Version",
    "export_environment",
    "load",
    "process_environment",
]

_HOMES = {
    "environ": ("export_environment", "process_environment"),
    "loading": ("Loaded", "load"),
    "manager": ("ConfigurationManager",),
    "secret": ("Secret",),
    "settings": (
        "CredentialSettings",
        "DevSettings",
        "LlmSettings",
        "LogSettings",
        "MetricsSettings",
        "ServerSettings",
        "Settings",
        "StoreSettings",
        "TelemetrySettings",
    ),
    "snapshot": ("ConfigChange", "Snapshot"),
    "values": ("FlagValue", "Source"),
    "versions": ("Version",),
}
_MODULES = {name: f"sentient_cli.config.{module}" for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    # The environment is needed by commands that need no settings, and settings import Pydantic.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_MODULES[name]), name)
    return value
