"""What pydantic has against a value, by the path of each place and without the value."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

__all__ = ["faults_of"]

MAX_FAULTS = 20
"""A model reads no more, and an answer may have a hundred thousand."""


def faults_of(error: ValidationError) -> dict[str, str]:
    """What is wrong, by the path of each place.

    Args:
        error: Of a value that did not fit.

    Example:
        >>> from pydantic import TypeAdapter, ValidationError
        >>> try:
        ...     TypeAdapter(dict[str, list[int]]).validate_python({"days": [1, "x"]})
        ... except ValidationError as error:
        ...     list(faults_of(error))
        ['days[1]']
    """
    faults: dict[str, str] = {}
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        path = _path(fault["loc"])
        message = fault["msg"].removeprefix("Value error, ")
        faults[path] = f"{faults[path]}, or {message}" if path in faults else message
        if len(faults) > MAX_FAULTS:
            faults[path] = "and more"
            break
    return faults


def _path(location: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")
