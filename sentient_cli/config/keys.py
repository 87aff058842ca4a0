"""The names of the settings, in files and in the environment, taken from their types."""

from __future__ import annotations

import difflib
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, get_origin

from pydantic import BaseModel

from sentient_cli.config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PREFIX", "Key", "all_keys", "nearest", "sections"]

PREFIX = "SENTIENT_"


# The flags that are not called like their setting.
_FLAGS = {
    "server.allow_origins": "--allow-origin",
    "server.allow_hosts": "--allow-host",
    "store.url": "--store",
    "log.level": "--log-level",
    "log.format": "--log-format",
}


class Key(NamedTuple):
    """A setting: its dotted name, its variable, its flag, what it is for, and whether it holds several values.

    Not every setting has a flag; here each has the name that it would have.
    """

    name: str
    variable: str
    flag: str
    description: str
    is_list: bool


@cache
def sections() -> frozenset[str]:
    """The names of the tables of a settings file."""
    return frozenset(name for name, field in Settings.model_fields.items() if _model(field.annotation) is not None)


@cache
def all_keys() -> Mapping[str, Key]:
    """Every setting by its dotted name.

    Example:
        >>> all_keys()["server.port"].variable, all_keys()["store.url"].flag
        ('SENTIENT_SERVER_PORT', '--store')
    """
    found: dict[str, Key] = {}
    for name, field in Settings.model_fields.items():
        model = _model(field.annotation)
        fields = {name: field} if model is None else {f"{name}.{key}": item for key, item in model.model_fields.items()}
        for key, item in fields.items():
            variable = PREFIX + key.replace(".", "_").upper()
            flag = _FLAGS.get(key, "--" + key.rpartition(".")[2].replace("_", "-"))
            found[key] = Key(key, variable, flag, item.description or "", get_origin(item.annotation) is tuple)
    return MappingProxyType(found)


def _model(annotation: object) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def nearest(name: str, names: list[str]) -> str:
    """The one of ``names`` that ``name`` was probably meant to be, or an empty string.

    Example:
        >>> nearest("server.prot", ["server.host", "server.port"])
        'server.port'
    """
    return next(iter(difflib.get_close_matches(name, names, n=1)), "")
