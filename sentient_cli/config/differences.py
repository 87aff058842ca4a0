"""What is different between two tables of settings, key by key; and such a table without its secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias, cast

from typing_extensions import override

from sentient_cli.config.keys import tables
from sentient_cli.config.shown import is_masked, shown
from sentient_cli.config.toml_text import key_text
from sentient_cli.config.veiled import Veiled
from sentient_cli.secret_names import is_secret_name

__all__ = [
    "ABSENT",
    "Change",
    "Table",
    "changes_between",
    "differences",
    "hides",
    "is_entry",
    "leaves",
    "masked",
    "masked_at",
]

Table: TypeAlias = Mapping[str, object]
_SECRETS: Final = frozenset({("server", "token")})
_PROFILE: Final = ("profile",)
_FREE: Final = frozenset({"extra", "headers", "metadata", "options"})
"""Tables with names that are not ours, which alone tell whether there is a secret in them."""


class Absent:
    """What a key has that is not there."""


ABSENT: Final = Absent()


class Change(Veiled, frozen=True):
    """One key that has another value.

    Args:
        key: Its dotted name in the file.
        before: Its value before, with secrets masked; None where it had none.
        after: Its value since; None where it has none.

    Example:
        >>> Change("server.port", 8000, None).key
        'server.port'
    """

    key: str
    before: object
    after: object

    @override
    def veiled(self) -> Mapping[str, object]:
        before, after = shown(self.before, self.key), shown(self.after, self.key)
        return {"key": self.key, "before": before, "after": after}


def masked(table: Table) -> dict[str, object]:
    """Settings without their secrets.

    Args:
        table: The settings of a file.

    Example:
        >>> masked({"server": {"token": "abcdef", "port": 1}})
        {'server': {'token': '[redacted]', 'port': 1}}
    """
    return {name: masked_at(item, (name,)) for name, item in table.items()}


def masked_at(value: object, path: tuple[str, ...]) -> object:
    """A value of a settings file without the secrets in it.

    Args:
        value: The value, or a table.
        path: Where it stands in the file.

    Example:
        >>> masked_at({"password": 1234, "max_tokens": 5}, ("llm", "parameters", "extra", "work"))
        {'password': '[redacted]', 'max_tokens': 5}
    """
    if isinstance(value, Mapping):
        return {name: masked_at(item, (*path, name)) for name, item in cast("Table", value).items()}
    if isinstance(value, list):
        return [masked_at(item, path) for item in cast("list[object]", value)]
    secret = path[-2:] in _SECRETS or (bool(_FREE & set(path[:-1])) and is_secret_name(path[-1]))
    if not isinstance(value, str) and not (secret and isinstance(value, int | float)):
        return value
    return shown(value, "token" if secret else "")


def leaves(table: Table, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """All values with their keys. A table that has none is a value where its name alone says something.

    Example:
        >>> list(leaves({"server": {"port": 1}, "llm": {"retry": {}, "providers": {"work": {}}}}))
        [(('server', 'port'), 1), (('llm', 'providers', 'work'), {})]
    """
    for name, item in table.items():
        way = (*path, name)
        if not isinstance(item, Mapping) or (not item and is_entry(way)):
            yield way, item
        else:
            yield from leaves(cast("Table", item), way)


def is_entry(path: tuple[str, ...]) -> bool:
    """Whether a table says something by being there, as that of a provider or a variant does, and a profile.

    Args:
        path: Where it stands in the file.

    Example:
        >>> is_entry(("llm", "providers", "work")), is_entry(("profile", "a")), is_entry(("profile", "a", "server"))
        (True, True, False)
    """
    way = path[2:] if path[:1] == _PROFILE else path
    return bool(path[1:]) and ".".join(way) not in tables()


def differences(before: Table, after: Table) -> list[tuple[tuple[str, ...], object, object]]:
    """The keys that have other values, with both; `ABSENT` where there is none.

    Example:
        >>> differences({"a": 1, "b": 2}, {"a": 1, "b": 3})
        [(('b',), 2, 3)]
    """
    old, new = dict(leaves(before)), dict(leaves(after))
    ways = {path[:length] for path in (*old, *new) for length in range(len(path))}
    found = [
        (path, old.get(path, ABSENT), new.get(path, ABSENT))
        for path in {**old, **new}
        if path not in ways  # an empty table that has something in it on the other side
    ]
    # 1, 1.0 and true are equal, and not the same; as text nan is what it is.
    return [(path, one, other) for path, one, other in found if _as_text(one) != _as_text(other)]


def _as_text(value: object) -> str:
    return f"{type(value).__name__} {value!r}"


def changes_between(before: Table, after: Table) -> tuple[Change, ...]:
    """The same for other eyes.

    Args:
        before: Settings that are masked.
        after: The same later.
    """
    return tuple(
        Change(key_text(path), None if one is ABSENT else shown(one), None if other is ABSENT else shown(other))
        for path, one, other in differences(before, after)
    )


def hides(value: object) -> bool:
    """Whether something in a value is masked, so that it cannot be written back."""
    return is_masked(shown(value))
