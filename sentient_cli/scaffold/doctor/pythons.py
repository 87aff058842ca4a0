"""The Python that runs this, and the environment it runs in."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from sentient_cli.scaffold.doctor.finding import Finding, Surroundings

__all__ = ["DISTRIBUTION", "check_environment", "check_python"]

DISTRIBUTION = "sentient-agent-cli"


def check_python(_here: Surroundings) -> Iterator[Finding]:
    """Its version is one that we support."""
    version = platform.python_version()
    shown = f"{platform.python_implementation()} {version}, {sys.executable}"
    if not _supported(version):
        yield Finding("python", "fail", f"{shown} is too old", f"Install Python {_wanted()}")
    elif sys.version_info.releaselevel != "final":
        yield Finding("python", "warn", f"{shown} is a pre-release", "Use a released Python")
    else:
        yield Finding("python", "ok", shown)


def _wanted() -> str:
    try:
        return metadata.metadata(DISTRIBUTION)["Requires-Python"]
    except (metadata.PackageNotFoundError, KeyError):
        return ">=3.11"


def _supported(version: str) -> bool:
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(_wanted()).contains(version, prereleases=True)


def check_environment(here: Surroundings) -> Iterator[Finding]:
    """It runs in the environment that the user thinks it does."""
    active, own = here.environment.get("VIRTUAL_ENV", ""), here.project / ".venv"
    if active and not _is_here(Path(active)):
        yield Finding(
            "environment",
            "warn",
            f"The active environment is {active}, but this program is installed in {sys.prefix}",
            f"Install it there: `pip install {DISTRIBUTION}`",
        )
    elif (own / "pyvenv.cfg").is_file() and not _is_here(own):
        command = "uv run sentient" if (here.project / "uv.lock").is_file() else f"{own / 'bin' / 'sentient'}"
        yield Finding(
            "environment",
            "warn",
            f"The project has an environment of its own, {own}, but this program runs in {sys.prefix}",
            f"Run `{command}`",
        )
    elif sys.prefix == sys.base_prefix:
        yield Finding("environment", "ok", f"None; packages are those of {sys.prefix}")
    else:
        yield Finding("environment", "ok", sys.prefix)


def _is_here(folder: Path) -> bool:
    try:
        return folder.samefile(sys.prefix)
    except OSError:
        return False
