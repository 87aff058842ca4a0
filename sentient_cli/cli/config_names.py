"""Names of settings as arguments: which there are, and how a shell completes them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from sentient_cli.cli.invocation import current

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["FLAGS", "KeyArgument", "KeyOrTableArgument", "complete_key", "complete_key_or_table"]

_SERVING: Final = ("serve", "dev", "run")
_ASKING: Final = (*_SERVING, "ask")
FLAGS: Final[Mapping[str, tuple[str, ...]]] = {
    "agent": ("serve", "dev"),
    "profile": (*_ASKING, "models", "usage", "doctor"),
    "server.host": _SERVING,
    "server.port": _SERVING,
    "server.workers": ("serve",),
    "server.insecure": _SERVING,
    "server.allow_origins": ("serve", "dev"),
    "server.allow_hosts": ("serve", "dev"),
    "server.drain_delay": ("serve",),
    "server.drain_timeout": ("serve",),
    "server.run_timeout": ("serve",),
    "server.on_disconnect": ("serve",),
    "server.disconnect_grace": ("serve",),
    "store.url": ("serve", "run"),
    "llm.model": _ASKING,
    "llm.script": _ASKING,
    "log.level": _SERVING,
    "log.format": ("serve",),
}
"""The settings that have a flag, and the commands that have it."""


def complete_key(incomplete: str) -> list[tuple[str, str]]:
    """The settings whose names begin so, each with what it is for."""
    from sentient_cli.config.described import describe

    return [(name, _about(describe(name))) for name in _names() if name.startswith(incomplete)]


def complete_key_or_table(incomplete: str) -> list[tuple[str, str]]:
    """The same, and the tables that they stand in."""
    from sentient_cli.config.keys import tables

    found = [(name, "A table of settings.") for name in sorted(tables()) if name.startswith(incomplete)]
    return [*found, *complete_key(incomplete)]


def _names() -> Iterator[str]:
    """Every setting, and those of entries that the settings files have, if these can be read."""
    from sentient_cli.config import load
    from sentient_cli.config.explain import names_of
    from sentient_cli.config.keys import all_keys
    from sentient_cli.errors import SentientError

    with suppress(SentientError):
        yield from names_of(load(project=current().project, use_env_file=False))
        return
    yield from all_keys()


def _about(setting: object) -> str:
    return str(getattr(setting, "description", ""))


KeyArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="KEY", help="A setting, such as server.port.", autocompletion=complete_key)
]
KeyOrTableArgument: TypeAlias = Annotated[
    str | None,
    typer.Argument(
        metavar="KEY",
        help="A setting, or a table of them; all, if not given.",
        show_default=False,
        autocompletion=complete_key_or_table,
    ),
]
