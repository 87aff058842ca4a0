"""``sentient keys lock``."""

from __future__ import annotations

from typing import Annotated

import typer

from sentient_cli.cli.invocation import current

__all__ = ["keys_lock"]


def keys_lock(
    in_keyring: Annotated[
        bool, typer.Option("--in-keyring", help="Take it out of the keyring as well.", show_default=False)
    ] = False,
) -> None:
    """Forget the passphrase that `sentient keys unlock` keeps."""
    from sentient_cli.credentials.agent.client import forget

    here = current()
    count = forget()
    if in_keyring:
        from sentient_cli.cli.keys_unlock import encrypted_file_of
        from sentient_cli.credentials.stores.keyring_passphrase import in_keyring as kept

        count += kept(encrypted_file_of(here), here.environment).forget()
    if here.console.json:
        here.console.json_line({"forgotten": count})
    else:
        here.console.say("The passphrase is forgotten." if count else "No passphrase was kept.")
