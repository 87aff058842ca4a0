"""Where the passphrase of an encrypted file comes from: whoever is asked, a file, or a variable."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.stores.places import read_own
from sentient_cli.errors import CredentialStoreError
from sentient_cli.redact import redactor

__all__ = ["SHORTEST", "PassphraseSource", "from_file", "from_variable", "given", "material_of"]

PassphraseSource: TypeAlias = Callable[[bool], Secret]
"""Gives the passphrase. It is told whether it is a new one, which a person is asked for twice."""

SHORTEST: Final = 8
"""Characters of a new passphrase. It is all that guards a file that was copied: several words are better."""
_LARGEST: Final = 4096


def given(passphrase: Secret) -> PassphraseSource:
    """A passphrase that is known.

    Example:
        >>> given(Secret("correct horse battery"))(False)
        Secret('**********')
    """
    return lambda _new: passphrase


def from_file(path: Path) -> PassphraseSource:
    """The text of a file without the line break at its end. It must be readable by its owner alone.

    Args:
        path: The file; read each time that it is needed.
    """

    def read(_new: bool) -> Secret:
        data = read_own(path, _LARGEST)
        if data is None:
            raise _missing(f"There is no file {path}", "Make it with `umask 077`, with the passphrase in it")
        try:
            text = data.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise _missing(f"{path} is no text", "Write the passphrase into it as UTF-8") from None
        redactor.register(text)
        return Secret(text)

    return read


def from_variable(name: str, environment: Mapping[str, str], *, elsewhere: bool = False) -> PassphraseSource:
    """The value of an environment variable.

    Args:
        name: The variable.
        environment: The variables of the shell.
        elsewhere: Whether the ``.env`` of a project has one of this name, which does not count: it may be known to
            whoever wrote the project.

    Example:
        >>> from_variable("SECRET_WORDS", {"SECRET_WORDS": "correct horse battery"})(False).reveal()
        'correct horse battery'
    """

    def read(_new: bool) -> Secret:
        value = environment.get(name, "")
        if not value:
            where = " in the shell; what the `.env` of a project says does not count" if elsewhere else ""
            raise _missing(
                f"The variable {name} is not set{where}", f"Set {name} to the passphrase of the encrypted file"
            )
        return Secret(value)

    return read


def _missing(why: str, fix: str) -> CredentialStoreError:
    return CredentialStoreError("There is no passphrase for the encrypted file", why=why, fix=fix)


def material_of(passphrase: Secret, *, new: bool) -> bytes:
    """What a key is made of: the same bytes however a keyboard composes its characters.

    Raises:
        CredentialStoreError: it is empty, or too short for a new one.
    """
    text = unicodedata.normalize("NFC", passphrase.reveal())
    if new and len(text) < SHORTEST:
        raise CredentialStoreError(
            "This passphrase is too short",
            why=f"A new one has at least {SHORTEST} characters",
            fix="Take several words that nobody would guess",
        )
    if not text:
        raise CredentialStoreError("The passphrase is empty", fix="Give the passphrase of the encrypted file")
    return text.encode("utf-8", "surrogatepass")
