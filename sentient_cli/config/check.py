"""Values become settings, or an error that says which value, where it stands, and what belongs there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from pydantic import ValidationError

from sentient_cli.config.fields import Section
from sentient_cli.config.keys import all_keys
from sentient_cli.config.names import native_name
from sentient_cli.config.plain import plain
from sentient_cli.config.settings import RootSettings, Settings
from sentient_cli.config.values import Value
from sentient_cli.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


__all__ = ["check", "faults_in", "prepare"]

_SERVICE_LINK = "tcp://"


def check(values: Mapping[str, Value]) -> Settings:
    """Check the types of the values and make settings of them. Relative paths become absolute.

    Raises:
        ConfigError: a value is wrong.
        UsageError: a value that a flag gave is wrong.
    """
    try:
        return _made(_nested(values))
    except ValidationError as error:
        faults = _faults(error, values)
    raise _error(faults) from None


def _made(given: Mapping[str, object]) -> Settings:
    """The settings of nested values. What checks the tables in which nothing is set is not even made."""
    root = {name: value for name, value in given.items() if name in RootSettings.model_fields}
    kinds = {name: _table(name) for name in given if name not in root}
    try:
        parts = dict(_table_of(RootSettings, root)) if root else {}
        for name, kind in kinds.items():
            if kind is None:
                return Settings.model_validate(given)
            parts[name] = _table_of(kind, given[name])
    except ValidationError:
        return Settings.model_validate(given)  # says all that is wrong, and where
    return Settings.model_construct(set(given), **parts)


def _table_of(kind: type[Section], given: object) -> Section:
    made = plain(kind, cast("Mapping[str, object]", given)) if isinstance(given, dict) else None
    return kind.model_validate(given) if made is None else made


def prepare() -> None:
    """Make what checks each table, for processes that have time now and would not have it later."""
    for name in Settings.model_fields:
        kind = _table(name)
        if kind is not None:
            kind.model_rebuild()
    RootSettings.model_rebuild()


def _table(name: str) -> type[Section] | None:
    field = Settings.model_fields.get(name)
    kind = field.annotation if field is not None else None
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def faults_in(values: Mapping[str, Value], *, whole: bool = True) -> list[ConfigError | UsageError]:
    """All that is wrong with the types of these values; nothing, if they make settings.

    Args:
        values: The values.
        whole: Whether there are no others. Else what is wrong with a table has no place, since the others may mend it.
    """
    try:
        Settings.model_validate(_nested(values))
    except ValidationError as error:
        return [_error([fault]) for fault in _faults(error, values, whole=whole)]
    return []


def _nested(values: Mapping[str, Value]) -> dict[str, object]:
    nested: dict[str, object] = {}
    for key, value in values.items():
        *way, name = key.split(".")
        target = nested
        for part in way:
            target = cast("dict[str, object]", target.setdefault(part, {}))
        target[name] = _settled(key, value)
    return nested


class _Fault(NamedTuple):
    key: str
    kind: str
    message: str
    value: Value | None
    within: tuple[str, ...]

    @property
    def name(self) -> str:
        """The setting, or the entry in its table that is at fault."""
        inner = self.value.raw if self.value is not None and self.within else None
        name = self.key
        for part in self.within:
            if not isinstance(inner, dict) or part not in inner:
                break
            inner = cast("dict[str, object]", inner)[part]
            name = f"{name}.{part}"
        return name

    @property
    def where(self) -> str:
        return self.value.place(self.within) if self.value is not None else ""


def _faults(error: ValidationError, values: Mapping[str, Value], *, whole: bool = True) -> list[_Fault]:
    found: list[_Fault] = []
    for fault in error.errors(include_url=False):
        names = tuple(str(part) for part in fault["loc"])
        key = _key(names, values)
        within = names[key.count(".") + 1 :]
        value = values.get(key)
        if value is None and whole:
            value = _first_of_table(key, values)
        found.append(_Fault(key, fault["type"], fault["msg"], value, within))
    return found


def _first_of_table(key: str, values: Mapping[str, Value]) -> Value | None:
    return next((value for name, value in values.items() if name.startswith(f"{key}.") and value.places), None)


def _key(names: tuple[str, ...], values: Mapping[str, Value]) -> str:
    paths = [".".join(names[:length]) for length in range(len(names), 0, -1)]
    return next((path for path in paths if path in values or path in all_keys()), paths[0])


_FILES = {"llm.script", "audit.checkpoint", "credentials.encrypted_file", "credentials.passphrase_file"} | {
    f"credentials.{store}.{name}" for store in ("aws", "azure", "vault") for name in ("ca_file", "token_file")
}


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


def _error(faults: list[_Fault]) -> ConfigError | UsageError:
    name, value, where = faults[0].name, faults[0].value, faults[0].where
    expected = _expected(faults[0])
    detail = "\n".join(f"{fault.where or fault.key}: `{fault.name}` {_expected(fault)}" for fault in faults[1:])
    if value is not None and value.source.layer == "flag":
        return UsageError(
            f"The value of {value.source} is wrong: it {expected}", fix="Give another value", detail=detail
        )
    linked = value is not None and isinstance(value.raw, str) and value.raw.startswith(_SERVICE_LINK)
    fix = (
        "Kubernetes set this variable for a service; set `enableServiceLinks: false`" if linked else "Correct the value"
    )
    why = f"It comes from {where}" if where else ""
    return ConfigError(f"The setting `{name}` is wrong: it {expected}", why=why, fix=fix, detail=detail, where=where)


def _expected(fault: _Fault) -> str:
    if fault.kind == "string_pattern_mismatch" and fault.key in all_keys():
        return f"must be {all_keys()[fault.key].description.rstrip('.')}"
    _, found, rest = fault.message.removeprefix("Value error, ").partition(" should ")
    expected = rest.partition(", unable to parse")[0]
    return f"must {expected}" if found else f"is not valid: {fault.message}"
