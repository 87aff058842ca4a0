"""Structs about settings that may be printed, logged and put into a traceback: secrets in them are masked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import msgspec
from typing_extensions import override

__all__ = ["Veiled", "veil"]


def veil(value: object, name: str = "") -> object:
    """A value as a ``repr`` may show it. What veils itself, as settings do, stays as it is.

    Args:
        value: The value.
        name: What it is called, which may tell a secret.

    Example:
        >>> veil({"Authorization": "Bearer abc", "X-Team": "red"})
        {'Authorization': '[redacted]', 'X-Team': 'red'}
    """
    if isinstance(value, Mapping):
        return {key: veil(item, str(key)) for key, item in cast("Mapping[object, object]", value).items()}
    if isinstance(value, list | tuple):
        return [veil(item, name) for item in cast("list[object]", value)]
    if not isinstance(value, str | int | float):
        return value
    from sentient_cli.config.shown import shown  # noqa: PLC0415 - only who prints one needs it

    return shown(value, name)


class Veiled(msgspec.Struct, frozen=True):
    """A struct whose ``repr`` masks secrets."""

    def veiled(self) -> Mapping[str, object]:
        """What of it is shown, by the names of its fields."""
        return {field: veil(getattr(self, field)) for field in self.__struct_fields__}

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.veiled().items())})"

    @override
    def __rich_repr__(self) -> list[tuple[str, object]]:
        # Else Rich would print the fields as they are.
        return list(self.veiled().items())
