"""What ``-v`` says: which program this is, what was read from where, and what models were asked."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from sentient_cli.config import Loaded
    from sentient_cli.llm.hooks import CallRecord
    from sentient_cli.runtime.events import JsonValue

__all__ = ["CallTeller", "program_told", "sources_told"]

_LONGEST = 120


def program_told() -> str:
    """Which version this is, on which Python.

    Example:
        >>> program_told().split()[0]
        'sentient'
    """
    from sentient_cli import __version__

    return f"sentient {__version__} on Python {platform.python_version()}, {sys.executable}"


def sources_told(loaded: Loaded, *, env_file: bool = True) -> Iterator[str]:
    """Which files the settings come from, and every setting that is not a default, with its place.

    Args:
        loaded: The settings.
        env_file: Whether the file of variables is told too.
    """
    from sentient_cli.paths import user_config_file

    user = user_config_file()
    yield f"Project: {loaded.project_file or 'none, so the defaults are used'}"
    if user.is_file():
        yield f"Settings of yours: {user}"
    if env_file:
        yield f"Environment read from {loaded.env_file}" if loaded.env_file else "No .env is read"
    for name, source in loaded.sources.items():
        if source.layer != "default":
            yield f"{name} = {_value(loaded, name)} ({source})"
    if loaded.settings.llm.providers:
        yield f"Providers in the settings: {', '.join(sorted(loaded.settings.llm.providers))}"


def _value(loaded: Loaded, name: str) -> str:
    value: object = loaded.settings
    for part in name.split("."):
        value = getattr(value, part)
    several = cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,)
    text = ", ".join(map(str, several))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


class CallTeller:
    """Tells of calls to models: each try, what went wrong, how long it took.

    Args:
        tell: Takes a line.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._began = time.monotonic()
        self._first = True

    def on_record(self, record: CallRecord) -> None:
        """Tell of a record, if it is one of those."""
        data = record.data
        match record.kind:
            case "llm.request":
                self._began, self._first = time.monotonic(), True
            case "llm.attempt":
                self._say(f"try {record.attempt}: {data.get('provider')}:{data.get('model')} is asked")
            case "llm.retry":
                self._say(f"try {record.attempt} failed, the next is in {_seconds(data)} s: {_what(data.get('error'))}")
            case "llm.failover":
                self._say(f"{data.get('from')} failed, so {data.get('to')} is asked: {_what(data.get('error'))}")
            case "llm.wait":
                self._say(f"it is waited for {_seconds(data, 'seconds')} s: {_why(data)}")
            case "llm.chunks" if self._first:
                self._first = False
                self._say("the answer begins")
            case "llm.finished":
                self._say(f"the call ended: {data.get('outcome')}")
            case _:
                pass

    def _say(self, text: str) -> None:
        self._tell(f"{time.monotonic() - self._began:7.3f} s  {text}")


def _why(data: Mapping[str, JsonValue]) -> str:
    if data.get("for") == "limit":
        return f"the limit of {data.get('limit')} of {data.get('provider')} is reached"
    return f"no model could answer: {_what(data.get('error'))}"


def _seconds(data: Mapping[str, object], name: str = "after") -> str:
    after = data.get(name)
    return f"{after:.1f}" if isinstance(after, int | float) else "a few"


def _what(error: JsonValue) -> str:
    return str(error.get("what", "")) if isinstance(error, dict) else str(error)
