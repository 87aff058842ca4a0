"""What a program imports from a package shows how it is used, in an example that is executed with the tests."""

from __future__ import annotations

import tomllib

import griffe
import pytest

from docs.tools.reference import load, names, public_modules
from tests.house.sources import depth
from tests.plugins.isolation import REPOSITORY

_LIST = REPOSITORY / "tests" / "house" / "examples.toml"
_MAX_DEPTH = 3
"""How many brackets of types may stand within each other in a public signature; `CONTRIBUTING.md` says so too."""


@pytest.fixture(scope="module")
def handed_out() -> dict[str, griffe.Class | griffe.Function]:
    """Every class and function that a package names in its ``__all__``, by where it is defined."""
    found: dict[str, griffe.Class | griffe.Function] = {}
    for module in public_modules(load()):
        for name in names(module) if module.is_init_module else ():
            member = module.members.get(name)
            target = member.final_target if isinstance(member, griffe.Alias) else member
            if isinstance(target, griffe.Class | griffe.Function):
                found[target.path] = target
    return found


def _text(thing: griffe.Class | griffe.Function) -> str:
    return thing.docstring.value if thing.docstring is not None else ""


def test_every_public_name_has_an_executed_example(handed_out: dict[str, griffe.Class | griffe.Function]) -> None:
    listed: dict[str, dict[str, str]] = tomllib.loads(_LIST.read_text("utf-8"))
    modules, single = listed["modules"], listed["names"]
    assert all(reason.strip() for reason in (*modules.values(), *single.values()))
    without = {path for path, thing in handed_out.items() if ">>> " not in _text(thing)}
    family = {path for path in without if path.rpartition(".")[0] in modules}
    assert without - family - set(single) == set(), "no example, and not listed in tests/house/examples.toml"
    assert set(single) - without == set(), "listed, but not needed any more"
    assert {path.rpartition(".")[0] for path in family} == set(modules), "listed, but not needed any more"


def test_no_example_is_skipped(handed_out: dict[str, griffe.Class | griffe.Function]) -> None:
    assert [path for path, thing in handed_out.items() if "doctest: +SKIP" in _text(thing)] == []


def _signatures(thing: griffe.Object) -> list[tuple[str, str | griffe.Expr | None]]:
    match thing:
        case griffe.Function():
            types = [(f"{thing.path}({each.name})", each.annotation) for each in thing.parameters]
            return [*types, (f"{thing.path} ->", thing.returns)]
        case griffe.Attribute():
            return [(thing.path, thing.annotation)]
        case griffe.Class():
            own = [member for member in thing.members.values() if not member.is_alias]
            shown = [member for member in own if not member.name.startswith("_") or member.name == "__init__"]
            return [line for member in shown if isinstance(member, griffe.Object) for line in _signatures(member)]
        case _:
            return []


def test_no_public_signature_is_nested_deeply(handed_out: dict[str, griffe.Class | griffe.Function]) -> None:
    signatures = [line for thing in handed_out.values() for line in _signatures(thing)]
    assert len(signatures) > 200
    assert {place: str(types) for place, types in signatures if depth(str(types)) > _MAX_DEPTH} == {}
