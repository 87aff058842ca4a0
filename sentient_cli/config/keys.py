"""The names of the settings, in files and in the environment, taken from their types."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, get_args, get_origin

from pydantic import BaseModel

from sentient_cli.config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo

__all__ = ["PREFIX", "Key", "all_keys", "nearest", "open_tables", "sections", "tables"]

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
def tables() -> frozenset[str]:
    """The dotted names of all tables, those in tables included.

    Example:
        >>> {"llm", "llm.retry", "llm.providers"} <= tables()
        True
    """
    names = {name.rpartition(".")[0] for name in (*all_keys(), *open_tables())} | set(open_tables())
    split = [name.split(".") for name in names if name]
    return frozenset(".".join(parts[:depth]) for parts in split for depth in range(1, len(parts) + 1))


@cache
def open_tables() -> Mapping[str, frozenset[str]]:
    """The tables whose keys everyone chooses, by dotted name: what each of their entries may have, or nothing.

    Example:
        >>> "base_url" in open_tables()["llm.providers"], sorted(open_tables()["llm.groups"])
        (True, [])
    """
    found: dict[str, frozenset[str]] = {}
    for name, field in _fields(Settings, ""):
        if get_origin(field.annotation) is dict:
            entry = _model(get_args(field.annotation)[1])
            found[name] = frozenset(entry.model_fields if entry is not None else ())
    return MappingProxyType(found)


@cache
def all_keys() -> Mapping[str, Key]:
    """Every setting by its dotted name, but those of tables whose keys everyone chooses.

    Example:
        >>> all_keys()["server.port"].variable, all_keys()["store.url"].flag
        ('SENTIENT_SERVER_PORT', '--store')
        >>> all_keys()["llm.retry.attempts"].variable
        'SENTIENT_LLM_RETRY_ATTEMPTS'
    """
    found: dict[str, Key] = {}
    for key, field in _fields(Settings, ""):
        if get_origin(field.annotation) is not dict:
            variable = PREFIX + key.replace(".", "_").upper()
            flag = _FLAGS.get(key, "--" + key.rpartition(".")[2].replace("_", "-"))
            found[key] = Key(key, variable, flag, field.description or "", get_origin(field.annotation) is tuple)
    return MappingProxyType(found)


def _fields(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        inner = _model(field.annotation)
        if inner is None:
            yield prefix + name, field
        else:
            yield from _fields(inner, f"{prefix}{name}.")


def _model(annotation: object) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def nearest(name: str, names: list[str]) -> str:
    """The one of ``names`` that ``name`` was probably meant to be, or an empty string.

    Example:
        >>> nearest("server.prot", ["server.host", "server.port"])
        'server.port'
    """
    from difflib import get_close_matches  # noqa: PLC0415 - only for those who err

    return next(iter(get_close_matches(name, names, n=1)), "")
