"""What a setting is: its type, unit, range, default and description, taken from its field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Literal, TypeAlias, Union, get_args, get_origin

import msgspec
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from sentient_cli.config.fields import Unit
from sentient_cli.config.keys import all_keys
from sentient_cli.config.secret import Secret
from sentient_cli.config.settings import Settings

__all__ = ["Kind", "Setting", "describe"]

Kind: TypeAlias = Literal["boolean", "integer", "number", "string", "path", "secret", "array", "table", "any"]
"""What a value is."""

_NAMES: Mapping[object, Kind] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    Path: "path",
    Secret: "secret",
}


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What can be given for one name.

    Args:
        name: Its dotted name.
        kind: What its value is.
        of: What the items of an array or a table of any names are.
        description: What it is for.
        unit: What its number counts; empty where nothing is counted.
        least: The least number.
        above: The number that it must be above.
        most: The greatest number.
        below: The number that it must be below.
        choices: The only values.
        default: What holds where nothing is given; None: nothing does.
        fields: Of a table, the names of what is in it.
        variable: Its variable; empty where there is none.
        flag: The flag that it has in the commands that have one for it.
    """

    name: str
    kind: Kind
    of: Kind | None = None
    description: str = ""
    unit: str = ""
    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()
    default: object = None
    fields: tuple[str, ...] = ()
    variable: str = ""
    flag: str = ""


class _Shape(msgspec.Struct, frozen=True):
    annotation: object
    metadata: tuple[object, ...]


def describe(name: str) -> Setting | None:
    """What there is to say of a setting, or of a table of settings.

    Args:
        name: Its dotted name. An entry of a table whose keys everyone chooses, such as `llm.providers.work`, need not
            exist.

    Returns:
        What it is; None where there is no such setting.

    Example:
        >>> port = describe("server.port")
        >>> port.kind, port.least, port.most, port.default
        ('integer', 0, 65535, 8000)
        >>> describe("llm.providers.work.timeout").unit, describe("server.prot")
        ('seconds', None)
    """
    field: FieldInfo | None = None
    shape = _Shape(Settings, ())
    for part in name.split("."):
        model = _model(shape.annotation)
        if model is not None:
            field = model.model_fields.get(part)
            if field is None:
                return None
            shape = _inner(field.annotation, tuple(field.metadata))
        elif get_origin(shape.annotation) is dict and part:
            field, shape = None, _inner(get_args(shape.annotation)[1], ())
        else:
            return None
    return _setting(name, shape, field)


def _setting(name: str, shape: _Shape, field: FieldInfo | None) -> Setting:
    kind, item = _kind(shape.annotation), _item(shape.annotation)
    counted = shape if item is None else item
    limits = {type(limit): limit for limit in _flat(counted.metadata)}
    least, above, most, below = (limits.get(one) for one in (Ge, Gt, Le, Lt))
    unit = limits.get(Unit)
    model, key = _model(shape.annotation), all_keys().get(name)
    is_given = field is not None and model is None and not field.is_required()
    return Setting(
        name=name,
        kind=kind,
        of=None if item is None else _kind(item.annotation),
        description=(field.description or "") if field is not None else "",
        unit=unit.name if isinstance(unit, Unit) else "",
        least=_number(least.ge) if isinstance(least, Ge) else None,
        above=_number(above.gt) if isinstance(above, Gt) else None,
        most=_number(most.le) if isinstance(most, Le) else None,
        below=_number(below.lt) if isinstance(below, Lt) else None,
        choices=tuple(map(str, get_args(counted.annotation))) if get_origin(counted.annotation) is Literal else (),
        default=field.get_default(call_default_factory=True) if field is not None and is_given else None,
        fields=tuple(model.model_fields) if model is not None else (),
        variable=key.variable if key is not None else "",
        flag=key.flag if key is not None else "",
    )


def _kind(annotation: object) -> Kind:
    origin = get_origin(annotation)
    if origin is Literal:
        return "string"
    if origin in {tuple, list, frozenset}:
        return "array"
    if origin is dict or _model(annotation) is not None:
        return "table"
    return _NAMES.get(annotation, "any")


def _item(annotation: object) -> _Shape | None:
    """What the items of an array or of a table are."""
    origin = get_origin(annotation)
    if origin in {tuple, list, frozenset}:
        return _inner(get_args(annotation)[0], ())
    return _inner(get_args(annotation)[1], ()) if origin is dict else None


def _inner(annotation: object, metadata: tuple[object, ...]) -> _Shape:
    """A type without what says that it may be absent, and all that is said beside it."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation, *more = get_args(annotation)
            metadata = (*more, *metadata)
        elif origin in {Union, UnionType} and NoneType in get_args(annotation):
            annotation = next(part for part in get_args(annotation) if part is not NoneType)
        else:
            return _Shape(annotation, metadata)


def _flat(metadata: Iterable[object]) -> Iterator[object]:
    for each in metadata:
        if isinstance(each, FieldInfo):
            yield from each.metadata
        else:
            yield each


def _model(annotation: object) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _number(limit: object) -> float | None:
    return limit if isinstance(limit, int | float) else None
