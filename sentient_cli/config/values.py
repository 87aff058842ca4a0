"""A value of a setting and where it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
from typing_extensions import override

__all__ = ["FlagValue", "Layer", "Source", "Value"]

Layer: TypeAlias = Literal["default", "user", "project", "profile", "environment", "flag"]
"""The layers in their order: a later one wins."""

FlagValue: TypeAlias = str | int | float | bool | Path | list[str] | tuple[str, ...] | None
"""What a flag of the command line gives; None means that it was not given."""


class Source(msgspec.Struct, frozen=True):
    """Where a value comes from.

    Args:
        layer: Which layer won.
        where: A file and line, a variable or a flag; empty for a default.

    Example:
        >>> str(Source("project", "sentient.toml:3")), str(Source("default"))
        ('sentient.toml:3', 'default')
    """

    layer: Layer
    where: str = ""

    @override
    def __str__(self) -> str:
        return self.where or self.layer


class Value(msgspec.Struct, frozen=True):
    """A value as it was found, before its type is checked.

    Args:
        raw: The value.
        source: Where it comes from.
        directory: What a relative path in it is relative to.
    """

    raw: object
    source: Source
    directory: Path
