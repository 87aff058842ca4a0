"""Write the software bill of materials: what an installation of the locked versions consists of, as CycloneDX JSON.

It is made from the lock and from what the installed packages say of themselves. The same lock gives the same bytes: no
time, no machine, no address of an index.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple, TypeAlias
from uuid import NAMESPACE_URL, uuid5

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sentient_cli import __version__

_Node: TypeAlias = Mapping[str, object]

_ROOT = Path(__file__).resolve().parents[2]
_LOCK = _ROOT / ".ci" / "lock" / "runtime.txt"
_OUT = _ROOT / ".cache" / "sbom" / "sentient-agent-cli.cdx.json"
_NAME = "sentient-agent-cli"
_PIN = re.compile(r"^([a-z0-9-]+)==(\S+)(?: ; (.*?))?(?: \\)?$")
SPECIFICATION = "1.6"
"""The version of CycloneDX."""


class Pin(NamedTuple):
    """One package of the lock."""

    name: str
    version: str
    marker: str
    digests: list[str]


def pins(lock: str) -> list[Pin]:
    """The packages of a lock.

    >>> pins("a==1.0 ; sys_platform == 'win32' \\\\\\n    --hash=sha256:0a \\\\\\n    --hash=sha256:0b\\n")
    [Pin(name='a', version='1.0', marker="sys_platform == 'win32'", digests=['0a', '0b'])]
    """
    found: list[Pin] = []
    for line in lock.splitlines():
        if pin := _PIN.match(line):
            found.append(Pin(pin[1], pin[2], pin[3] or "", []))
        elif digest := re.search(r"--hash=sha256:([0-9a-f]+)", line):
            found[-1].digests.append(digest[1])
    return found


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None  # the lock holds packages of other platforms too


def _needs(name: str, locked: set[str]) -> Iterator[str]:
    package = _installed(name)
    for line in (package.requires if package else None) or ():
        requirement = Requirement(line)
        needed = canonicalize_name(requirement.name)
        if needed in locked and "extra" not in str(requirement.marker or ""):
            yield needed


def _purl(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{version}"


def _licences(name: str) -> list[_Node]:
    package = _installed(name)
    if package is None:
        return []
    said = {name: package.metadata[name] for name in ("License-Expression", "License") if name in package.metadata}
    if "License-Expression" in said:
        return [{"expression": said["License-Expression"]}]
    named = said.get("License", "").strip()
    return [{"license": {"name": named}}] if named and "\n" not in named else []


def _component(pin: Pin, kind: str = "library") -> _Node:
    purl = _purl(pin.name, pin.version)
    parts: dict[str, list[_Node]] = {
        "hashes": [{"alg": "SHA-256", "content": digest} for digest in pin.digests],
        "licenses": _licences(pin.name),
        "properties": [{"name": "sentient:marker", "value": pin.marker}] if pin.marker else [],
    }
    filled = {name: part for name, part in parts.items() if part}
    return {"type": kind, "bom-ref": purl, "name": pin.name, "version": pin.version, "purl": purl, **filled}


def bill(lock: str) -> str:
    """The bill of materials of a lock, as JSON."""
    packages = pins(lock)
    root = Pin(_NAME, __version__, "", [])
    purls = {pin.name: _purl(pin.name, pin.version) for pin in (root, *packages)}
    needs = {pin.name: sorted(set(_needs(pin.name, set(purls)))) for pin in (root, *packages)}
    document: _Node = {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPECIFICATION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, purls[_NAME] + lock)}",
        "version": 1,
        "metadata": {"component": _component(root, "application")},
        "components": [_component(pin) for pin in packages],
        "dependencies": [
            {"ref": purls[name], "dependsOn": [purls[needed] for needed in needed_ones]}
            for name, needed_ones in needs.items()
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def main(arguments: list[str]) -> int:
    """Write the bill to the given file, or to ``.cache/sbom``, and say where."""
    out = Path(arguments[0]) if arguments else _OUT
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(bill(_LOCK.read_text("utf-8")), "utf-8")
    print(f"bill of materials: {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
