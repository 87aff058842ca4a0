"""How settings are told to people: what one is, and what each layer says of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from sentient_cli.cli.config_names import FLAGS
from sentient_cli.cli.streams import is_terminal
from sentient_cli.config.on_trial import can_vary
from sentient_cli.config.shown import shown
from sentient_cli.config.toml_text import escaped, value_text
from sentient_cli.config.values import LAYERS, Layer
from sentient_cli.errors import ConfigError
from sentient_cli.sanitize import sanitize_line

if TYPE_CHECKING:
    from sentient_cli.cli.console import Console
    from sentient_cli.config.described import Kind, Setting
    from sentient_cli.config.explain import Explanation, Given

__all__ = ["can_write", "explanation_lines", "near_path", "paragraph", "range_told", "seen", "type_told", "value_told"]

_KINDS: Final[dict[Kind, str]] = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "path": "a path",
    "secret": "a secret",
    "array": "a list",
    "table": "a table",
    "any": "any value",
}
_PLURAL: Final[dict[Kind, str]] = {
    "integer": "whole numbers",
    "number": "numbers",
    "string": "texts",
    "path": "paths",
    "table": "tables",
}
_WHILE_RUNNING: Final[tuple[Layer, ...]] = ("session", "experiment")
_ABSENT: Final[dict[Layer, str]] = {"session": "what an agent says with `llm.use`"}
_LONGEST: Final = 40
_LEAST: Final = 30


def type_told(setting: Setting) -> str:
    """The type of a setting, with its unit and range.

    Example:
        >>> from sentient_cli.config.described import describe
        >>> type_told(describe("server.port")), type_told(describe("llm.deadline"))
        ('a whole number from 0 to 65535', 'a number of seconds, above 0')
        >>> type_told(describe("log.format")), type_told(describe("server.allow_hosts"))
        ('`json` or `text`', 'a list of texts')
    """
    choices = " or".join(", ".join(f"`{choice}`" for choice in setting.choices).rsplit(",", 1))
    if setting.kind in {"array", "table"} and setting.of is not None:
        return f"{_KINDS[setting.kind]} of {choices or _PLURAL.get(setting.of, 'any values')}{range_told(setting)}"
    return choices or f"{_KINDS[setting.kind]}{f' of {setting.unit}' if setting.unit else ''}{range_told(setting)}"


def range_told(setting: Setting) -> str:
    """The numbers that a setting takes, as the end of a sentence; empty where it takes all."""
    lower = setting.least if setting.least is not None else setting.above
    upper = setting.most if setting.most is not None else setting.below
    if setting.least is not None and setting.most is not None:
        return f" from {setting.least:g} to {setting.most:g}"
    said: list[str] = []
    if lower is not None:
        said.append(f"{'at least' if setting.least is not None else 'above'} {lower:g}")
    if upper is not None:
        said.append(f"{'at most' if setting.most is not None else 'below'} {upper:g}")
    return f", {' and '.join(said)}" if said else ""


def seen(text: str, stream: TextIO | None) -> str:
    r"""TOML with the characters escaped that nobody sees, or that a stream cannot write: it says the same.

    Args:
        text: Keys and values.
        stream: Where it is written to.

    Example:
        >>> import io
        >>> seen('stop = "\u00e9"', io.TextIOWrapper(io.BytesIO(), "ascii"))
        'stop = "\\u00e9"'
    """
    return escaped(text, everything=not can_write(text, stream))


def can_write(text: str, stream: TextIO | None) -> bool:
    r"""Whether a stream knows all characters of a text.

    Args:
        text: The text.
        stream: Where it is to be written to.

    Example:
        >>> import io
        >>> can_write("caf\u00e9", io.TextIOWrapper(io.BytesIO(), "ascii"))
        False
    """
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def value_told(value: object, name: str, longest: int = 0) -> str:
    """A value in one line, masked, and as TOML has it; ``-``, where there is none.

    Args:
        value: The value.
        name: The setting.
        longest: How many characters are shown; 0: all.
    """
    told = shown(value, name)
    try:
        text = "-" if told is None else value_text(told, one_line=True)
    except ConfigError:  # of what does not count, anything can be there
        text = sanitize_line(str(told))
    return text if not longest or len(text) <= longest else f"{text[: longest - 3]}..."


def near_path(where: str) -> str:
    """A place in a file by the shortest name that it has from here.

    Example:
        >>> near_path(f"{Path.cwd()}/sentient.toml:3:1")
        'sentient.toml:3:1'
    """
    where = where.replace(f"{Path.cwd()}{os.sep}", "")
    with suppress(RuntimeError):  # a user without a home
        where = where.replace(f"{Path.home()}{os.sep}", f"~{os.sep}")
    return where


def paragraph(console: Console, text: str, *, first: str = "", rest: str = "") -> Iterator[str]:
    """Lines of a text that fit the terminal; one line, where there is none.

    Args:
        console: Where it is written to.
        text: The text.
        first: What stands before its first line.
        rest: What stands before the others.
    """
    if not is_terminal(console.stdout):
        yield f"{first}{text}"
        return
    import textwrap

    width = console.width()
    rest = rest if width - len(rest) >= _LEAST else "  "
    yield from textwrap.wrap(text, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)


def explanation_lines(explained: Explanation, console: Console) -> Iterator[str]:
    """The lines that explain a setting."""
    setting = explained.setting
    value = value_told(explained.value, setting.name)
    told = f"{setting.name} = {value}" if value != "-" else f"{setting.name} is not set"
    yield from paragraph(console, told, rest="  ")
    yield ""
    if setting.description:
        yield from paragraph(console, setting.description)
    facts = [("type", type_told(setting)), ("default", _default(setting)), *_ways(setting)]
    for name, text in facts:
        yield from paragraph(console, text, first=f"  {name:<9} ", rest=" " * 12)
    yield ""
    yield from _layers(explained, console)


def _default(setting: Setting) -> str:
    told = value_told(setting.default, setting.name)
    return "not set" if told in {"-", "[]", "{}"} else told


def _ways(setting: Setting) -> Iterator[tuple[str, str]]:
    if setting.variable:
        yield "variable", setting.variable
    commands = FLAGS.get(setting.name, ())
    if commands:
        yield "flag", f"{setting.flag} of {', '.join(commands)}"


def _layers(explained: Explanation, console: Console) -> Iterator[str]:
    """What each layer says, the highest first."""
    setting, given = explained.setting, explained.given
    name = setting.name
    width = max((len(value_told(one.value, name, _LONGEST)) for one in given), default=1)
    for layer in reversed(LAYERS):
        said = [one for one in given if one.layer == layer]
        for one in said:
            yield from paragraph(console, _row(one, name, width), rest=" " * 23)
        if not said and _speaks(layer, setting):
            yield from paragraph(console, f"-        {layer:<12} {_ABSENT.get(layer, '')}".rstrip(), rest=" " * 23)


def _speaks(layer: Layer, setting: Setting) -> bool:
    """Whether a layer can have anything to say of a setting."""
    if layer == "flag":
        return setting.name in FLAGS
    if layer == "environment":
        return bool(setting.variable)
    if layer == "preset":
        return setting.name.startswith("llm.parameters.")
    if layer in _WHILE_RUNNING:
        return can_vary(setting.name)
    return layer != "default"


def _row(one: Given, name: str, width: int) -> str:
    where = near_path(one.where)
    why = f" ({near_path(one.why)})" if one.why and one.outcome == "ignored" else ""
    return f"{one.outcome:<8} {one.layer:<12} {value_told(one.value, name, _LONGEST):<{width}}  {where}{why}".rstrip()
