"""What agents say in events, as it goes on the wire, or why it cannot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from sentient_cli.errors import InvalidEventError
from sentient_cli.runtime.events import JsonValue
from sentient_cli.runtime.unordered import with_sets_sorted

__all__ = ["check_code", "check_text", "json_object"]


def check_text(text: str) -> str:
    """Return the text as a plain string, or say what it is instead.

    Raises:
        InvalidEventError: it is no string.
    """
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidEventError(f"The text of an event is a string, not {type(text).__name__}")
    return str.__str__(text)


def check_code(code: int) -> int:
    """Return the code of an error as a plain integer, or say what it is instead.

    Raises:
        InvalidEventError: it is no integer.
    """
    if isinstance(code, bool) or not isinstance(code, int):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidEventError(f"An error code is an integer, not {type(code).__name__}")
    return int(code)


def json_object(data: Mapping[str, object]) -> dict[str, JsonValue]:
    """Return the content of a JSON event as a dict that can be encoded, if what is in it is JSON.

    Raises:
        InvalidEventError: it is no mapping.
    """
    if not isinstance(data, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidEventError(
            f"The content of a JSON event is an object, not {type(data).__name__}", fix='Wrap it: {"items": …}'
        )
    # What is no JSON is refused when it is encoded.
    return cast("dict[str, JsonValue]", with_sets_sorted(dict(data)))
