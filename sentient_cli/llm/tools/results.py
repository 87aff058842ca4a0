"""What a tool returned, as a model reads it and as a log keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from sentient_cli.errors import ToolResultError
from sentient_cli.llm.parts import AudioPart, DocumentPart, ImagePart, TextPart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sentient_cli.llm.parts import Part
    from sentient_cli.llm.types import JsonValue

__all__ = ["as_jsonable", "result_content", "result_text"]


def result_text(name: str, result: object) -> str:
    """Text as it is, anything else as JSON.

    Args:
        name: Of the tool.
        result: Text, numbers, lists, mappings, dataclasses, pydantic models, and what else JSON can hold.

    Raises:
        ToolResultError: it cannot be written as JSON.

    Example:
        >>> result_text("look_up", {"high": 21.5})
        '{"high":21.5}'
    """
    from pydantic_core import to_json  # noqa: PLC0415 - only where a tool was called

    if isinstance(result, str):
        return result.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    try:
        return to_json(result, inf_nan_mode="strings", fallback=_plain).decode()
    except (ValueError, TypeError, RecursionError) as error:
        raise ToolResultError(
            f"The result of the tool {name!r} cannot be written as JSON",
            why=f"It is of type {type(result).__name__}: {error}",
            fix="Return text, numbers, lists, mappings, dataclasses or pydantic models",
        ) from error


def result_content(name: str, result: object) -> str | tuple[Part, ...]:
    """What a model is told of a result: parts of a message as they are, such as a picture, anything else as text.

    Args:
        name: Of the tool.
        result: A part, a list of parts, or as for `result_text`.

    Raises:
        ToolResultError: it cannot be written as JSON.

    Example:
        >>> from sentient_cli.llm import ImagePart, TextPart
        >>> result_content("draw", [TextPart("A cat:"), ImagePart(data=b"GIF89a")])[0].text
        'A cat:'
    """
    many = isinstance(result, list | tuple)
    listed = cast("Sequence[object]", result) if many else (result,)
    parts = tuple(each for each in listed if isinstance(each, TextPart | ImagePart | AudioPart | DocumentPart))
    return parts if parts and len(parts) == len(listed) else result_text(name, result)


def as_jsonable(value: object) -> JsonValue:
    """What a log keeps of a value: JSON, or where there is none the name of its type."""
    from pydantic_core import to_jsonable_python  # noqa: PLC0415 - only where a tool was called

    try:
        jsonable = to_jsonable_python(value, inf_nan_mode="strings", fallback=_noted)
    except (ValueError, TypeError, RecursionError):
        return f"<{type(value).__name__}>"
    return cast("JsonValue", jsonable)


def _noted(value: object) -> object:
    """A part by its size: a log has no use for the bytes of a picture."""
    if isinstance(value, ImagePart | AudioPart | DocumentPart) and value.data:
        return f"<{type(value).__name__} of {len(value.data)} bytes>"
    return _plain(value)


def _plain(value: object) -> object:
    import msgspec  # noqa: PLC0415 - its structures are unknown to pydantic

    return msgspec.to_builtins(value)
