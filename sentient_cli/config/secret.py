"""A value that does not show itself."""

from __future__ import annotations

import hmac

from typing_extensions import override

__all__ = ["Secret"]


class Secret:
    """Text that ``repr``, ``str`` and formatting hide, and that no pickle or copy of settings prints by accident.

    Args:
        value: The secret; may itself be a `Secret`.

    Example:
        >>> token = Secret("open sesame")
        >>> token, f"{token}", token.reveal()
        (Secret('**********'), '**********', 'open sesame')
    """

    __slots__ = ("__value",)

    def __init__(self, value: str | Secret) -> None:
        self.__value: str = value.reveal() if isinstance(value, Secret) else value

    def reveal(self) -> str:
        """The secret itself."""
        return self.__value

    def matches(self, text: str) -> bool:
        """Whether ``text`` is the secret, in a time that does not tell how much of it is right."""
        return hmac.compare_digest(self.__value.encode(errors="surrogateescape"), text.encode(errors="surrogateescape"))

    @override
    def __repr__(self) -> str:
        return "Secret('**********')"

    @override
    def __str__(self) -> str:
        return "**********"

    def __bool__(self) -> bool:
        return bool(self.__value)

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.matches(other.reveal())

    @override
    def __hash__(self) -> int:
        return hash(self.__value)
