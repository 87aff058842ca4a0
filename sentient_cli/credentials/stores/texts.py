"""What local stores do with texts: what they take, and by what they tell one from another."""

from __future__ import annotations

import hashlib
from typing import Final

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.names import Address
from sentient_cli.errors import CredentialConflictError, CredentialStoreError

__all__ = ["LARGEST_TEXT", "checked", "conflict", "revision_of"]

LARGEST_TEXT: Final = 1024 * 1024
"""Bytes of one item: three values of the largest kind, however they are escaped."""


def checked(text: Secret, largest: int = LARGEST_TEXT) -> str:
    """The text, if a store takes it.

    Args:
        text: What is to be stored.
        largest: How many bytes it may have.

    Raises:
        CredentialStoreError: it is too long, or no Unicode text.
    """
    raw = text.reveal()
    try:
        size = len(raw.encode())
    except UnicodeEncodeError:
        raise CredentialStoreError("This cannot be stored", why="It is no Unicode text", fix="Give UTF-8") from None
    if size > largest:
        raise CredentialStoreError(
            "This is too large to be stored",
            why=f"It has {size:,} bytes, and {largest:,} are the most",
            fix="Check that it is the key and not a whole file",
        )
    return raw


def revision_of(text: str) -> str:
    """A revision that is the same for the same text. Not to be shown: who sees it could try out what a text may be."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def conflict(address: Address) -> CredentialConflictError:
    """Something else is held than was expected."""
    return CredentialConflictError(
        f"The credential {address} was changed by somebody else",
        why="It is not what it was when it was read",
        fix="Look at it with `sentient keys show`, and try again; nothing was changed",
    )
