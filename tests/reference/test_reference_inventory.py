"""Nothing of the reference is missing: the public names of each module, and the public members of each class."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugins.isolation import REPOSITORY

_LEFT_OUT = {
    "AtomicCapabilitySpec",  # used by nothing
    "StreamCapabilitySpec",  # used by nothing
    "assist_endpoint",  # the route, for its web framework
    "stamp_and_validate_root_request_id",  # a validator, for its models
}
"""`docs/compat.md` says so."""
_LIST = """
import importlib, inspect, json, pkgutil, sys
root = importlib.import_module("sentient_agent_framework")
found = {}
for info in [None, *pkgutil.walk_packages(root.__path__, root.__name__ + ".")]:
    module = importlib.import_module(info.name) if info else root
    for name, value in vars(module).items():
        made_here = getattr(value, "__module__", "") == module.__name__ or info is None
        if name.startswith("_") or "[" in name or not made_here or not callable(value):
            continue
        members = []
        if inspect.isclass(value):
            members = [member for member in vars(value) if not member.startswith("_")]
            members += list(getattr(value, "model_fields", {}))
        found.setdefault(module.__name__, {})[name] = sorted(set(members) - {"model_config", "model_post_init"})
json.dump(found, sys.stdout)
"""
_LOOK = """
import importlib, json, sys
from sentient_cli.compat import installed
missing = []
with installed():
    for place, names in json.load(sys.stdin).items():
        try:
            module = importlib.import_module(place)
        except ImportError:
            missing.append(place)
            continue
        for name, members in names.items():
            value = getattr(module, name, None)
            if value is None:
                missing.append(f"{place}.{name}")
                continue
            there = {name for kind in getattr(value, "__mro__", ()) for name in vars(kind)}
            there |= {*dir(value), *getattr(value, "model_fields", {}), *getattr(value, "__annotations__", {})}
            missing += [f"{place}.{name}.{member}" for member in members if member not in there]
json.dump(missing, sys.stdout)
"""


def _run(python: Path, code: str, given: str = "") -> str:
    done = subprocess.run(
        [str(python), "-c", code], cwd=REPOSITORY, input=given, capture_output=True, text=True, check=False, timeout=150
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_every_public_name_of_the_reference_is_there(reference_python: Path) -> None:
    listed = _run(reference_python, _LIST)
    inventory: dict[str, dict[str, list[str]]] = json.loads(listed)
    assert len({name for names in inventory.values() for name in names}) > 30
    missing: list[str] = json.loads(_run(Path(sys.executable), _LOOK, listed))
    assert [name for name in missing if not _LEFT_OUT & set(name.split("."))] == []
