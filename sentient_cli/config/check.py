"""Values become settings, or an error that says which value, where it stands, and what belongs there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from pydantic import ValidationError

from sentient_cli.config.keys import all_keys
from sentient_cli.config.names import native_name
from sentient_cli.config.settings import Settings
from sentient_cli.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sentient_cli.config.values import Value

__all__ = ["check"]

_SERVICE_LINK = "tcp://"


def check(values: Mapping[str, Value]) -> Settings:
    """Check the types of the values and make settings of them. Relative paths become absolute.

    Raises:
        ConfigError: a value is wrong.
        UsageError: a value that a flag gave is wrong.
    """
    nested: dict[str, object] = {}
    for key, value in values.items():
        *way, name = key.split(".")
        target = nested
        for part in way:
            target = cast("dict[str, object]", target.setdefault(part, {}))
        target[name] = _settled(key, value)
    try:
        return Settings.model_validate(nested)
    except ValidationError as error:
        faults = [
            (_key(fault["loc"], values), fault["type"], fault["msg"]) for fault in error.errors(include_url=False)
        ]
    raise _error(values, faults) from None


def _key(location: tuple[int | str, ...], values: Mapping[str, Value]) -> str:
    names = [str(part) for part in location]
    paths = [".".join(names[:length]) for length in range(len(names), 0, -1)]
    return next((path for path in paths if path in values or path in all_keys()), paths[0])


_FILES = {"llm.script", "audit.checkpoint", "credentials.encrypted_file", "credentials.passphrase_file"}


def _settled(key: str, value: Value) -> object:
    raw = value.raw
    if key in _FILES and isinstance(raw, str | Path):
        return _absolute(value, raw)
    if key.startswith("llm.providers.") and key.endswith(".ca_file") and isinstance(raw, str) and raw:
        return str(_absolute(value, raw))
    if key == "dev.watch" and isinstance(raw, list | tuple):
        paths = cast("Sequence[object]", raw)
        return [_absolute(value, path) if isinstance(path, str | Path) else path for path in paths]
    if key == "store.url" and isinstance(raw, str):
        kind, colon, path = raw.partition(":")
        return f"{kind}:{value.directory / Path(native_name(path)).expanduser()}" if colon and path else raw
    return raw


def _absolute(value: Value, path: str | Path) -> Path:
    return value.directory / Path(native_name(str(path))).expanduser()


def _error(values: Mapping[str, Value], faults: list[tuple[str, str, str]]) -> ConfigError | UsageError:
    key, kind, message = faults[0]
    value = values.get(key)
    expected = _expected(key, kind, message)
    detail = "\n".join(
        f"{values[name].source if name in values else name}: `{name}` {_expected(name, also, text)}"
        for name, also, text in faults[1:]
    )
    if value is not None and value.source.layer == "flag":
        return UsageError(
            f"The value of {value.source} is wrong: it {expected}", fix="Give another value", detail=detail
        )
    linked = value is not None and isinstance(value.raw, str) and value.raw.startswith(_SERVICE_LINK)
    fix = (
        "Kubernetes set this variable for a service; set `enableServiceLinks: false`" if linked else "Correct the value"
    )
    where = f"It comes from {value.source}" if value is not None else ""
    return ConfigError(f"The setting `{key}` is wrong: it {expected}", why=where, fix=fix, detail=detail)


def _expected(key: str, kind: str, message: str) -> str:
    if kind == "string_pattern_mismatch" and key in all_keys():
        return f"must be {all_keys()[key].description.rstrip('.')}"
    _, found, rest = message.removeprefix("Value error, ").partition(" should ")
    expected = rest.partition(", unable to parse")[0]
    return f"must {expected}" if found else f"is not valid: {message}"
