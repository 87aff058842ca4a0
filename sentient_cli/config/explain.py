"""Why a setting is what it is: what each layer says of it, what won, and what does not count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from typing_extensions import override

from sentient_cli.config.check import check
from sentient_cli.config.described import Setting, describe
from sentient_cli.config.ignored import ignored
from sentient_cli.config.keys import all_keys, nearest, open_tables, tables
from sentient_cli.config.on_trial import on_trial
from sentient_cli.config.secret import Secret
from sentient_cli.config.shown import shown
from sentient_cli.config.values import LAYERS, Layer, Source, Value
from sentient_cli.config.veiled import Veiled
from sentient_cli.errors import ConfigError, ConfigurationNotFoundError, UsageError

if TYPE_CHECKING:
    from sentient_cli.config.loading import Loaded
    from sentient_cli.config.settings import Settings

__all__ = ["Explanation", "Given", "Outcome", "explain", "names_of", "unknown_setting", "value_of"]

Outcome: TypeAlias = Literal["won", "covered", "ignored", "varies"]
"""What became of a value: it holds, a higher layer says otherwise, it does not count at all, or it holds for a part."""


class Given(Veiled, frozen=True, kw_only=True):
    """A value that something gives.

    Args:
        layer: The layer.
        value: The value, as the setting's type has it if it can be read so.
        where: The place.
        outcome: What became of it.
        why: The reason, unless it won.
    """

    layer: Layer
    value: object
    where: str
    outcome: Outcome
    why: str = ""

    @override
    def veiled(self) -> Mapping[str, object]:
        # Nothing here tells what it is called, and so whether it is a secret.
        return {**super().veiled(), "value": type(self.value)}


class Explanation(Veiled, frozen=True, kw_only=True):
    """Why a setting is what it is.

    Args:
        setting: What it is.
        value: What holds.
        source: Where that comes from.
        given: Everything that gives a value, the highest layer first; within a layer, what counts first.
    """

    setting: Setting
    value: object
    source: Source
    given: tuple[Given, ...]

    @override
    def veiled(self) -> Mapping[str, object]:
        return {**super().veiled(), "value": shown(self.value, self.setting.name)}


def explain(loaded: Loaded, name: str) -> Explanation:
    """Explain a setting.

    Args:
        loaded: The settings.
        name: Its dotted name.

    Raises:
        ConfigurationNotFoundError: there is no such setting, or it is a table of settings.

    Example:
        >>> from sentient_cli.config import load
        >>> loaded = load({"server.port": 9000}, environment={"SENTIENT_SERVER_PORT": "9001"}, use_env_file=False)
        >>> explained = explain(loaded, "server.port")
        >>> explained.value, [(given.layer, given.value, given.outcome) for given in explained.given]
        (9000, [('flag', 9000, 'won'), ('environment', 9001, 'covered'), ('default', 8000, 'covered')])
    """
    setting = describe(name)
    if setting is None:
        raise unknown_setting(loaded, name)
    inner = f"{name}.{setting.fields[0]}" if setting.fields else _first_entry(loaded, name)
    if inner:
        raise ConfigurationNotFoundError(
            f"`{name}` is a table of settings",
            fix=f"Name one of them, such as `{inner}`; `sentient config show {name} --all` has all",
        )
    given = sorted(_given(loaded, setting), key=lambda one: LAYERS.index(one.layer), reverse=True)
    won = next((one for one in given if one.outcome == "won"), None)
    source = Source(won.layer, won.where) if won is not None else Source("default")
    return Explanation(setting=setting, value=value_of(loaded.settings, name), source=source, given=tuple(given))


def _first_entry(loaded: Loaded, name: str) -> str:
    """The first setting in a table whose keys everyone chooses; empty where it is none, or has none."""
    return next((each for each in names_of(loaded) if each.startswith(f"{name}.")), "") if name in open_tables() else ""


def names_of(loaded: Loaded) -> list[str]:
    """The names of all settings, those of entries that exist among them.

    Example:
        >>> from sentient_cli.config import load
        >>> names_of(load(environment={}))[:2]
        ['agent', 'profile']
    """
    more = {key for values in loaded.layers.values() for key in values if key not in all_keys()}
    return [*all_keys(), *sorted(more)]


def value_of(settings: Settings, name: str) -> object:
    """The value of a setting, or of an entry of a table; None where there is none.

    Example:
        >>> from sentient_cli.config.settings import Settings
        >>> value_of(Settings(), "llm.retry.attempts"), value_of(Settings(), "llm.providers.work.timeout")
        (3, None)
    """
    value: object = settings
    for part in name.split("."):
        value = cast("Mapping[str, object]", value).get(part) if isinstance(value, Mapping) else _field(value, part)
    return value


def _field(value: object, name: str) -> object:
    return getattr(value, name, None) if name in getattr(type(value), "model_fields", ()) else None


def _given(loaded: Loaded, setting: Setting) -> Iterator[Given]:
    winner: Layer | None = None
    for layer in reversed(LAYERS):
        key, value = _found(loaded.layers.get(layer, {}), setting.name)
        if value is None:
            continue
        within = tuple(setting.name.split(".")[key.count(".") + 1 :])
        raw = _dug(value.raw, within)
        whole = f": `{key}` is taken as a whole" if within else ""
        if raw is not None:
            typed = _typed(setting.name, value, raw)
            where = value.place(within) if within else str(value.source)
            if winner is None:
                yield Given(layer=layer, value=typed, where=where, outcome="won")
            else:
                why = f"{_called(winner)} says otherwise{whole}"
                yield Given(layer=layer, value=typed, where=where, outcome="covered", why=why)
        winner = winner or layer
    for varied, where in on_trial(loaded, setting.name):
        why = "it holds for what the experiment assigns to it"
        yield Given(layer="experiment", value=varied, where=where, outcome="varies", why=why)
    for layer, value, why in ignored(loaded, setting.name):
        typed = _typed(setting.name, value, value.raw)
        if setting.kind == "secret":  # whatever was given for it
            typed = Secret(str(value.raw))
        yield Given(layer=layer, value=typed, where=str(value.source), outcome="ignored", why=why)
    why = "" if winner is None else f"{_called(winner)} says otherwise"
    if setting.default is not None and setting.default not in ((), {}):
        outcome: Outcome = "won" if winner is None else "covered"
        yield Given(layer="default", value=setting.default, where="", outcome=outcome, why=why)


def _called(layer: Layer) -> str:
    names = {
        "user": "your own file",
        "project": "the project's file",
        "environment": "the environment",
        "preset": "the preset",
        "profile": "the profile",
        "flag": "a flag",
    }
    return names.get(layer, f"the layer {layer}")


def _found(values: Mapping[str, Value], name: str) -> tuple[str, Value | None]:
    """What a layer says of a setting: of itself, or of a table that it stands in and that was given as one value."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        key = ".".join(parts[:length])
        if key in values:
            return key, values[key]
    return "", None


def _dug(raw: object, within: tuple[str, ...]) -> object:
    for part in within:
        raw = cast("Mapping[str, object]", raw).get(part) if isinstance(raw, Mapping) else None
    return raw


def _typed(name: str, value: Value, raw: object) -> object:
    """A value as its setting has it: of the environment all come as text. What does not fit stays as it was found."""
    try:
        return value_of(check({name: Value(raw, value.source, value.directory)}), name)
    except (ConfigError, UsageError):
        return raw


def unknown_setting(loaded: Loaded, name: str) -> ConfigurationNotFoundError:
    """The error for a name that no setting has, with the one that was probably meant."""
    near = nearest(name, _similar(loaded, name))
    return ConfigurationNotFoundError(
        f"There is no setting `{name:.200}`",
        fix=f"Did you mean `{near}`?" if near else "`sentient config show --all` lists every setting",
    )


def _similar(loaded: Loaded, name: str) -> list[str]:
    parent = name.rpartition(".")[0]
    table = describe(parent) if parent else None
    inside = [f"{parent}.{field}" for field in table.fields] if table is not None else []
    return inside if parent.rpartition(".")[0] in open_tables() else [*names_of(loaded), *tables()]
