"""A value that was typed at a command line, as a settings file has it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

from pydantic import TypeAdapter

from sentient_cli.config.check import check, faults_in
from sentient_cli.config.described import Kind, Setting, describe
from sentient_cli.config.differences import hides, masked_at
from sentient_cli.config.explain import value_of
from sentient_cli.config.keys import all_keys, nearest, open_tables, tables
from sentient_cli.config.toml_text import key_text
from sentient_cli.config.values import Source, Value
from sentient_cli.errors import ConfigError, ConfigurationNotFoundError
from sentient_cli.redact import redactor

__all__ = ["read_value", "refuse_secret", "require_setting"]

_TYPES: Final[Mapping[str, type]] = {"boolean": bool, "integer": int, "number": float}
_KEYS: Final = frozenset({"api_key", "api_keys", "key", "token"})


def require_setting(path: tuple[str, ...]) -> Setting:
    """What a setting is.

    Args:
        path: Its name, in parts.

    Raises:
        ConfigError: it is a secret, which no settings file should hold.
        ConfigurationNotFoundError: there is no such setting.
    """
    name = _dotted(path)
    setting = describe(name)
    if path[:2] == ("llm", "providers") and path[3:] and path[-1] in _KEYS:
        raise _secret(key_text(path), f"Store it with `sentient keys set {path[2]}`")
    if path[0] == "profile" and len(path) > len(("profile", "NAME")):
        raise ConfigurationNotFoundError(
            f"`{key_text(path):.200}` is a setting in a profile",
            fix=f"Give --profile {path[1]}, and the name `{key_text(path[2:]):.200}`",
        )
    if setting is None:
        parent = ".".join(path[:-1])
        table = describe(parent) if ".".join(path[:-2]) in open_tables() else None
        near = nearest(name, [f"{parent}.{field}" for field in table.fields] if table else [*all_keys(), *tables()])
        raise ConfigurationNotFoundError(
            f"There is no setting `{name:.200}`",
            fix=f"Did you mean `{near}`?" if near else "`sentient config show --all` lists every setting",
        )
    if setting.kind == "secret":
        raise _secret(name, f"Set the variable {setting.variable}, in the environment or in `.env`")
    return setting


def read_value(path: tuple[str, ...], text: str) -> object:
    """A value for a setting.

    It is read as TOML, and then as the type of the setting has it: text needs no quotes, a list may have commas alone.

    Args:
        path: The name of the setting, in parts.
        text: What was typed.

    Raises:
        ConfigError: it is not what the setting takes, or is a secret.
        ConfigurationNotFoundError: there is no such setting.

    Example:
        >>> read_value(("server", "port"), "9000"), read_value(("server", "allow_origins"), "http://a, http://b")
        (9000, ['http://a', 'http://b'])
        >>> read_value(("llm", "usage"), "off"), read_value(("agent",), "main:agent")
        (False, 'main:agent')
    """
    setting = require_setting(path)
    name = _dotted(path)
    if setting.fields and not text.lstrip().startswith("{"):
        raise ConfigError(
            f"`{name}` is a table of settings", fix=f"Set one of them, such as `{name}.{setting.fields[0]}`"
        )
    if "://" not in text and redactor.redact(text) != text:
        raise _secret(key_text(path), "Store it with `sentient keys set NAME`, or name its variable with `api_key_env`")
    value = _list(setting, text) if setting.kind == "array" else _one(setting.kind, text)
    refuse_secret(path, value)
    found = Value(value, Source("project", "what was given"), Path.cwd())
    fault = next((fault for fault in faults_in({name: found}) if f"`{name}" in fault.what), None)
    if fault is not None:
        raise ConfigError(
            fault.what, why="Nothing was changed", fix=f"`sentient config explain {name}` says what it takes"
        )
    return _typed(name, setting.kind, found)


def refuse_secret(path: tuple[str, ...], value: object) -> None:
    """Keep a secret out of a settings file.

    Args:
        path: The name of the setting, in parts.
        value: What is to be written.

    Raises:
        ConfigError: it is, or holds, a secret.
        ConfigurationNotFoundError: there is no such setting.
    """
    setting = require_setting(path)
    if hides(masked_at(value, path)):
        raise _secret(key_text(path), _home(setting, path))


def _dotted(path: tuple[str, ...]) -> str:
    # A dot within a name of somebody's choice must not look like one between names.
    return ".".join(part.replace(".", "_") for part in path)


def _typed(name: str, kind: Kind, value: Value) -> object:
    if kind not in {"boolean", "integer", "number"} or not isinstance(value.raw, str):
        return value.raw
    try:
        return value_of(check({name: value}), name)
    except ConfigError:  # what else must be in its table may be in the file
        return TypeAdapter[object](_TYPES[kind]).validate_python(value.raw)


def _list(setting: Setting, text: str) -> object:
    if text.lstrip().startswith("["):
        return _toml(text)
    if text.lstrip()[:1] in {'"', "'"} and isinstance(quoted := _toml(f"[{text}]"), list):
        return cast("list[object]", quoted)  # a comma between quotes is part of the text
    return [_one(setting.of or "any", part.strip()) for part in text.split(",") if part.strip()]


def _one(kind: Kind, text: str) -> object:
    if kind in {"string", "path"}:
        quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
        return _toml(text) if quoted else text
    return _toml(text)


def _toml(text: str) -> object:
    """The value that TOML knows by this text, else the text."""
    try:
        document: dict[str, object] = tomllib.loads(f"value = {text}")
        repr(document)
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    except ValueError:
        raise ConfigError(
            "A number has too many digits", why="Nothing was changed", fix="Give a smaller one, or text in quotes"
        ) from None
    return document["value"] if len(document) == 1 else text


def _home(setting: Setting, path: tuple[str, ...]) -> str:
    """Where a secret belongs that was given for a setting."""
    if setting.variable:
        return f"Set the variable {setting.variable}, in the environment or in `.env`"
    own = "into your own file, which nobody else reads: `sentient config edit --user`"
    if path[:2] == ("llm", "providers") and path[2:]:
        return f"Store a key with `sentient keys set {path[2]}`; write what is none {own}"
    return f"Write it {own}"


def _secret(name: str, fix: str) -> ConfigError:
    return ConfigError(
        f"`{name}` would put a secret into a settings file",
        why="Whoever reads the project reads it, and what was typed stays in the history of the shell",
        fix=fix,
    )
