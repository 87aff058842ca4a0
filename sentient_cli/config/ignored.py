"""Values that somebody gave and that do not count, with the reason: what a reader looks for when nothing happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sentient_cli.config.envfile import read_env_file
from sentient_cli.config.files import read_settings_file
from sentient_cli.config.keys import all_keys
from sentient_cli.config.places import PYPROJECT
from sentient_cli.config.values import Layer, Source, Value, text_value
from sentient_cli.errors import ConfigError

if TYPE_CHECKING:
    from sentient_cli.config.loading import Loaded

__all__ = ["ignored"]


def ignored(loaded: Loaded, name: str) -> Iterator[tuple[Layer, Value, str]]:
    """Values of a setting that do not count, with their layer and why.

    Args:
        loaded: The settings.
        name: The dotted name of the setting.

    Example:
        >>> from sentient_cli.config import load
        >>> loaded = load(environment={"SENTIENT_SERVER_PORT": ""}, use_env_file=False)
        >>> [(value.raw, why) for _, value, why in ignored(loaded, "server.port")]
        [('', 'a variable that is empty counts as not set')]
    """
    yield from _variables(loaded, name)
    yield from _profiles(loaded, name)
    yield from _passed_over(loaded, name)


def _variables(loaded: Loaded, name: str) -> Iterator[tuple[Layer, Value, str]]:
    key = all_keys().get(name)
    if key is None:
        return
    given = loaded.layers.get("environment", {}).get(name)
    file = loaded.env_file
    if file is not None and given is not None and str(given.source) == key.variable:
        text = read_env_file(file).get(key.variable)
        if text:
            raw = text_value(text, is_list=key.is_list)
            source = Source("environment", f"{key.variable} in {file}")
            yield "environment", Value(raw, source, file.parent), "the variable of the shell goes before it"
    if given is None and loaded.environment.get(key.variable) == "":
        empty = Value("", Source("environment", key.variable), Path())
        yield "environment", empty, "a variable that is empty counts as not set"


def _profiles(loaded: Loaded, name: str) -> Iterator[tuple[Layer, Value, str]]:
    chosen = loaded.settings.profile
    counts = loaded.layers.get("profile", {}).get(name)
    for file in loaded.files:
        for profile in sorted(file.profiles(_pass)):
            value = file.profile_values(profile, _pass).get(name)
            if value is None or (counts is not None and value.source == counts.source):
                continue
            is_chosen = profile == chosen
            why = "the project's file goes before it" if is_chosen else f"the profile is {chosen}, not {profile}"
            yield "profile", value, why


def _passed_over(loaded: Loaded, name: str) -> Iterator[tuple[Layer, Value, str]]:
    chosen = loaded.project_file
    other = None if chosen is None or chosen.name == PYPROJECT else chosen.with_name(PYPROJECT)
    if chosen is None or other is None or not other.is_file():
        return
    with suppress(ConfigError):
        value = read_settings_file(other).values("project", _pass).get(name)
        if value is not None:
            yield "project", value, f"{PYPROJECT} is passed over beside {chosen.name}"


def _pass(fault: ConfigError) -> None:
    """What is wrong in a place that does not count is not for now."""
