"""``sentient keys lock``."""

from __future__ import annotations

from sentient_cli.cli.invocation import current

__all__ = ["keys_lock"]


def keys_lock() -> None:
    """Forget the passphrase that `sentient keys unlock` keeps."""
    from sentient_cli.credentials.agent.client import forget

    here = current()
    count = forget()
    if here.console.json:
        here.console.json_line({"forgotten": count})
    else:
        here.console.say("The passphrase is forgotten." if count else "No passphrase was kept.")
