"""``sentient config presets``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sentient_cli.cli.invocation import current
from sentient_cli.cli.options import EnvFileOption, NoEnvFileOption, ProfileOption

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sentient_cli.cli.console import Console
    from sentient_cli.config.preset_cards import PresetCard

__all__ = ["config_presets"]


def _complete(incomplete: str) -> list[tuple[str, str]]:
    from contextlib import suppress

    from sentient_cli.config import load
    from sentient_cli.config.preset_cards import preset_cards
    from sentient_cli.errors import SentientError

    with suppress(SentientError):
        cards = preset_cards(load(project=current().project, use_env_file=False))
        return [(card.name, card.what) for card in cards if card.name.startswith(incomplete)]
    return []


def config_presets(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="One of them; else all.", show_default=False, autocompletion=_complete),
    ] = None,
    profile: ProfileOption = None,
    env_file: EnvFileOption = None,
    no_env_file: NoEnvFileOption = False,
) -> None:
    """List the presets, ours and your own, with their parameters and where they are used.

    A preset is chosen by `llm.preset`; the one that holds now has a star. With a name, that one is shown as TOML that
    can be copied into a settings file, under a name of your own.
    """
    from sentient_cli.config.preset_cards import preset_card, preset_cards

    here = current()
    loaded = here.load(profile=profile, env_file=env_file, no_env_file=no_env_file, tell=False)
    cards = preset_cards(loaded) if name is None else [preset_card(loaded, name)]
    if here.console.json:
        for card in cards:
            here.console.json_line(_fields(card))
        return
    lines = _listed(cards, here.console) if name is None else _table(cards[0], here.console)
    from sentient_cli.cli.config_text import seen

    for line in lines:
        here.console.data(seen(line, here.console.stdout))


def _fields(card: PresetCard) -> dict[str, object]:
    from sentient_cli.config.shown import shown

    return {
        "name": card.name,
        "what": card.what or None,
        "own": card.is_own,
        "base": card.base,
        "chosen": card.is_chosen,
        "parameters": {key: shown(value.raw, key) for key, value in card.values.items()},
        "uses": [{"by": use.by, "where": use.where or None} for use in card.uses],
    }


def _listed(cards: list[PresetCard], console: Console) -> Iterator[str]:
    from sentient_cli.cli.config_text import paragraph, value_told

    width = max(len(card.name) for card in cards)
    rest = " " * (width + 4)
    for card in cards:
        mark = "*" if card.is_chosen else " "
        values = [f"{key} = {value_told(value.raw, key)}" for key, value in card.values.items()]
        yield from paragraph(console, ", ".join(values) or "-", first=f"{mark} {card.name:<{width}}  ", rest=rest)
        about = card.what or (f"Your own, on {card.base}." if card.base else "Your own.")
        yield from paragraph(console, about, first=rest, rest=rest)
        for line in _uses(card):
            yield from paragraph(console, line, first=rest, rest=f"{rest}  ")


def _uses(card: PresetCard) -> Iterator[str]:
    from sentient_cli.cli.config_text import near_path

    for use in card.uses:
        yield f"Used by {use.by}{f', {near_path(use.where)}' if use.where else ''}."


def _table(card: PresetCard, console: Console) -> Iterator[str]:
    from sentient_cli.cli.config_text import near_path, paragraph, value_told
    from sentient_cli.config.toml_text import key_text

    for line in filter(None, (card.what, *_uses(card))):
        yield from paragraph(console, line, first="# ", rest="# ")
    yield f"[llm.presets.{key_text([card.name])}]"
    for key, value in card.values.items():
        own = f"preset {card.name}"
        source = str(value.source)
        origin = "" if source == own or not card.is_own else f"  # {near_path(source.removeprefix(f'{own}, '))}"
        yield f"{key} = {value_told(value.raw, key)}{origin}"
