"""A value that does not show itself."""

from __future__ import annotations

import hmac
from typing import NoReturn, Self

from typing_extensions import override

__all__ = ["Secret"]


class Secret:
    """Text that ``repr``, ``str`` and formatting hide, and that does not leave the process by accident.

    Whoever writes values down shows the mask or refuses: JSON and msgspec know no such type, pickle gets a `TypeError`.
    A copy is the secret itself, which does not change.

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
        # A lone surrogate must not raise: that error would have the whole text in it.
        return hmac.compare_digest(self.__value.encode("utf-8", "surrogatepass"), text.encode("utf-8", "surrogatepass"))

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

    @override
    def __dir__(self) -> list[str]:
        # Without the slot: whoever prints all that an object has, as inspectors do, would print it.
        return [name for name in super().__dir__() if name != "_Secret__value"]

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    @override
    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not pickled: whoever needs it gets it another way")

    @override
    def __getstate__(self) -> NoReturn:
        raise TypeError("a secret has no state to write down")
