"""Text of the system, such as the names of files, in a locale that does not know its characters."""

from __future__ import annotations

import os

__all__ = ["native_name", "readable"]


def native_name(name: str) -> str:
    """A name from a settings file as Python has names from the system, so that the file is found.

    Where the locale knows no UTF-8, Python has a lone surrogate for each byte, and refuses the character itself.

    Example:
        >>> native_name("agent.py")
        'agent.py'
    """
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return os.fsdecode(name.encode("utf-8", "surrogateescape"))
    return name


def readable(text: str) -> str:
    r"""Text of the system as it is meant, where the locale did not know its characters.

    Example:
        >>> readable("gr\udcc3\udcb6\udcc3\udc9fe.py")
        'größe.py'
    """
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:  # lone surrogates of another origin
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
