"""``sentient keys test``."""

from __future__ import annotations

from sentient_cli.cli.invocation import current
from sentient_cli.cli.keys_options import KeyProfileOption, NameArgument
from sentient_cli.cli.options import EnvFileOption, NoEnvFileOption
from sentient_cli.errors import AuthenticationError

__all__ = ["keys_test"]


def keys_test(
    name: NameArgument,
    profile: KeyProfileOption = None,
    env_file: EnvFileOption = None,
    no_env_file: NoEnvFileOption = False,
) -> None:
    """Try a key at its provider, with one call that costs nothing or next to nothing.

    The key is looked up as for any call. Ends with 3 when the provider refuses it, with 4 when it cannot be reached.
    Where the provider tells whose key it is, that is shown.
    """
    from sentient_cli.cli.keys_check import check_key
    from sentient_cli.cli.keys_door import open_door

    here = current()
    with open_door(here, profile, env_file=env_file, no_env_file=no_env_file) as door:
        lease = door.manager.get(name, purpose="keys test")
        provider = door.require_provider(name, lease.provider)
        door.check_destination(lease, provider, purpose="keys test")
        try:
            taken = check_key(door.loaded, provider, lease.secret)
        except AuthenticationError as error:
            error.why = f"{error.why.rstrip('.')}{'. ' if error.why else ''}The key is that of {lease.source}"
            raise
        door.manager.note_verified(lease)
    if here.console.json:
        here.console.json_line(
            {
                "name": name,
                "profile": lease.address.profile,
                "provider": provider,
                "source": lease.source,
                "fingerprint": lease.fingerprint or None,
                "ok": True,
                "milliseconds": round(taken.seconds * 1e3, 1),
                "account": dict(taken.account),
            }
        )
    else:
        fingerprint = f", fingerprint {lease.fingerprint}" if lease.fingerprint else ""
        here.console.data(f"{provider} takes the key of {lease.source}{fingerprint}: {taken.text}")
