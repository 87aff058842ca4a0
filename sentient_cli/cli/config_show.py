"""``sentient config show``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sentient_cli.cli.config_names import KeyOrTableArgument
from sentient_cli.cli.invocation import current
from sentient_cli.cli.options import EnvFileOption, NoEnvFileOption, ProfileOption

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sentient_cli.cli.console import Console
    from sentient_cli.config.listing import Held

__all__ = ["config_show"]


def config_show(
    key: KeyOrTableArgument = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Those too that are as by default.", show_default=False)
    ] = False,
    sources: Annotated[
        bool, typer.Option("--sources", help="Where each value comes from.", show_default=False)
    ] = False,
    profile: ProfileOption = None,
    env_file: EnvFileOption = None,
    no_env_file: NoEnvFileOption = False,
) -> None:
    """Show the settings that hold, as TOML that can be copied into a settings file.

    What is as by default is left out unless `--all` is given. Of one setting, its value alone is shown. What is secret
    is masked, and stands behind a `#`.
    """
    from sentient_cli.config.listing import listed, within

    here = current()
    loaded = here.load(profile=profile, env_file=env_file, no_env_file=no_env_file, tell=False)
    held = list(listed(loaded) if key is None else within(loaded, key))
    is_one = len(held) == 1 and held[0].setting.name == key
    picked = held if is_one or everything else [each for each in held if not each.is_default]
    if here.console.json:
        for each in picked:
            here.console.json_line(_fields(each))
    elif is_one:
        _show_value(here.console, held[0], sources=sources)
    else:
        from sentient_cli.cli.config_text import seen

        for line in _toml(picked, here.console.width(), sources=sources):
            here.console.data(seen(line, here.console.stdout))
        if not picked:
            here.console.say("Nothing is set, so the defaults hold. `--all` shows them.")
    for warning in loaded.warnings:
        here.console.warn(warning)


def _fields(held: Held) -> dict[str, object]:
    from sentient_cli.config.shown import is_masked, shown

    name = held.setting.name
    value = shown(held.value, name)
    return {
        "key": name,
        "value": value,
        "layer": held.source.layer,
        "where": held.source.where or None,
        "default": shown(held.setting.default, name),
        "masked": is_masked(value),
    }


def _show_value(console: Console, held: Held, *, sources: bool) -> None:
    from sentient_cli.cli.config_text import can_write, near_path, seen
    from sentient_cli.config.shown import shown
    from sentient_cli.config.toml_text import value_text

    value = shown(held.value, held.setting.name)
    if value is None:
        console.say(f"{held.setting.name} is not set.")
    else:
        plain = isinstance(value, str) and can_write(value, console.stdout)  # else escaped, and in quotes to say so
        console.data(str(value) if plain else seen(value_text(value), console.stdout))
    if sources:
        console.say(f"From {near_path(str(held.source))}.")


def _toml(held: Sequence[Held], width: int, *, sources: bool) -> Iterator[str]:
    """A settings file, line by line."""
    table = ""
    for place, each in enumerate(held):
        parent = each.setting.name.rpartition(".")[0]
        if parent != table:
            if place:
                yield ""
            yield f"[{parent}]"
            table = parent
        yield from _line(each, width, sources=sources)


def _line(held: Held, width: int, *, sources: bool) -> Iterator[str]:
    from sentient_cli.cli.config_text import near_path
    from sentient_cli.config.shown import is_masked, shown
    from sentient_cli.config.toml_text import key_text, value_text
    from sentient_cli.sanitize import sanitize_line

    name = held.setting.name
    key, value = key_text([name.rpartition(".")[2]]), shown(held.value, name)
    if value is None:
        yield f"# {key} ="
        return
    # A mask must not become a value, and the values of a profile are among the others already.
    mark = "# " if is_masked(value) or name == "profile" else ""
    text = value_text(value, one_line=bool(mark))
    line = f"{mark}{key} = {text}"
    source = "" if held.is_default or not sources else f"# {sanitize_line(near_path(str(held.source)))}"
    if source and ("\n" in text or len(line) + len(source) + 2 > width):
        yield source
        source = ""
    yield f"{line}  {source}" if source else line
