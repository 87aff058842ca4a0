"""Tables whose values are right as they stand, told by a look at each: what converts and refuses takes long to make."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Final, Literal, TypeVar, cast, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import AllowInfNan, BeforeValidator, WrapValidator
from pydantic.fields import FieldInfo

from sentient_cli.config.fields import Section, Unit, keep_undecoded, no_flag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["plain"]

_S = TypeVar("_S", bound=Section)

_UNSURE: Final = object()
_MOST: Final = 2**53
"""The integers up to it are floats as well."""
_BOUNDS: Final[Mapping[type, tuple[str, Callable[[float, float], bool]]]] = {
    Ge: ("ge", operator.ge),
    Gt: ("gt", operator.gt),
    Le: ("le", operator.le),
    Lt: ("lt", operator.lt),
    MinLen: ("min_length", operator.ge),
    MaxLen: ("max_length", operator.le),
}


def plain(kind: type[_S], given: Mapping[str, object]) -> _S | None:
    """The table that these values make, when each is of its setting's very type and within its bounds.

    Args:
        kind: The table.
        given: Its values by name.

    Returns:
        The same as ``kind.model_validate(given)``; None where that has to be asked.

    Example:
        >>> from sentient_cli.config import ServerSettings
        >>> plain(ServerSettings, {"port": 9000}) == ServerSettings(port=9000)
        True
        >>> plain(ServerSettings, {"port": "9000"}), plain(ServerSettings, {"port": -1})
        (None, None)
    """
    decorators = kind.__pydantic_decorators__
    if decorators.field_validators or decorators.model_validators:
        return None
    made: dict[str, object] = {}
    for name, value in given.items():
        field = kind.model_fields.get(name)
        if field is None:
            return None
        made[name] = _same(field.annotation, field.metadata, value)
        if made[name] is _UNSURE:
            return None
    if any(name not in made and field.is_required() for name, field in kind.model_fields.items()):
        return None
    return kind.model_construct(set(made), **made)


def _same(kind: object, marks: Iterable[object], value: object) -> object:
    """The value as a setting of this type has it, or `_UNSURE`."""
    if isinstance(kind, type):
        return _of_type(kind, marks, value)
    inner = [each for each in get_args(kind) if each is not type(None)]
    if get_origin(kind) is Literal:
        return value if type(value) is str and value in inner and not [*marks] else _UNSURE
    if len(inner) == 1 and len(get_args(kind)) > 1 and not [*marks]:  # it may be left out
        base, *more = get_args(inner[0]) if hasattr(inner[0], "__metadata__") else inner
        return _same(base, _flat(more), value)
    return _UNSURE


def _of_type(kind: type, marks: Iterable[object], value: object) -> object:
    if issubclass(kind, Section):
        made = plain(kind, cast("Mapping[str, object]", value)) if isinstance(value, dict) else None
        return _UNSURE if made is None or [*marks] else made
    if kind is float and type(value) is int and abs(value) <= _MOST:
        value = float(value)
    if kind is str and not (isinstance(value, str) and value.isascii()):  # other text may hold what is no character
        return _UNSURE
    fits = kind in {bool, int, float, str} and type(value) is kind and all(_holds(mark, value) for mark in marks)
    return value if fits else _UNSURE


def _flat(marks: Iterable[object]) -> list[object]:
    found: list[object] = []
    for mark in marks:
        found += mark.metadata if isinstance(mark, FieldInfo) else [mark]
    return found


def _holds(mark: object, value: object) -> bool:
    """Whether a value is within a bound; not where that takes more than a look."""
    if isinstance(value, str):
        return _within(mark, len(value)) or _checks(mark) is keep_undecoded
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return isinstance(mark, Unit | AllowInfNan) or _within(mark, value) or _checks(mark) is no_flag


def _within(mark: object, number: float) -> bool:
    bound = _BOUNDS.get(type(mark))
    return bound is not None and bound[1](number, getattr(mark, bound[0]))


def _checks(mark: object) -> object:
    return mark.func if isinstance(mark, BeforeValidator | WrapValidator) else None
