"""What we need is installed, in a version that we can use, and whole."""

from __future__ import annotations

import importlib.util
import itertools
import os
from collections.abc import Iterator
from importlib import metadata

from sentient_cli.scaffold.doctor.finding import Finding, Surroundings
from sentient_cli.scaffold.doctor.pythons import DISTRIBUTION

__all__ = ["check_dependencies"]

_SHOWN = 5
_OF_AN_EXTRA = "extra == "


def check_dependencies(_here: Surroundings) -> Iterator[Finding]:
    """Every package that ours needs, and those that they need."""
    try:
        metadata.distribution(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        yield Finding("dependencies", "warn", f"{DISTRIBUTION} is not installed: it runs from its source", _again())
        return
    seen: set[str] = set()
    faults = list(dict.fromkeys(_faults(DISTRIBUTION, frozenset(), seen)))
    if not faults:
        yield Finding("dependencies", "ok", f"{len(seen) - 1} packages, all there and whole")
        return
    more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    yield Finding("dependencies", "fail", "; ".join(faults[:_SHOWN]) + more, _again())


def _again() -> str:
    pip = "pip install" if importlib.util.find_spec("pip") else "uv pip install"
    return f"Install it again: `{pip} --force-reinstall {DISTRIBUTION}`"


def _faults(name: str, extras: frozenset[str], seen: set[str]) -> Iterator[str]:
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    seen.add(str(canonicalize_name(name)))
    found = metadata.distribution(name)
    for text in _headers(found, "Requires-Dist"):
        if not extras and _OF_AN_EXTRA in text and " or " not in text:
            continue  # most are such, and understanding one takes long
        try:
            needed = Requirement(text)
        except InvalidRequirement:
            yield f"{name} needs {text!r}, which is not understood"
            continue
        if not _applies(str(needed.marker or ""), extras):
            continue
        known = str(canonicalize_name(needed.name)) in seen
        fault = _fault(needed.name, str(needed.specifier), name, known=known)
        if fault:
            yield fault
        elif not known:
            yield from _faults(needed.name, frozenset(needed.extras), seen)


def _applies(marker: str, extras: frozenset[str]) -> bool:
    from packaging.markers import Marker

    return not marker or any(Marker(marker).evaluate({"extra": extra}) for extra in extras | {""})


def _fault(name: str, wanted: str, by: str, *, known: bool) -> str:
    from packaging.specifiers import SpecifierSet

    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return f"{name} is missing, which {by} needs"
    version = next(iter(_headers(found, "Version")), "")
    if not version:
        return f"{name} is half installed: its metadata has no version"
    if not SpecifierSet(wanted).contains(version, prereleases=True):
        return f"{name} is {version}, and {by} needs {wanted}"
    lost = "" if known else _lost_file(found)
    return f"{name} is half installed: {lost} is gone" if lost else ""


def _headers(found: metadata.Distribution, name: str) -> list[str]:
    """The values of a header; reading them as a mail, as Python does, takes ten times as long."""
    lines = itertools.takewhile(bool, (found.read_text("METADATA") or "").splitlines())
    return [line.partition(": ")[2].strip() for line in lines if line.startswith(f"{name}: ")]


def _lost_file(found: metadata.Distribution) -> str:
    """The first file of a package that should be there and is not."""
    lines = (found.read_text("RECORD") or "").splitlines()
    names = (line.partition(",")[0] for line in lines)  # a name with a comma is in quotes, and passed over
    code = (name for name in names if name.endswith((".py", ".so", ".pyd")) and not name.startswith((".", "/")))
    top = os.fspath(str(found.locate_file("")))
    there: dict[str, frozenset[str]] = {}
    for name in code:  # of thousands: a directory is listed once, where asking for each file takes ten times as long
        folder, _, file = name.rpartition("/")
        if folder not in there:
            there[folder] = _listed(os.path.join(top, folder))  # noqa: PTH118 - a Path a file is what takes long
        if file not in there[folder]:
            return name
    return ""


def _listed(folder: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))  # noqa: PTH208 - names
    except OSError:
        return frozenset()
