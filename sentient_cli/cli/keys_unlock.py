"""``sentient keys unlock``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from sentient_cli.cli.invocation import current
from sentient_cli.cli.keys_options import PassphraseFileOption
from sentient_cli.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from sentient_cli.cli.invocation import Invocation
    from sentient_cli.config.secret import Secret

__all__ = ["encrypted_file_of", "keys_unlock"]

_USUAL: Final = "15m"
_LONGEST: Final = 24 * 3600


def keys_unlock(
    time: Annotated[
        str, typer.Option("--for", metavar="TIME", help="How long: 15m, 8h; 24h at most.", show_default=True)
    ] = _USUAL,
    passphrase_file: PassphraseFileOption = None,
    in_keyring: Annotated[
        bool, typer.Option("--in-keyring", help="Keep it in the keyring instead, for good.", show_default=False)
    ] = False,
) -> None:
    """Keep the passphrase of the encrypted file for a while, so that nobody is asked for it.

    A process of yours has it in its memory, and hands it to your processes on this machine alone, until the time is
    over or `sentient keys lock`. With --in-keyring it is put into the keyring of the operating system, for who has set
    `credentials.passphrase_keyring`.
    """
    from sentient_cli.cli.keys_times import SECOND, length, parse_length
    from sentient_cli.credentials.agent.client import keep

    if in_keyring:
        _keep_in_keyring(current(), passphrase_file)
        return
    if sys.platform == "win32":  # pragma: no cover - another operating system
        raise UsageError(
            "This command needs Unix",
            fix="Name a file with `sentient config set --user credentials.passphrase_file FILE`",
        )
    seconds = parse_length(time, "--for")
    if not 0 < seconds <= _LONGEST:
        raise UsageError(f"A passphrase is not kept for {time[:20]}", fix="Give --for 24h at most")
    here = current()
    file = encrypted_file_of(here)
    keep(file, _right_one(here, file, passphrase_file), seconds, here.environment)
    if here.console.json:
        here.console.json_line({"file": str(file), "seconds": seconds})
    else:
        here.console.say(f"The passphrase of {file} is kept for {length(seconds * SECOND)}.")


def _keep_in_keyring(here: Invocation, given: Path | None) -> None:
    from sentient_cli.credentials.stores.keyring_passphrase import in_keyring

    file = encrypted_file_of(here)
    in_keyring(file, here.environment).keep(_right_one(here, file, given))
    if here.console.json:
        here.console.json_line({"file": str(file), "keyring": True})
    else:
        here.console.say(f"The passphrase of {file} is in the keyring.")
    if not here.load(tell=False).settings.credentials.passphrase_keyring:
        here.console.say("To have it used, run `sentient config set --user credentials.passphrase_keyring true`.")


def encrypted_file_of(here: Invocation) -> Path:
    """The encrypted file, which has to be there.

    Raises:
        UsageError: it is not, or is not used.
    """
    from sentient_cli.credentials.opening import encrypted_file

    settings = here.load(tell=False).settings.credentials
    file = encrypted_file(settings)
    if "encrypted" not in settings.stores:
        raise UsageError(
            "No passphrase is needed", why=f"The stores are: {', '.join(settings.stores)}", fix="Go on without it"
        )
    if not file.exists():
        raise UsageError(
            f"There is no encrypted file yet: {file}", fix="Store a key first, with `sentient keys set NAME`"
        )
    return file


def _right_one(here: Invocation, file: Path, given: Path | None) -> Secret:
    """The passphrase, once it has opened the file."""
    from sentient_cli.cli.keys_door import ask_passphrase
    from sentient_cli.credentials.stores import passphrases
    from sentient_cli.credentials.stores.encrypted import EncryptedFileStore

    secret = passphrases.from_file(given)(False) if given is not None else ask_passphrase(here, new=False)
    store = EncryptedFileStore(file, passphrases.given(secret))
    try:
        store.check()
    finally:
        store.close()
    return secret
