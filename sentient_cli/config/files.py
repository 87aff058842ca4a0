"""Settings files: found, read, and turned into values that know their place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeAlias, TypeGuard, cast

from typing_extensions import override

from sentient_cli.config.entries import ENTRY, bad_entry
from sentient_cli.config.keys import all_keys, nearest, open_tables, tables
from sentient_cli.config.lines import Mark, mark_of, marks
from sentient_cli.config.places import PYPROJECT, read_text
from sentient_cli.config.values import Layer, Source, Value
from sentient_cli.config.veiled import Veiled
from sentient_cli.errors import ConfigError

if TYPE_CHECKING:
    import tomllib

__all__ = ["Refuse", "SettingsFile", "read_settings_file"]

Refuse: TypeAlias = Callable[[ConfigError], None]
"""What is done with a fault: it is raised, or kept so that the next one is found as well."""

_IN_PYPROJECT = ("tool", "sentient")
_MANY_DIGITS = re.compile(r"[0-9_]{4301,}")
_DOCS = "docs/configuration.md lists every setting"


def _raise(fault: ConfigError) -> NoReturn:
    raise fault


class SettingsFile(Veiled, frozen=True):
    """One settings file.

    Args:
        path: Where it is.
        table: Its settings, as nested mappings.
        marks: The place of each key of the document.
        prefix: Where in the document the settings stand.
    """

    path: Path
    table: Mapping[str, object]
    marks: Mapping[tuple[str, ...], Mark]
    prefix: tuple[str, ...] = ()

    @override
    def veiled(self) -> Mapping[str, object]:
        # What fits no setting may be anything, and so only names are shown.
        return {"path": self.path, "settings": sorted(self.table)}

    def where(self, *path: str) -> str:
        """File, line and column of a key, such as ``sentient.toml:3:1``."""
        mark = mark_of(self.marks, (*self.prefix, *path))
        return f"{self.path}:{mark.line}:{mark.column}"

    def value_where(self, *path: str) -> str:
        """File, line and column of the value of a key."""
        mark = mark_of(self.marks, (*self.prefix, *path))
        return f"{self.path}:{mark.line}:{mark.value}"

    def profiles(self, refuse: Refuse = _raise) -> frozenset[str]:
        """The names of the profiles that stand in it.

        Args:
            refuse: What is done with a profile that is no table.

        Raises:
            ConfigError: a profile is no table.
        """
        profiles = self.table.get("profile")
        if not _is_table(profiles):
            return frozenset()
        for name, table in profiles.items():
            if not _is_table(table):
                where = self.value_where("profile", name)
                refuse(_wrong(where, f"profile.{name}", "a table such as [profile.NAME.server]"))
        return frozenset(profiles)

    def values(self, layer: Layer, refuse: Refuse = _raise) -> dict[str, Value]:
        """The settings outside of profiles.

        Args:
            layer: The layer that they belong to.
            refuse: What is done with a fault; what is at fault is left out.

        Raises:
            ConfigError: a setting is unknown, or is no table where one belongs.
        """
        table = {name: item for name, item in self.table.items() if name != "profile" or not _is_table(item)}
        return self._flatten(table, (), layer, refuse)

    def profile_values(self, name: str, refuse: Refuse = _raise) -> dict[str, Value]:
        """The settings of one profile; none when it is not here.

        Args:
            name: The profile.
            refuse: As for `values`.

        Raises:
            ConfigError: as for `values`.
        """
        profiles = self.table.get("profile")
        table = profiles.get(name) if _is_table(profiles) else None
        return self._flatten(table, ("profile", name), "profile", refuse) if _is_table(table) else {}

    def _flatten(
        self, table: Mapping[str, object], path: tuple[str, ...], layer: Layer, refuse: Refuse
    ) -> dict[str, Value]:
        found: dict[str, Value] = {}

        def take(key: tuple[str, ...], item: object) -> None:
            name, where = ".".join(key), self.where(*path, *key)
            fault = _fault((where, self.value_where(*path, *key)), key, item, path)
            if fault is not None:
                refuse(fault)
            elif _is_table(item) and _holds_settings(key):
                for inner, value in item.items():
                    take((*key, inner), value)
            else:
                places = {within: self.value_where(*path, *key, *within) for within in _within(item)}
                found[name] = Value(item, Source(layer, where), self.path.parent, places)

        for name, item in table.items():
            take((name,), item)
        return found


def _fault(places: tuple[str, str], key: tuple[str, ...], item: object, path: tuple[str, ...]) -> ConfigError | None:
    name, (where, value_where) = ".".join(key), places
    if _is_entry(key) and not ENTRY.fullmatch(key[-1]):
        return bad_entry(where, name)
    if _holds_settings(key):
        return None if _is_table(item) else _wrong(value_where, name, f"a table: [{'.'.join((*path, *key))}]")
    if _is_key_of_a_provider(key):
        return _key_in_a_file(where, key)
    known = name in all_keys() or _is_entry(key) or (_is_entry(key[:-1]) and key[-1] in _entry_fields(key[:-1]))
    return None if known and not (path and name == "profile") else _unknown(where, key)


def _holds_settings(key: tuple[str, ...]) -> bool:
    """Whether it names a table whose keys are settings."""
    return ".".join(key) in tables() or (_is_entry(key) and bool(_entry_fields(key)))


def _within(item: object) -> Iterator[tuple[str, ...]]:
    """The paths of a value and of all that is in it."""
    waiting: list[tuple[tuple[str, ...], object]] = [((), item)]
    while waiting:
        path, found = waiting.pop()
        yield path
        if _is_table(found):
            waiting.extend(((*path, name), inner) for name, inner in found.items())
        elif isinstance(found, list):
            inner = cast("list[object]", found)
            waiting.extend(((*path, str(number)), value) for number, value in enumerate(inner))


def _is_entry(key: tuple[str, ...]) -> bool:
    """Whether it names an entry of a table whose keys everyone chooses."""
    return ".".join(key[:-1]) in open_tables()


def _entry_fields(key: tuple[str, ...]) -> frozenset[str]:
    return open_tables()[".".join(key[:-1])]


def _is_key_of_a_provider(key: tuple[str, ...]) -> bool:
    return key[:2] == ("llm", "providers") and key[3:] in {("api_key",), ("api_keys",), ("key",), ("token",)}


def _key_in_a_file(where: str, key: tuple[str, ...]) -> ConfigError:
    return ConfigError(
        f"The key of the provider {key[2]!r} stands in a settings file",
        why=f"It stands in {where}, where everybody reads it who reads the project",
        fix='Put it into the environment or `.env`, and write `api_key_env = "NAME"` here; was it shared, change it',
        where=where,
    )


def _is_table(value: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(value, dict)


def _unknown(where: str, key: tuple[str, ...]) -> ConfigError:
    name = ".".join(key)
    entry = [f"{'.'.join(key[:-1])}.{field}" for field in _entry_fields(key[:-1])] if _is_entry(key[:-1]) else []
    near = nearest(name, entry or [*all_keys(), *tables()])
    return ConfigError(
        f"There is no setting `{name}`",
        why=f"It stands in {where}",
        fix=f"Did you mean `{near}`?" if near else f"See: {_DOCS}",
        where=where,
    )


def _wrong(where: str, key: str, expected: str) -> ConfigError:
    return ConfigError(
        f"The setting `{key}` has the wrong type",
        why=f"It stands in {where}",
        fix=f"Make it {expected}",
        where=where,
    )


def read_settings_file(path: Path, source: str | None = None) -> SettingsFile:
    """Read a settings file.

    Args:
        path: The file.
        source: What it would hold; None: what it does.

    Raises:
        ConfigError: it cannot be read, or is no TOML.
    """
    import tomllib  # noqa: PLC0415 - only where there is a file

    source = read_text(path) if source is None else source
    try:
        document: dict[str, object] = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise _no_toml(path, source, error) from None
    except ValueError:  # a number with more digits than Python reads
        raise _long_number(path, source) from None
    except RecursionError:
        raise ConfigError(f"{path} is nested too deeply", fix="Flatten it") from None
    prefix = _IN_PYPROJECT if path.name == PYPROJECT else ()
    table: object = document
    for part in prefix:
        table = table.get(part, {}) if _is_table(table) else {}
    file = SettingsFile(path, table if _is_table(table) else {}, marks(source), prefix)
    if not _is_table(table):
        raise _wrong(file.value_where(), ".".join(prefix), "a table: [tool.sentient]")
    return file


def _no_toml(path: Path, source: str, error: tomllib.TOMLDecodeError) -> ConfigError:
    place = re.search(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$", str(error))
    fault = str(error)[: place.start()] if place else str(error)
    where = f"{path}:{place[1]}:{place[2]}" if place and place[1] else _place(path, source, len(source.rstrip("\n")))
    return ConfigError(
        f"{path.name} is not valid TOML", why=f"{fault}, in {where}", fix="Correct that line", where=where
    )


def _long_number(path: Path, source: str) -> ConfigError:
    digits = _MANY_DIGITS.search(source)
    where = _place(path, source, digits.start() if digits else 0)
    return ConfigError(
        f"A number in {path.name} has too many digits", why=f"It stands in {where}", fix="Correct it", where=where
    )


def _place(path: Path, source: str, at: int) -> str:
    return f"{path}:{source.count(chr(10), 0, at) + 1}:{at - source.rfind(chr(10), 0, at)}"
