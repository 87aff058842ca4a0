"""``sentient keys remove``."""

from __future__ import annotations

from sentient_cli.cli.invocation import current
from sentient_cli.cli.keys_options import KeyProfileOption, KeyStoreOption, NameArgument, YesOption

__all__ = ["keys_remove"]


def keys_remove(
    name: NameArgument, profile: KeyProfileOption = None, store: KeyStoreOption = None, yes: YesOption = False
) -> None:
    """Remove a key, with all its versions, from its store.

    At its provider it stays good until it is revoked there.
    """
    from sentient_cli.cli.keys_ask import require_yes
    from sentient_cli.cli.keys_door import open_door

    here = current()
    with open_door(here, profile) as door:
        held = door.manager.show(name, store=store)
        if not yes:
            require_yes(
                here,
                f"Remove {held.address} from {held.store}?",
                missing=f"Nobody can be asked whether {held.address} is to be removed from {held.store}",
            )
        gone = door.manager.delete(name, store=held.store)
    if here.console.json:
        here.console.json_line({"name": held.address.name, "profile": held.address.profile, "store": gone})
    else:
        here.console.say(f"Removed {held.address} from {gone}. At the provider it is good until you revoke it there.")
