"""What every state store does, whatever keeps it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sentient_cli.errors import StoreError, VersionConflictError
from sentient_cli.store.ports import Row, StateStore
from tests.store.adapters import STATES, opened_state

pytestmark = pytest.mark.parametrize("adapter", STATES)


async def test_compare_and_set(adapter: str, tmp_path: Path) -> None:
    async with opened_state(adapter, tmp_path) as store:
        assert await store.get("k") is None
        first = await store.put("k", b"one", expected=0)
        assert first > 0
        assert await store.get("k") == Row(b"one", first)
        second = await store.put("k", b"\x00two", expected=first)
        assert second > first
        for stale in (0, first, second + 1, -1):
            with pytest.raises(VersionConflictError):
                await store.put("k", b"three", expected=stale)
            with pytest.raises(VersionConflictError):
                await store.delete("k", expected=stale)
        assert await store.get("k") == Row(b"\x00two", second)
        await store.delete("k", expected=second)
        assert await store.get("k") is None
        with pytest.raises(VersionConflictError):
            await store.delete("k", expected=second)
        with pytest.raises(VersionConflictError):
            await store.delete("k", expected=0)


async def test_a_row_made_anew_has_another_version(adapter: str, tmp_path: Path) -> None:
    async with opened_state(adapter, tmp_path) as store:
        old = await store.put("k", b"", expected=0)
        await store.delete("k", expected=old)
        assert await store.put("k", b"", expected=0) > old
        with pytest.raises(VersionConflictError):
            await store.put("k", b"", expected=old)


async def keys(store: StateStore, prefix: str = "", after: str = "", limit: int = 1000) -> list[str]:
    return [row.key for row in await store.kept(prefix, after=after, limit=limit)]


async def test_keys(adapter: str, tmp_path: Path) -> None:
    async with opened_state(adapter, tmp_path) as store:
        names = ["a", "a/1", "a/10", "a/2", "b", "a\U0010ffff", "a_", "%", "ä"]
        for name in names:
            await store.put(name, b"", expected=0)
        assert await keys(store) == sorted(names)
        assert await keys(store, "a/") == ["a/1", "a/10", "a/2"]
        assert await keys(store, "a/", limit=2) == ["a/1", "a/10"]
        assert await keys(store, "a/", after="a/10") == ["a/2"]
        assert await keys(store, "a/", after="b") == []
        assert await keys(store, "_") == []
        assert await keys(store, "%") == ["%"]
        assert await keys(store, "\ud800") == []
        assert await keys(store, limit=0) == []


async def test_what_is_kept_is_told_with_its_time_and_size(adapter: str, tmp_path: Path) -> None:
    async with opened_state(adapter, tmp_path) as store:
        first = await store.put("a", b"one", expected=0, at=5)
        assert await store.kept() == [("a", first, 5, 3)]
        second = await store.put("a", b"\x00more", expected=first, at=2**62)
        other = await store.put("b", b"", expected=0)
        assert await store.kept() == [("a", second, 2**62, 5), ("b", other, 0, 0)]
        await store.delete("a", expected=second)
        assert await store.kept() == [("b", other, 0, 0)]


@pytest.mark.parametrize("key", ["", "x" * 513, "a\0b", "\ud800"])
async def test_keys_that_cannot_be_kept(adapter: str, tmp_path: Path, key: str) -> None:
    async with opened_state(adapter, tmp_path) as store:
        with pytest.raises(StoreError, match="key"):
            await store.put(key, b"", expected=0)
        assert await store.get(key) is None
        with pytest.raises(VersionConflictError):
            await store.delete(key, expected=1)
        assert await store.kept() == []


async def test_of_many_writers_one_wins(adapter: str, tmp_path: Path) -> None:
    async with opened_state(adapter, tmp_path) as store:
        results = await asyncio.gather(
            *(store.put("k", b"%d" % number, expected=0) for number in range(10)), return_exceptions=True
        )
        assert sum(isinstance(result, int) for result in results) == 1
        assert sum(isinstance(result, VersionConflictError) for result in results) == 9


async def test_closed(adapter: str, tmp_path: Path) -> None:
    async with opened_state(adapter, tmp_path) as store:
        await store.put("k", b"", expected=0)
        await store.aclose()
        await store.aclose()
        with pytest.raises(StoreError, match="closed"):
            await store.get("k")
        with pytest.raises(StoreError, match="closed"):
            await store.put("k", b"", expected=0)
        with pytest.raises(StoreError, match="closed"):
            await store.kept()
        with pytest.raises(StoreError, match="closed"):
            await store.delete("k", expected=1)
