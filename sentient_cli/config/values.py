"""A value of a setting and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import msgspec
from typing_extensions import override

from sentient_cli.config.veiled import Veiled

__all__ = ["LAYERS", "FlagValue", "Layer", "Source", "Value", "text_value"]

Layer: TypeAlias = Literal[
    "default", "preset", "user", "project", "profile", "environment", "experiment", "session", "flag"
]
"""The layers in their order: a later one wins."""
LAYERS: tuple[Layer, ...] = get_args(Layer)

FlagValue: TypeAlias = str | int | float | bool | Path | list[str] | tuple[str, ...] | None
"""What a flag of the command line gives; None means that it was not given."""


class Source(msgspec.Struct, frozen=True):
    """Where a value comes from.

    Args:
        layer: Which layer won.
        where: A file with line and column, a variable or a flag; empty for a default.

    Example:
        >>> str(Source("project", "sentient.toml:3:1")), str(Source("default"))
        ('sentient.toml:3:1', 'default')
    """

    layer: Layer
    where: str = ""

    @override
    def __str__(self) -> str:
        return self.where or self.layer


class Value(Veiled, frozen=True):
    """A value as it was found, before its type is checked.

    Args:
        raw: The value.
        source: Where it comes from.
        directory: What a relative path in it is relative to.
        places: Of a value from a file: where it stands, under an empty path, and where each part of it does.
    """

    raw: object
    source: Source
    directory: Path
    places: Mapping[tuple[str, ...], str] = {}

    @override
    def veiled(self) -> Mapping[str, object]:
        # Nothing here tells what it is called, and so whether it is a secret.
        return {"raw": type(self.raw), "source": self.source, "directory": self.directory}

    def place(self, within: tuple[str, ...] = ()) -> str:
        """Where a part of it stands, or the nearest that holds that part.

        Args:
            within: The way to the part.
        """
        ways = (within[:length] for length in range(len(within), -1, -1))
        return next((self.places[way] for way in ways if way in self.places), str(self.source))


def text_value(text: str, *, is_list: bool) -> str | list[str]:
    """What a variable says: its text, or the parts of it between commas.

    Example:
        >>> text_value("a, b,", is_list=True), text_value("a, b", is_list=False)
        (['a', 'b'], 'a, b')
    """
    return [part.strip() for part in text.split(",") if part.strip()] if is_list else text
