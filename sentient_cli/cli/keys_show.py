"""``sentient keys show``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sentient_cli.cli.invocation import current
from sentient_cli.cli.keys_options import KeyProfileOption, KeyStoreOption, NameArgument

if TYPE_CHECKING:
    from sentient_cli.cli.console import Console
    from sentient_cli.credentials.explained import Shown, ShownVersion

__all__ = ["keys_show"]

_COLUMNS = ("state", "key", "characters", "fingerprint", "age", "verified", "ends")


def keys_show(name: NameArgument, profile: KeyProfileOption = None, store: KeyStoreOption = None) -> None:
    """Show one key, masked, and the versions that its store holds.

    Of a long key the first 3 and the last 4 characters are shown, of a short one none. While a key is rotated there
    are two versions: the `next` one and the `current` one, and afterwards the `previous` one until its grace is over.
    """
    import time

    from sentient_cli.cli.keys_door import open_door

    here = current()
    with open_door(here, profile) as door:
        shown = door.manager.show(name, store=store)
    now = time.time_ns()
    if here.console.json:
        here.console.json_line(_fields(shown))
    else:
        _tell(here.console, shown, now)


def _tell(console: Console, shown: Shown, now: int) -> None:
    from sentient_cli.cli.keys_table import columns
    from sentient_cli.cli.keys_times import SECOND, length

    every = f", to be rotated every {length(shown.rotate_every * SECOND)}" if shown.rotate_every else ""
    whose = f" for {shown.provider}" if shown.provider else ""
    console.data(f"{shown.address}{whose}, in {shown.store}{every}")
    if shown.hosts:
        console.data(f"sent to {', '.join(shown.hosts)} alone")
    console.data("")
    rows = [_cells(version, now) for version in shown.versions]
    for line in columns(_COLUMNS, rows, console.width(), ("characters", "verified", "age", "fingerprint")):
        console.data(line)


def _cells(version: ShownVersion, now: int) -> dict[str, str]:
    from sentient_cli.cli.keys_times import ago, until

    ends = min((at for at in (version.retire_at, version.expires_at) if at), default=0)
    return {
        "state": version.state,
        "key": version.masked,
        "characters": str(version.length),
        "fingerprint": version.fingerprint or "-",
        "age": ago(version.created_at, now),
        "verified": ago(version.verified_at, now),
        "ends": "-" if not ends else f"in {until(ends, now)}" if ends > now else "is over",
    }


def _fields(shown: Shown) -> dict[str, object]:
    from sentient_cli.cli.keys_times import moment

    versions = [
        {
            "id": version.id or None,
            "state": version.state,
            "masked": version.masked,
            "characters": version.length,
            "fingerprint": version.fingerprint or None,
            "created": moment(version.created_at),
            "verified": moment(version.verified_at),
            "expires": moment(version.expires_at),
            "retires": moment(version.retire_at),
        }
        for version in shown.versions
    ]
    return {
        "name": shown.address.name,
        "profile": shown.address.profile,
        "provider": shown.provider or None,
        "store": shown.store,
        "rotate_every": shown.rotate_every or None,
        "hosts": list(shown.hosts),
        "versions": versions,
    }
