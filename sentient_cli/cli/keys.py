"""``sentient keys``: the keys of providers, in profiles and stores. Each command is a module of its own."""

from __future__ import annotations

from sentient_cli.cli.commands import CommandRow

__all__ = ["COMMANDS", "keys"]

_HERE = "sentient_cli.cli.keys"

COMMANDS = (
    CommandRow("set", f"{_HERE}_set", "Store a key: typed at a hidden prompt, from stdin or a file."),
    CommandRow("list", f"{_HERE}_list", "List what is stored, and what is due."),
    CommandRow("show", f"{_HERE}_show", "Show one key, masked, and its versions."),
    CommandRow("use", f"{_HERE}_use", "Choose the profile, of this user or of a project."),
    CommandRow("which", f"{_HERE}_which", "Explain where a key comes from."),
    CommandRow("test", f"{_HERE}_test", "Try a key at its provider."),
    CommandRow("rotate", f"{_HERE}_rotate", "Put another key in the place of one, without a failed call."),
    CommandRow("allow", f"{_HERE}_allow", "Choose the hosts that a key may be sent to."),
    CommandRow("remove", f"{_HERE}_remove", "Remove a key from its store."),
    CommandRow("move", f"{_HERE}_move", "Move a key to another store."),
    CommandRow("unlock", f"{_HERE}_unlock", "Keep the passphrase of the encrypted file for a while."),
    CommandRow("lock", f"{_HERE}_lock", "Forget that passphrase."),
    CommandRow("export", f"{_HERE}_export", "Write keys to an encrypted file."),
    CommandRow("import", f"{_HERE}_import", "Store the keys of an encrypted file."),
    CommandRow("sync", f"{_HERE}_sync", "Copy keys from one profile to another."),
    CommandRow("exec", f"{_HERE}_exec", "Run a program with keys, masked in what it writes.", hands_on=True),
    CommandRow("audit", f"{_HERE}_audit", "Show who had what to do with keys."),
)


def keys() -> None:
    """Keep the keys of providers in a safe place, and know where each comes from.

    A key has a name, most often that of its provider, and belongs to a profile, such as production. Every access to
    one is in the audit log. No command takes a key as an argument.
    """
