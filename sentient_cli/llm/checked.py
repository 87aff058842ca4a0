"""Checks the fields of a structure by their types when it is made; msgspec does that only for what it decodes."""

from __future__ import annotations

import math
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Final, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Meta

from sentient_cli.errors import ConfigError, SentientError

__all__ = ["check_fields"]

_BASES: Final = (bool, int, float, str)
_HIDDEN: Final = "Secret"
_LARGE: Final = 100_000
_DICTS: Final[dict[object, str]] = {str: "a dict of texts by name"}
_NAMES: Final = {bool: "True or False", int: "a whole number", float: "a number", str: "a text"}


def check_fields(struct: msgspec.Struct, error: type[SentientError] = ConfigError, what: str = "setting") -> None:
    """Find out whether each field holds what its type says. What has its default is taken as it is.

    A list becomes the tuple that is wanted, and what is like a number or a text becomes one.

    Args:
        struct: What was made.
        error: The error of a value that does not fit.
        what: What a field is called, such as ``parameter``.

    Raises:
        SentientError: a value does not fit; of the class that was given.

    Example:
        >>> class Pace(msgspec.Struct, kw_only=True):
        ...     seconds: Annotated[float, Meta(gt=0)] = 1.0
        ...     def __post_init__(self) -> None:
        ...         check_fields(self)
        >>> Pace(seconds=-1)
        Traceback (most recent call last):
        ...
        sentient_cli.errors.ConfigError: The setting 'seconds' cannot be -1. Use a number above 0.
    """
    kind = type(struct)
    values, defaults = msgspec.structs.astuple(struct), kind.__struct_defaults__
    if values == defaults:  # as most are
        return
    missing = len(values) - len(defaults)
    given = {
        name: _plain(value)
        for place, (name, value) in enumerate(zip(kind.__struct_fields__, values, strict=True))
        if place < missing or value is not defaults[place - missing]
    }
    try:
        fitting = msgspec.convert(given, _mirror(kind))
    except (msgspec.ValidationError, TypeError):
        fitting = None
    for name, value in given.items():
        if fitting is None:
            _check(kind, name, getattr(struct, name), value, error, what)
        elif isinstance(value, float) and not math.isfinite(value):
            raise _unfit(name, value, _types(kind).get(name), "", error, what)
        if isinstance(value, list) and name in _types(kind):
            msgspec.structs.force_setattr(struct, name, msgspec.convert(value, _types(kind)[name]))
        elif value is not getattr(struct, name):
            msgspec.structs.force_setattr(struct, name, value)


def _check(
    kind: type[msgspec.Struct], name: str, told: object, value: object, error: type[SentientError], what: str
) -> None:
    """The same for one field, to find out which one it is."""
    wanted = _types(kind)[name]
    try:
        msgspec.convert(value, wanted)
    except msgspec.ValidationError as failure:
        raise _unfit(name, told, wanted, str(failure), error, what) from None
    except TypeError:
        return  # a type that cannot be checked, such as a protocol
    if isinstance(value, float) and not math.isfinite(value):
        raise _unfit(name, told, wanted, "", error, what)


@cache
def _mirror(kind: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """A structure of the same fields, each of which may be left out: to read them into it checks them all at once."""
    return msgspec.defstruct(kind.__name__, [(name, wanted, None) for name, wanted in _types(kind).items()])


@cache
def _types(kind: type[msgspec.Struct]) -> dict[str, object]:
    try:
        return {field.name: field.type for field in msgspec.structs.fields(kind)}
    except NameError:  # somebody else's, with types that are there for checkers only
        return {}


def _plain(value: object) -> object:
    """A value as what it is like: a member of an enumeration, or a number of another library's."""
    if isinstance(value, Enum):
        value = value.value
    if type(value) in _BASES:
        return value
    return next((base(value) for base in _BASES if isinstance(value, base)), value)


def _unfit(name: str, value: object, wanted: object, why: str, error: type[SentientError], what: str) -> SentientError:
    is_shown = isinstance(value, bool | int | float | str) and _HIDDEN not in repr(wanted)
    shown = f"{value!r:.60}" if is_shown else f"of the type {type(value).__name__!r}"
    right = _right(wanted)
    return error(
        f"The {what} {name!r} cannot be {shown}", why="" if right else why, fix=f"Use {right or 'another value'}"
    )


def _right(wanted: object) -> str:
    """What a type takes, in words; empty: there are none for it."""
    if _HIDDEN in repr(wanted):
        return "`Secret`, several of them as a tuple"
    limits: list[Meta] = []
    if get_origin(wanted) in {Union, UnionType}:
        parts = [_right(part) for part in get_args(wanted) if part is not NoneType]
        return " or ".join(parts) if all(parts) else ""
    if get_origin(wanted) is Annotated:
        wanted, *notes = get_args(wanted)
        limits = [note for note in notes if isinstance(note, Meta)]
    if get_origin(wanted) is Literal:
        return _listed([f"`{choice}`" for choice in get_args(wanted)])
    if get_origin(wanted) in {dict, tuple}:
        return _right_of_many(wanted)
    word = next((text for base, text in _NAMES.items() if wanted is base), "")
    return " ".join([word, *map(_limit, limits)]).strip() if word else ""


def _right_of_many(wanted: object) -> str:
    if get_origin(wanted) is dict:
        inner = get_args(wanted)[1]
        word = f"a dict of {_right(inner)} by name" if get_origin(inner) is Annotated else "a dict of dicts by name"
        return _DICTS.get(inner, word)
    inner = get_args(wanted)[0]
    if get_origin(inner) is Literal:
        return f"a tuple of {_right(inner)}"
    return "a tuple of strings" + (" that are not empty" if get_origin(inner) is Annotated else "")


def _listed(words: list[str]) -> str:
    return " or ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else words[0]


def _limit(meta: Meta) -> str:
    low = "" if meta.ge is None else f"from {_number(meta.ge)}"
    above = "" if meta.gt is None else f"above {meta.gt:g}"
    high = "" if meta.le is None else f"to {_number(meta.le)}"
    length = "that is not empty" if meta.min_length else ""
    form = f"of the form {meta.pattern}" if meta.pattern else ""
    return " ".join(word for word in (low or above, high, length, form) if word)


def _number(limit: float) -> str:
    return f"{limit:g}" if abs(limit) < _LARGE else f"{limit}"
