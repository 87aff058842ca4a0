"""What profiles and credentials may be called, and the address that the two make."""

from __future__ import annotations

import re
from typing import NamedTuple

from sentient_cli.errors import UsageError

__all__ = ["Address", "check_name", "check_profile", "is_name"]

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?", re.ASCII)
"""What every store can keep as it is: also as a part of a path, a label, and the name of a secret in a cloud."""


class Address(NamedTuple):
    """Where a credential is to be found in any store.

    Args:
        profile: The profile that it belongs to.
        name: Its name in it, most often that of a provider.

    Example:
        >>> str(Address("production", "openai"))
        'production/openai'
    """

    profile: str
    name: str

    def __str__(self) -> str:
        return f"{self.profile}/{self.name}"


def is_name(text: str) -> bool:
    """Whether a profile or a credential may be called so.

    Example:
        >>> is_name("openai"), is_name("Open AI")
        (True, False)
    """
    return _NAME.fullmatch(text) is not None


def check_profile(text: str) -> str:
    """The text, when a profile may be called so.

    Raises:
        UsageError: it may not.
    """
    return _checked(text, "profile")


def check_name(text: str) -> str:
    """The text, when a credential may be called so.

    Raises:
        UsageError: it may not.

    Example:
        >>> check_name("openai"), check_name("openai.eu-west")
        ('openai', 'openai.eu-west')
    """
    return _checked(text, "credential")


def _checked(text: str, what: str) -> str:
    if is_name(text):
        return text
    raise UsageError(
        f"A {what} cannot be called {text[:80]!r}",
        why="A name has 1 to 64 characters: small letters, digits, and between them also dots, dashes and underscores",
    )
