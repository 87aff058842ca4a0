"""Keys of model providers: whether they are there and look like keys. No value is ever shown."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from sentient_cli.credentials.catalogue import Catalogue
from sentient_cli.credentials.stores.keyring_choice import INSTEAD
from sentient_cli.errors import CredentialStoreError
from sentient_cli.sanitize import sanitize_line
from sentient_cli.scaffold.doctor.asking import ask
from sentient_cli.scaffold.doctor.finding import Finding, Surroundings

__all__ = ["check_keyring", "check_keys", "check_local"]

_MOST = 3

_KEY = re.compile(r"[A-Z][A-Z0-9_]*_API_KEY")
_PLACEHOLDER = re.compile(
    r"(?i)(<.*>|\.{3}|…|x{4,}|your[-_ ].*|change[-_ ]?me|todo|sk-(\.{3}|x+|your.*)|.*key[-_ ]?here)"
)
_ASK_KEYRING = """
import os
from sentient_cli.credentials.stores.keyring_choice import choose
from sentient_cli.errors import CredentialStoreError
try:
    print("ok", choose(os.environ).name)
except CredentialStoreError as error:
    print("none", error.why)
"""


def check_keys(here: Surroundings) -> Iterator[Finding]:
    """The variables that hold keys of providers."""
    merged = here.settings.environment if here.settings else here.environment
    file = here.settings.env_file if here.settings else None
    names = sorted(name for name in merged if _KEY.fullmatch(name))
    faults = [(name, fault) for name in names if (fault := _fault(merged[name]))]
    for name, fault in faults:
        yield Finding("keys", "warn", f"{name} {fault}", f"Correct it in {_place(name, here)}, or remove it")
    good = [name for name in names if name not in {bad for bad, _ in faults}]
    if good:
        in_file = file.name if file else ""
        places = (f"{name} ({'shell' if name in here.environment else in_file})" for name in good)
        yield Finding("keys", "ok", f"Set: {', '.join(places)}")
    elif not faults:
        yield Finding("keys", "ok", "None set; the offline model needs none")


def _place(name: str, here: Surroundings) -> str:
    file = here.settings.env_file if here.settings else None
    return str(file) if file and name not in here.environment else "your shell"


def _fault(value: str) -> str:
    if not value.strip():
        return "is empty"
    if value != value.strip() or "\n" in value:
        return "has white space around it"
    if value[0] in "\"'" or not value.isascii():
        return "has quotes or other characters that no key has"
    return "is a placeholder, not a key" if _PLACEHOLDER.fullmatch(value) else ""


def check_local(here: Surroundings) -> Iterator[Finding]:  # noqa: ARG001 - a check
    """Servers of models on this machine, on their usual ports."""
    import asyncio

    from sentient_cli.llm.compatible import local

    found = asyncio.run(local.find_local())
    for server in found:
        has = ", ".join(sanitize_line(f"{server.vendor}:{model}") for model in server.models[:_MOST]) or "no models"
        more = f" and {len(server.models) - _MOST} more" if len(server.models) > _MOST else ""
        yield Finding("local", "ok", f"{server.base_url} has {has}{more}")
    if not found:
        yield Finding("local", "skip", "No server of models listens on its usual port; the offline model needs none")


def check_keyring(here: Surroundings) -> Iterator[Finding]:
    """The system's store of secrets; without one it matters only to whom keeps keys there."""
    answer = ask([sys.executable, "-P", "-c", _ASK_KEYRING], where=here.start, environment=here.environment, seconds=10)
    status, _, said = sanitize_line(answer.out).strip().partition(" ")
    if status == "ok":
        yield Finding("keyring", "ok", said)
        return
    try:
        needed = any(card.store == "keyring" for card in Catalogue().cards())
    except CredentialStoreError:  # which is told by another check
        needed = False
    why = said if status else "it does not answer" if answer.late else "it cannot be loaded"
    yield Finding(
        "keyring",
        "fail" if needed else "skip",
        f"There is none that keeps a secret safely: {why}"
        if needed
        else "None that can be used, and none is needed: no key is kept in one",
        INSTEAD if needed else "",
    )
