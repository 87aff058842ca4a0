"""The names that everyone chooses, such as those of providers: which are allowed."""

from __future__ import annotations

import re
from typing import Final

from sentient_cli.errors import ConfigError

__all__ = ["ENTRY", "bad_entry"]

ENTRY: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
"""Such a name; a dot in it could not be told from one between two names."""


def bad_entry(where: str, name: str) -> ConfigError:
    """The error for a name that is not allowed.

    Args:
        where: Where it stands.
        name: The dotted name that ends with it.

    Example:
        >>> bad_entry("sentient.toml:3:1", "llm.providers.a b").what
        'The name in `llm.providers.a b` is not allowed'
    """
    return ConfigError(
        f"The name in `{name[:160]}` is not allowed",
        why=f"It stands in {where}",
        fix="Use at most 80 letters, digits, `-`, `_`",
        where=where,
    )
