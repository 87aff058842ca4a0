"""Numbers that Python has and JSON has not: NaN and the infinities."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import cast

import msgspec

from sentient_cli.errors import InvalidEventError

__all__ = ["check_finite"]

_MAX_PATH = 200
# MessagePack writes floats as they are: its mark, then an exponent of ones. No UTF-8 looks like it.
_SUSPECT = re.compile(rb"\xcb[\x7f\xff][\xf0-\xff]")


def check_finite(value: object, plain: Callable[[object], object] | None = None) -> None:
    """Refuse a value that has such a number in it.

    Args:
        value: What can be written as JSON.
        plain: Makes something that msgspec knows of what it does not.

    Raises:
        InvalidEventError: there is one; it is said where.

    Example:
        >>> check_finite({"scores": [1.0, 0.5, None]})
        >>> try:
        ...     check_finite({"scores": [1.0, float("inf")]})
        ... except InvalidEventError as error:
        ...     print(error.why)
        It is at scores[1] = inf
    """
    try:
        suspect = _SUSPECT.search(msgspec.msgpack.encode(value, enc_hook=plain)) is not None
    except (TypeError, ValueError, OverflowError):
        suspect = True  # such as for a lone surrogate, which JSON gets rid of
    place = _place(msgspec.to_builtins(value, enc_hook=plain)) if suspect else ""
    if place:
        raise InvalidEventError(
            "The content of an event has a number that JSON does not know",
            why=place,
            fix="Leave it out, or emit None or a string in its place",
        )


def _place(value: object) -> str:
    try:
        found = _find(value)
    except RecursionError:
        return "It is nested deeply"
    if not found:
        return ""
    return f"It is at {found.removeprefix('.')}" if len(found) <= _MAX_PATH else f"It is at …{found[-_MAX_PATH:]}"


def _find(value: object) -> str:
    """Where the first such number is; empty when there is none."""
    if isinstance(value, float):
        return "" if value - value == 0 else f" = {value}"
    if isinstance(value, dict):
        steps = ((_step(key), item) for key, item in cast("dict[object, object]", value).items())
    elif isinstance(value, list | tuple):
        steps = ((f"[{index}]", item) for index, item in enumerate(cast("list[object]", value)))
    else:
        return ""
    return next((step + found for step, item in steps if (found := _find(item))), "")


def _step(key: object) -> str:
    text = str(key)
    return f".{text}" if text.isidentifier() else f"[{text!r}]"
