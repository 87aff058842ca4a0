"""What may be the value of a credential, whoever typed or pasted it."""

from __future__ import annotations

from typing import Final

from sentient_cli.config.secret import Secret
from sentient_cli.errors import UsageError

__all__ = ["LONGEST_VALUE", "check_value"]

LONGEST_VALUE: Final = 64 * 1024
"""Bytes of UTF-8."""


def check_value(value: Secret, *, raw: bool = False) -> tuple[Secret, str]:
    r"""The value to keep, and what is to be said of it: white space at its ends is left out.

    Args:
        value: What was given.
        raw: Whether it is kept as it is, line breaks and white space too, as the key of a certificate needs.

    Raises:
        UsageError: it is empty, too long, or has line breaks or characters in it that no key has.

    Example:
        >>> kept, said = check_value(Secret(" sk-1\n"))
        >>> kept.reveal(), said
        ('sk-1', 'White space at its ends was left out')
    """
    text = value.reveal()
    kept = text if raw else text.strip()
    try:
        size = len(kept.encode())
    except UnicodeEncodeError:
        raise _refused("it is no Unicode text", "Give the value as UTF-8") from None
    if not kept.strip():
        raise _refused("it is empty", "Give the key itself")
    if size > LONGEST_VALUE:
        raise _refused(
            f"it has {size:,} bytes, and {LONGEST_VALUE:,} are the most",
            "Check that it is the key and not a whole file",
        )
    if "\0" in kept or not (raw or kept.isprintable()):
        raise _refused(
            "it has a line break or a control character in it",
            "Give the key alone; one that has several lines is taken with `--raw`",
        )
    return Secret(kept), "" if kept == text else "White space at its ends was left out"


def _refused(why: str, fix: str) -> UsageError:
    return UsageError("This value cannot be stored", why=f"{why[0].upper()}{why[1:]}", fix=fix)
