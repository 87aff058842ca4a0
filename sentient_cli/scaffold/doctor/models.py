"""Keys of model providers: whether they are there and look like keys. No value is ever shown."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib import metadata

from sentient_cli.sanitize import sanitize_line
from sentient_cli.scaffold.doctor.asking import ask
from sentient_cli.scaffold.doctor.finding import Finding, Surroundings

__all__ = ["check_keyring", "check_keys", "check_local"]

_MOST = 3

_KEY = re.compile(r"[A-Z][A-Z0-9_]*_API_KEY")
_PLACEHOLDER = re.compile(
    r"(?i)(<.*>|\.{3}|…|x{4,}|your[-_ ].*|change[-_ ]?me|todo|sk-(\.{3}|x+|your.*)|.*key[-_ ]?here)"
)
_SAFE_KEYRINGS = {
    "keyring.backends.SecretService",
    "keyring.backends.libsecret",
    "keyring.backends.kwallet",
    "keyring.backends.macOS",
    "keyring.backends.Windows",
}
_ASK_KEYRING = """
import keyring
backend = keyring.get_keyring()
inner = getattr(backend, "backends", None)
print(*{type(each).__module__ for each in (inner if inner is not None else [backend])})
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
    """The system's store of secrets, where the package for it is installed."""
    try:
        version = metadata.version("keyring")
    except metadata.PackageNotFoundError:
        yield Finding("keyring", "skip", "Not installed, and not needed: keys come from the environment and .env")
        return
    command = [sys.executable, "-c", _ASK_KEYRING]
    answer = ask(command, where=here.start, environment=here.environment, seconds=10)
    backends = answer.out.split()
    unsafe = [name for name in backends if name not in _SAFE_KEYRINGS]
    if backends and not unsafe:
        yield Finding("keyring", "ok", f"{version}, {', '.join(name.rpartition('.')[2] for name in backends)}")
    else:
        names = ", ".join(unsafe) or "no back end"
        yield Finding(
            "keyring",
            "warn",
            f"{version} has {names}, which would not keep a secret safely",
            "Start a Secret Service such as GNOME Keyring, or keep keys in the environment",
        )
