"""Values as they are shown: what is secret in them is masked."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

from pydantic import BaseModel

from sentient_cli.config.keys import all_keys
from sentient_cli.config.names import readable
from sentient_cli.config.secret import Secret
from sentient_cli.redact import REDACTED, redactor
from sentient_cli.secret_names import is_secret_name

__all__ = ["Shown", "is_masked", "shown"]

Shown: TypeAlias = "str | int | float | bool | list[Shown] | dict[str, Shown] | None"
"""A value that hides its secrets, of the types that JSON has."""


def shown(value: object, name: str = "") -> Shown:
    """A value for other eyes: what is secret in it is masked.

    Args:
        value: The value of a setting.
        name: What it is called, which may tell a secret, such as that of a header. Of our own settings, the type does.

    Example:
        >>> shown({"Authorization": "Bearer abc", "X-Team": "red"})
        {'Authorization': '[redacted]', 'X-Team': 'red'}
        >>> shown(("a", 5, None, "http://me:pw1234@proxy"))
        ['a', 5, None, 'http://[redacted]@proxy']
    """
    tells = is_secret_name(name) and name not in all_keys()
    if isinstance(value, Secret) or (tells and isinstance(value, str | int | float) and value not in {"", True, False}):
        return REDACTED
    if value is None or isinstance(value, bool | int | float):
        return value if not isinstance(value, float) or math.isfinite(value) else str(value)
    if isinstance(value, BaseModel):
        value = {field: getattr(value, field) for field in type(value).model_fields if field in value.model_fields_set}
    if isinstance(value, Mapping):
        table = cast("Mapping[object, object]", value)
        return {readable(str(key)): shown(item, str(key)) for key, item in table.items()}
    if isinstance(value, Sequence | frozenset) and not isinstance(value, str | bytes):
        return [shown(item, name) for item in cast("Sequence[object]", value)]
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return redactor.redact(readable(str(value)))


def is_masked(value: Shown) -> bool:
    """Whether something in it is hidden, so that it must not be written back.

    Example:
        >>> is_masked(["a", {"b": "[redacted]"}]), is_masked(5)
        (True, False)
    """
    if isinstance(value, str):
        return REDACTED in value
    if isinstance(value, dict):
        return any(map(is_masked, value.values()))
    return isinstance(value, list) and any(map(is_masked, value))
