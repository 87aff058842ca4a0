"""Reads the script of the offline model from TOML, JSON or JSON Lines; a fault is a `ConfigError` with its place."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

import msgspec

from sentient_cli.errors import ConfigError, ConfigurationNotFoundError
from sentient_cli.llm.offline.locate import json_line, toml_line
from sentient_cli.llm.offline.script import Rule, Script

__all__ = ["load_script", "parse_script"]

Format: TypeAlias = Literal["toml", "json", "jsonl"]

_T = TypeVar("_T")

MAX_BYTES = 8 * 1024 * 1024
_FORMATS: dict[str, Format] = {".toml": "toml", ".json": "json", ".jsonl": "jsonl"}
_AT_PATH = re.compile(r" - at `([^`]*)`$")
_FIELD = re.compile(r"field `([^`]*)`")


def load_script(path: Path | str) -> Script:
    r"""Read a script from a file; its suffix is ``.toml``, ``.json`` or ``.jsonl``.

    Raises:
        ConfigurationNotFoundError: there is no such file.
        ConfigError: it cannot be read, or is no script; with file, line and key.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "script.toml")
        ...     _ = path.write_text('[[rule]]\nmatch = "hi"\nanswer = "Hello!"')
        ...     load_script(path).rule[0].answer
        'Hello!'
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigurationNotFoundError(
            f"There is no offline script {str(path)!r}", fix="Check `--script`, or `script` in `[llm]`"
        ) from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"The offline script {str(path)!r} cannot be read", why=_plain(error)) from error
    form = _FORMATS.get(path.suffix.lower())
    if form is None:
        raise ConfigError(
            f"The offline script {path.name!r} has a suffix that is not known",
            fix="Call it `.toml`, `.json` or `.jsonl`",
        )
    return parse_script(data, form, name=str(path))


def parse_script(data: bytes | str, form: Format = "toml", *, name: str = "script") -> Script:
    r"""Read a script from its text.

    Args:
        data: The text; bytes are UTF-8.
        form: What it is written in. In JSON Lines every line is a rule.
        name: What errors call it.

    Raises:
        ConfigError: it is no script; with file, line and key.

    Example:
        >>> parse_script('[[rule]]\nmatch = "hi"\nanswer = "Hello!"').rule[0].answer
        'Hello!'
    """
    text = _text(data, name)
    if form == "jsonl":
        return _parse_lines(text, name)
    try:
        value: object = tomllib.loads(text) if form == "toml" else json.loads(text)
    except (ValueError, RecursionError, OverflowError) as error:
        raise _fault(name, _syntax_line(error, text), _plain(error)) from error
    locate = toml_line if form == "toml" else json_line
    return _convert(value, Script, name, lambda path: locate(text, path))


def _text(data: bytes | str, name: str) -> str:
    if len(data) > MAX_BYTES:
        raise ConfigError(f"The offline script {name!r} is too large", fix=f"Keep it under {MAX_BYTES >> 20} MiB")
    if isinstance(data, str):
        return data.removeprefix("\ufeff")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _fault(name, data.count(b"\n", 0, error.start) + 1, "it is not UTF-8") from error


def _parse_lines(text: str, name: str) -> Script:
    rules: list[Rule] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value: object = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _fault(name, number, _plain(error)) from error
        rules.append(_convert(value, Rule, name, _always(number)))
    return Script(rule=tuple(rules))


def _convert(value: object, kind: type[_T], name: str, line: Callable[[str], int]) -> _T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        said = str(error)
        found = _AT_PATH.search(said)
        path = found[1] if found else "$"
        field = _FIELD.search(said)
        if field and "unknown" in said:
            path = f"{path}.{field[1]}"
        raise _fault(name, line(path), _AT_PATH.sub("", said), key=path.removeprefix("$").lstrip(".")) from error
    except RecursionError as error:
        raise _fault(name, 1, _plain(error)) from error


def _always(number: int) -> Callable[[str], int]:
    return lambda _path: number


def _syntax_line(error: Exception, text: str) -> int:
    if isinstance(error, json.JSONDecodeError):
        return error.lineno
    if "at end of document" in str(error):
        return text.count("\n") + 1
    found = re.search(r"at line (\d+)", str(error))
    return int(found[1]) if found else 1


def _plain(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, OSError):
        return error.strerror or "it cannot be opened"
    return str(error)


def _fault(name: str, line: int, why: str, *, key: str = "") -> ConfigError:
    place = f" at {key}" if key else ""
    return ConfigError(
        f"The offline script {name}, line {line}{place} is not valid",
        why=why[:1].upper() + why[1:],
        fix="See the page on the offline model for what a script may hold",
    )
