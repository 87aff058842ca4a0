"""Sets in what is to be JSON: their order is another one in each process, and a run is the same in all."""

from __future__ import annotations

from typing import cast

from sentient_cli.runtime.events import encode_json

__all__ = ["with_sets_sorted"]


def with_sets_sorted(value: object) -> object:
    """The value, or where sets are in its lists and dictionaries, a copy in which they are sorted lists.

    Args:
        value: What is to be JSON. What nests too deeply, or holds itself, comes back as it is.

    Example:
        >>> with_sets_sorted({"tags": {"b", "a"}, "n": [1, {3, 2}]})
        {'tags': ['a', 'b'], 'n': [1, [2, 3]]}
    """
    try:
        return _sorted(value) if _has_set(value) else value
    except RecursionError:
        return value


def _has_set(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_has_set, cast("dict[object, object]", value).values()))
    if isinstance(value, list | tuple):
        return any(map(_has_set, cast("list[object]", value)))
    return isinstance(value, set | frozenset)


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {key: _sorted(item) for key, item in cast("dict[object, object]", value).items()}
    if isinstance(value, list | tuple):
        return [_sorted(item) for item in cast("list[object]", value)]
    if isinstance(value, set | frozenset):
        items = [_sorted(item) for item in cast("set[object]", value)]
        numbers = all(isinstance(item, int | float) for item in items)
        return sorted(items, key=None if numbers else encode_json)  # type: ignore[type-var,arg-type]
    return value
