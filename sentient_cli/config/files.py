"""Settings files: found, read, and turned into values that know their line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeGuard

import msgspec

from sentient_cli.config.keys import all_keys, nearest, open_tables, tables
from sentient_cli.config.lines import key_lines, line_of
from sentient_cli.config.places import PYPROJECT, read_text
from sentient_cli.config.values import Layer, Source, Value
from sentient_cli.errors import ConfigError

__all__ = ["SettingsFile", "read_settings_file"]

_IN_PYPROJECT = ("tool", "sentient")
_ENTRY = re.compile(r"[A-Za-z0-9_-]{1,80}")
_DOCS = "docs/configuration.md lists every setting"


class SettingsFile(msgspec.Struct, frozen=True):
    """One settings file.

    Args:
        path: Where it is.
        table: Its settings, as nested mappings.
        lines: The line of each key of the document.
        prefix: Where in the document the settings stand.
    """

    path: Path
    table: Mapping[str, object]
    lines: Mapping[tuple[str, ...], int]
    prefix: tuple[str, ...] = ()

    def where(self, *path: str) -> str:
        """File and line of a key."""
        return f"{self.path}:{line_of(self.lines, (*self.prefix, *path))}"

    def profiles(self) -> frozenset[str]:
        """The names of the profiles that stand in it.

        Raises:
            ConfigError: a profile is no table.
        """
        profiles = self.table.get("profile")
        if not _is_table(profiles):
            return frozenset()
        for name, table in profiles.items():
            if not _is_table(table):
                raise _wrong(self.where("profile", name), f"profile.{name}", "a table such as [profile.NAME.server]")
        return frozenset(profiles)

    def values(self, layer: Layer) -> dict[str, Value]:
        """The settings outside of profiles.

        Raises:
            ConfigError: a setting is unknown, or is no table where one belongs.
        """
        table = {name: item for name, item in self.table.items() if name != "profile" or not _is_table(item)}
        return self._flatten(table, (), layer)

    def profile_values(self, name: str) -> dict[str, Value]:
        """The settings of one profile; none when it is not here.

        Raises:
            ConfigError: as for `values`.
        """
        profiles = self.table.get("profile")
        table = profiles.get(name) if _is_table(profiles) else None
        return self._flatten(table, ("profile", name), "profile") if _is_table(table) else {}

    def _flatten(self, table: Mapping[str, object], path: tuple[str, ...], layer: Layer) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for name, item in table.items():
            self._take(found, (name,), item, path, layer)
        return found

    def _take(
        self, found: dict[str, Value], key: tuple[str, ...], item: object, path: tuple[str, ...], layer: Layer
    ) -> None:
        name, where = ".".join(key), self.where(*path, *key)
        if _is_entry(key):
            _check_entry(where, key[-1], name)
        if name in tables() or (_is_entry(key) and _entry_fields(key)):
            if not _is_table(item):
                raise _wrong(where, name, f"a table: [{'.'.join((*path, *key))}]")
            for inner, value in item.items():
                self._take(found, (*key, inner), value, path, layer)
            return
        if _is_key_of_a_provider(key):
            raise _key_in_a_file(where, key)
        known = name in all_keys() or _is_entry(key) or (_is_entry(key[:-1]) and key[-1] in _entry_fields(key[:-1]))
        if not known or (path and name == "profile"):
            raise _unknown(where, key)
        found[name] = Value(item, Source(layer, where), self.path.parent)


def _is_entry(key: tuple[str, ...]) -> bool:
    """Whether it names an entry of a table whose keys everyone chooses."""
    return ".".join(key[:-1]) in open_tables()


def _entry_fields(key: tuple[str, ...]) -> frozenset[str]:
    return open_tables()[".".join(key[:-1])]


def _check_entry(where: str, entry: str, name: str) -> None:
    if not _ENTRY.fullmatch(entry):
        raise ConfigError(
            f"The name in `{name[:80]}` is not allowed",
            why=f"It stands in {where}",
            fix="Use letters, digits, `-`, `_`",
        )


def _is_key_of_a_provider(key: tuple[str, ...]) -> bool:
    return key[:2] == ("llm", "providers") and key[3:] in {("api_key",), ("api_keys",), ("key",), ("token",)}


def _key_in_a_file(where: str, key: tuple[str, ...]) -> ConfigError:
    return ConfigError(
        f"The key of the provider {key[2]!r} stands in a settings file",
        why=f"It stands in {where}, where everybody reads it who reads the project",
        fix='Put it into the environment or `.env`, and write `api_key_env = "NAME"` here; was it shared, change it',
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
    )


def _wrong(where: str, key: str, expected: str) -> ConfigError:
    return ConfigError(
        f"The setting `{key}` has the wrong type", why=f"It stands in {where}", fix=f"Make it {expected}"
    )


def read_settings_file(path: Path) -> SettingsFile:
    """Read a settings file.

    Raises:
        ConfigError: it cannot be read, or is no TOML.
    """
    source = read_text(path)
    try:
        document: dict[str, object] = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise _no_toml(path, error) from None
    except RecursionError:
        raise ConfigError(f"{path} is nested too deeply", fix="Flatten it") from None
    prefix = _IN_PYPROJECT if path.name == PYPROJECT else ()
    table: object = document
    for part in prefix:
        table = table.get(part, {}) if _is_table(table) else {}
    lines = key_lines(source)
    if not _is_table(table):
        raise _wrong(f"{path}:{line_of(lines, prefix)}", ".".join(prefix), "a table: [tool.sentient]")
    return SettingsFile(path, table, lines, prefix)


def _no_toml(path: Path, error: tomllib.TOMLDecodeError) -> ConfigError:
    place = re.search(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$", str(error))
    fault = str(error)[: place.start()] if place else str(error)
    where = f"{path}:{place[1]}:{place[2]}" if place and place[1] else f"{path}, at its end"
    return ConfigError(f"{path.name} is not valid TOML", why=f"{fault}, in {where}", fix="Correct that line")
