"""Where secrets are that nobody asked for yet: read when the first text is redacted, so that a start stays quick."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

__all__ = ["SecretSource", "register_later", "waiting"]

SecretSource: TypeAlias = Callable[[], Mapping[str, str]]
"""Gives variables. It must not fail."""

waiting: list[SecretSource] = []
"""What was registered and is not read yet."""


def register_later(source: SecretSource) -> None:
    """Have the redactor of the process know the secret variables of a source before it redacts anything more.

    Args:
        source: Asked once, when the next text is redacted.

    Example:
        >>> from sentient_cli.redact import redactor
        >>> register_later(lambda: {"EXAMPLE_PASSWORD": "correct horse battery"})
        >>> redactor.redact("It is: correct horse battery")
        'It is: [redacted]'
    """
    waiting.append(source)
