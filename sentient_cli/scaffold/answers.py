"""The answers of the last time, as the defaults of the next."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Mapping
from typing import cast

from sentient_cli.paths import state_dir
from sentient_cli.runtime.events import JsonValue

__all__ = ["recall", "remember"]

_KEPT = ("author", "features", "license", "provider", "template")
_LARGEST = 1 << 16


def recall() -> dict[str, JsonValue]:
    """What was answered the last time; empty when nothing is known."""
    try:
        with (state_dir() / "create.json").open("rb") as file:
            loaded: object = json.loads(file.read(_LARGEST))
    except (OSError, ValueError):
        return {}
    if not isinstance(loaded, dict):
        return {}
    known = cast("dict[str, JsonValue]", loaded)
    return {name: known[name] for name in _KEPT if name in known}


def remember(answers: Mapping[str, JsonValue]) -> None:
    """Keep what the next project probably has in common with this one; that it cannot be kept is no failure."""
    kept = {**recall(), **{name: answers[name] for name in _KEPT if name in answers}}
    file = state_dir() / "create.json"
    beside = file.with_name(f"create.{secrets.token_hex(4)}.json")
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(kept, stream)
        beside.replace(file)
