"""Whoever writes at the same time, and however long each step takes: one change counts, and nobody saw another."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.credentials.stores.azure_chain import (
    CHANGE,
    NOTHING,
    REPLACES,
    SETTLED,
    head_of,
    in_doubt,
    successor,
)
from sentient_cli.credentials.stores.azure_wire import Versions, Written


@dataclass
class _Service:
    now: int = 100
    versions: list[Written] = field(default_factory=list[Written])

    def look(self) -> Versions:
        return Versions(self.now, tuple(self.versions))


def _writer(service: _Service, ids: list[str], won: dict[str, str]) -> Generator[None]:
    """The steps of one change after another, as the store takes them; each may come late."""
    while ids:
        found = service.look()
        head = head_of(found)
        place = head.version if head is not None else NOTHING
        yield
        if in_doubt(found, place):
            continue
        id_ = ids.pop()
        mine = Written(id_, service.now, enabled=True, tags={REPLACES: place, CHANGE: id_})
        service.versions.append(mine)
        yield
        while service.now < mine.created + SETTLED + 1:
            yield
        after = successor(service.look().versions, place)
        if after == mine:
            assert place not in won, "two changes took the place of one"
            won[place] = id_
        yield


@given(
    st.permutations([f"{number:02}" for number in range(24)]),
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 0, 0, 1, 1, 2, 5])), max_size=120),
)
def test_one_of_all_changes_counts(ids: list[str], steps: list[tuple[int, int]]) -> None:
    service, won = _Service(), dict[str, str]()
    writers = [_writer(service, ids, won) for _ in range(4)]
    seen: set[str] = set()
    for number, passed in steps:
        service.now += passed
        next(writers[number], None)
        head = head_of(service.look())
        seen.update([head.version] if head is not None else [])
        assert set(won.values()) <= _chain(service), "a change that was made does not count"
    service.now += 10
    assert seen <= _chain(service), "somebody saw a change that does not count"


def _chain(service: _Service) -> set[str]:
    """All that counts or has counted, once everything is settled."""
    found: set[str] = set()
    place = NOTHING
    while after := successor(service.versions, place):
        place = after.version
        found.add(place)
    return found


def test_a_circle_ends() -> None:
    versions = (
        Written("a", 1, enabled=True, tags={REPLACES: NOTHING, CHANGE: "1"}),
        Written("b", 1, enabled=True, tags={REPLACES: "a", CHANGE: "2"}),
        Written("a", 2, enabled=True, tags={REPLACES: "b", CHANGE: "3"}),
    )
    head = head_of(Versions(99, versions))
    assert head is not None
    assert head.version == "a"
