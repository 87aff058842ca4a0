"""What a project needs, as its ``pyproject.toml`` says, and whether it is here already."""

from __future__ import annotations

import importlib.metadata
import platform
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

__all__ = ["checkout", "is_installable", "missing_here", "python_that_is_missing", "requirements"]

_PACKAGE = Path(__file__).resolve().parents[1]


def checkout() -> Path | None:
    """The source checkout that this package runs from; None when it was installed."""
    file = _PACKAGE.parent / "pyproject.toml"
    table = _table(file, "project")
    return _PACKAGE.parent if table.get("name") == "sentient-agent-cli" else None


def is_installable(project: Path) -> bool:
    """Whether the project can be installed: it says what it is."""
    return bool(_table(project / "pyproject.toml", "project"))


def requirements(project: Path, *groups: str) -> tuple[str, ...]:
    """What the project needs, and what the named dependency groups add (PEP 735).

    Args:
        project: Its directory.
        groups: Groups that are looked for; one that does not exist adds nothing.
    """
    file = project / "pyproject.toml"
    own = _texts(_table(file, "project").get("dependencies"))
    defined = _table(file, "dependency-groups")
    return (*own, *(one for group in groups for one in _group(defined, group, ())))


def _group(defined: Mapping[str, object], name: str, above: tuple[str, ...]) -> list[str]:
    if name in above:
        return []
    listed = defined.get(name)
    found: list[str] = []
    for one in cast("Sequence[object]", listed) if isinstance(listed, list) else ():
        if isinstance(one, str):
            found.append(one)
        elif isinstance(one, dict):
            included = cast("Mapping[str, object]", one).get("include-group")
            found += _group(defined, str(included), (*above, name))
    return found


def python_that_is_missing(project: Path) -> str:
    """Which Python the project needs, when it is not this one; else empty."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    wanted = _table(project / "pyproject.toml", "project").get("requires-python")
    try:
        fits = not isinstance(wanted, str) or SpecifierSet(wanted).contains(platform.python_version(), prereleases=True)
    except InvalidSpecifier:
        return ""  # the installer says what is wrong with it
    return "" if fits else str(wanted)


def missing_here(needed: Sequence[str]) -> list[str]:
    """Those of some requirements that the packages of this process do not meet."""
    from packaging.requirements import InvalidRequirement, Requirement

    missing: list[str] = []
    for text in needed:
        try:
            requirement = Requirement(text)
            if requirement.marker is not None and not requirement.marker.evaluate():
                continue
            version = importlib.metadata.version(requirement.name)
        except (InvalidRequirement, importlib.metadata.PackageNotFoundError):
            missing.append(text)
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            missing.append(text)
    return missing


def _table(file: Path, name: str) -> Mapping[str, object]:
    try:
        loaded = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    table = loaded.get(name)
    return cast("Mapping[str, object]", table) if isinstance(table, dict) else {}


def _texts(listed: object) -> list[str]:
    return [str(one) for one in cast("Sequence[object]", listed)] if isinstance(listed, list) else []
