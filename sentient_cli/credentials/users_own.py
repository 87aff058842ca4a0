"""What this user's own settings file says, in whichever profile: nothing that a project says is in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias, cast

from sentient_cli import paths

__all__ = ["Table", "own_tables", "table_in"]

Table: TypeAlias = Mapping[str, object]


def own_tables() -> Iterator[Table]:
    """The settings of the file, then those of each of its profiles. One that cannot be read has none.

    Example:
        >>> list(own_tables())
        [{}]
    """
    import tomllib  # noqa: PLC0415 - a server that starts without keys needs it for nothing

    try:
        settings: dict[str, object] = tomllib.loads(paths.user_config_file().read_text("utf-8"))
    except (OSError, ValueError):  # whoever reads the settings themselves says what is wrong with them
        settings = {}
    yield settings
    profiles = table_in(settings, "profile")
    yield from (table_in(profiles, name) for name in profiles)


def table_in(settings: Table, *names: str) -> Table:
    """A table in a table, by its names from the outside in; an empty one where there is none.

    Example:
        >>> table_in({"credentials": {"vault": {"mount": "secret"}}}, "credentials", "vault")
        {'mount': 'secret'}
    """
    for name in names:
        value = settings.get(name)
        if not isinstance(value, dict):
            return {}
        settings = cast("Table", value)
    return settings
