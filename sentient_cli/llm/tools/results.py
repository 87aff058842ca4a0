"""What a tool returned, as a model reads it and as a log keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from sentient_cli.errors import ToolResultError

if TYPE_CHECKING:
    from sentient_cli.llm.types import JsonValue

__all__ = ["as_jsonable", "result_text"]


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


def as_jsonable(value: object) -> JsonValue:
    """What a log keeps of a value: JSON, or where there is none the name of its type."""
    from pydantic_core import to_jsonable_python  # noqa: PLC0415 - only where a tool was called

    try:
        jsonable = to_jsonable_python(value, inf_nan_mode="strings", fallback=_plain)
    except (ValueError, TypeError, RecursionError):
        return f"<{type(value).__name__}>"
    return cast("JsonValue", jsonable)


def _plain(value: object) -> object:
    import msgspec  # noqa: PLC0415 - its structures are unknown to pydantic

    return msgspec.to_builtins(value)
