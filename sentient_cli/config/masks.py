"""What hides the secrets of values, whatever settings they belong to."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

from pydantic import BaseModel

from sentient_cli.config.names import readable
from sentient_cli.config.secret import Secret
from sentient_cli.redact import REDACTED, redactor
from sentient_cli.secret_names import is_secret_name

__all__ = ["Shown", "masked"]

Shown: TypeAlias = "str | int | float | bool | list[Shown] | dict[str, Shown] | None"
"""A value that hides its secrets, of the types that JSON has."""


def masked(value: object, *, is_secret: bool = False) -> Shown:
    """A value without what is secret in it: what is called like a secret, what is typed as one, what looks like one.

    Args:
        value: The value.
        is_secret: Whether the name of the value told that it is one.

    Example:
        >>> masked({"Authorization": "Bearer abc", "X-Team": "red"})
        {'Authorization': '[redacted]', 'X-Team': 'red'}
    """
    told = is_secret and isinstance(value, str | int | float) and value not in {"", True, False}
    if told or isinstance(value, Secret):
        return REDACTED
    if value is None or isinstance(value, bool | int | float):
        return value if not isinstance(value, float) or math.isfinite(value) else str(value)
    if isinstance(value, BaseModel):
        value = {field: getattr(value, field) for field in type(value).model_fields if field in value.model_fields_set}
    if isinstance(value, Mapping):
        table = cast("Mapping[object, object]", value)
        return {readable(str(key)): masked(item, is_secret=is_secret_name(str(key))) for key, item in table.items()}
    if isinstance(value, Sequence | frozenset) and not isinstance(value, str | bytes):
        return [masked(item, is_secret=is_secret) for item in cast("Sequence[object]", value)]
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return redactor.redact(readable(str(value)))
