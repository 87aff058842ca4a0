"""Values and keys as TOML writes them."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Final, cast

from sentient_cli.errors import ConfigError
from sentient_cli.sanitize import INVISIBLE

__all__ = ["escaped", "key_text", "value_text"]

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_WIDEST: Final = 100
_UNSEEN: Final = re.compile(f"(?![\ufe0e\ufe0f]){INVISIBLE.pattern}|[\u2028\u2029]")
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")
_LARGEST: Final = 2**63


def key_text(path: Sequence[str]) -> str:
    """A dotted key; what needs quotes gets them.

    Example:
        >>> key_text(["server", "port"]), key_text(["headers", "X-A b"])
        ('server.port', 'headers."X-A b"')
    """
    return ".".join(part if _BARE.fullmatch(part) else _string(part) for part in path)


def value_text(value: object, *, like: str = "", one_line: bool = False) -> str:
    r"""A value.

    Args:
        value: Text, a number, a boolean, a date or time, a path, or a list or mapping of those.
        like: How the value before it is written: text stays in its quotes where it can.
        one_line: Whether a long array is in one line too.

    Raises:
        ConfigError: TOML has no such value.

    Example:
        >>> value_text(0.2), value_text(["a", "b"]), value_text({"a": True}), value_text("x", like="'y'")
        ('0.2', '["a", "b"]', '{ a = true }', "'x'")
    """
    if isinstance(value, str | PurePath):
        return _quoted(str(value), like)
    if isinstance(value, Mapping):
        return _inline_table(cast("Mapping[object, object]", value), one_line=one_line)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return _array(cast("Sequence[object]", value), one_line=one_line)
    return _scalar(value)


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and -_LARGEST <= value < _LARGEST:
        return str(int(value))
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    raise ConfigError("A settings file cannot hold this value", why=f"It is of the type {type(value).__name__}")


def _quoted(text: str, like: str) -> str:
    plain = "'" not in text and text.isprintable() and text.isascii()
    return f"'{text}'" if plain and like.startswith("'") and not like.startswith("'''") else _string(text)


def _string(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigError("A settings file cannot hold this text", why="It is no Unicode text") from None
    return escaped(json.dumps(text, ensure_ascii=False))


def escaped(text: str, *, everything: bool = False) -> str:
    r"""TOML with the characters escaped that nobody sees. It says the same, since they stand between double quotes.

    Args:
        text: Keys and values.
        everything: Whether all is escaped that is not ASCII.

    Example:
        >>> escaped('stop = "a\u202eb"')
        'stop = "a\\u202eb"'
    """
    return (_NOT_ASCII if everything else _UNSEEN).sub(lambda found: _escape(found[0]), text)


def _escape(char: str) -> str:
    return f"\\U{ord(char):08x}" if char > "\uffff" else f"\\u{ord(char):04x}"


def _array(values: Sequence[object], *, one_line: bool) -> str:
    parts = [value_text(value, one_line=one_line) for value in values]
    line = f"[{', '.join(parts)}]"
    return line if one_line or len(line) <= _WIDEST else "[\n" + "".join(f"    {part},\n" for part in parts) + "]"


def _inline_table(table: Mapping[object, object], *, one_line: bool) -> str:
    # An inline table must be on one line, but for the arrays in it.
    parts = [f"{key_text([str(name)])} = {value_text(value, one_line=one_line)}" for name, value in table.items()]
    return f"{{ {', '.join(parts)} }}" if parts else "{}"
