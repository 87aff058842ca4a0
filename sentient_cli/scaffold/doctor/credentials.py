"""Stored keys: what has expired, what is to be rotated. Out of the catalogue alone; no store is asked."""

from __future__ import annotations

import time
from collections.abc import Iterator

from sentient_cli.credentials.catalogue import Catalogue
from sentient_cli.credentials.health import warnings_of
from sentient_cli.errors import CredentialStoreError
from sentient_cli.scaffold.doctor.finding import Finding, Surroundings

__all__ = ["check_credentials"]

_MOST = 10


def check_credentials(here: Surroundings) -> Iterator[Finding]:  # noqa: ARG001 - a check
    """What is due of the keys that `sentient keys` keeps."""
    try:
        cards = Catalogue().cards()
    except CredentialStoreError as error:
        yield Finding("stored", "fail", error.what, error.fix)
        return
    due = warnings_of(cards, now=time.time_ns())
    for warned in due[:_MOST]:
        yield Finding("stored", "fail" if warned.serious else "warn", warned.text, warned.fix)
    if len(due) > _MOST:
        yield Finding("stored", "warn", f"{len(due) - _MOST} more are due", "Run `sentient keys list`")
    if not cards:
        yield Finding("stored", "skip", "None; `sentient keys set NAME` keeps a key in a safe place")
    elif not due:
        count = f"{len(cards)} key{'' if len(cards) == 1 else 's'}"
        yield Finding("stored", "ok", f"{count}, and nothing is due")
