"""From a URL in the configuration to stores that work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sentient_cli.errors import ConfigError
from sentient_cli.store.ports import EventLog, StateStore
from sentient_cli.store.prune import keep

__all__ = ["Stores", "keep", "open_stores"]

STATE_FILE: Final = "state.db"


async def _always_ready() -> None:
    return None


@dataclass(frozen=True)
class Stores:
    """The stores of one host.

    Args:
        events: Where runs are kept.
        state: Where rows are kept.
        ready: Opens what is on a disk, to learn of its faults before the first use; raises `StoreError`.
    """

    events: EventLog
    state: StateStore
    ready: Callable[[], Awaitable[None]] = _always_ready

    async def aclose(self) -> None:
        """Close both. May be called twice."""
        try:
            await self.events.aclose()
        finally:
            await self.state.aclose()


def open_stores(url: str) -> Stores:
    """The stores that a URL names. Nothing is read or written before they are used, or `Stores.ready` is awaited.

    Args:
        url: ``memory``; ``sqlite:PATH``, a SQLite file; ``file:DIR``, a directory with one file a run, and a SQLite
            file for the state. A leading ``~`` is the home directory.

    Raises:
        ConfigError: the URL is none of these.

    Example:
        >>> type(open_stores("memory").events).__name__
        'MemoryEventLog'
    """
    scheme, colon, rest = url.partition(":")
    if url == "memory":
        return _memory()
    if scheme in {"sqlite", "file"} and colon and rest.strip() and "\0" not in rest:
        path = _path(rest)
        return _sqlite(path) if scheme == "sqlite" else _file(path)
    raise ConfigError(
        "The store is not known",
        why=f"Its URL is {url[:80]!r}",
        fix="Use `memory`, `sqlite:PATH` or `file:DIR`",
    )


def _path(text: str) -> Path:
    # `sqlite:///x` is how other programs write the path /x.
    path = Path("/" + text.lstrip("/")) if text.startswith("//") else Path(text)
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ConfigError("The home directory in the URL of the store is not known", why=str(error)) from error


def _memory() -> Stores:
    from sentient_cli.store.memory import MemoryEventLog, MemoryStateStore  # noqa: PLC0415 - only what is used is loaded

    return Stores(MemoryEventLog(), MemoryStateStore())


def _sqlite(path: Path) -> Stores:
    from sentient_cli.store.database import Database  # noqa: PLC0415 - only what is used is loaded
    from sentient_cli.store.sqlite import SQLiteEventLog, SQLiteStateStore  # noqa: PLC0415 - only what is used is loaded

    database = Database(path)
    return Stores(SQLiteEventLog(database), SQLiteStateStore(database), database.open)


def _file(directory: Path) -> Stores:
    from sentient_cli.store.database import Database  # noqa: PLC0415 - only what is used is loaded
    from sentient_cli.store.file import FileEventLog  # noqa: PLC0415 - only what is used is loaded
    from sentient_cli.store.sqlite import SQLiteStateStore  # noqa: PLC0415 - only what is used is loaded

    database = Database(directory / STATE_FILE)
    return Stores(FileEventLog(directory), SQLiteStateStore(database), database.open)
