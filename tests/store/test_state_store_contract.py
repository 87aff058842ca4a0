"""What every state store does, whatever keeps it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sentient_cli.errors import StoreError, VersionConflictError
from sentient_cli.store.ports import Row
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


async def test_keys(adapter: str, tmp_path: Path) -> None:
    async with opened_state(adapter, tmp_path) as store:
        names = ["a", "a/1", "a/10", "a/2", "b", "a\U0010ffff", "a_", "%", "ä"]
        for name in names:
            await store.put(name, b"", expected=0)
        assert await store.keys() == sorted(names)
        assert await store.keys("a/") == ["a/1", "a/10", "a/2"]
        assert await store.keys("a/", limit=2) == ["a/1", "a/10"]
        assert await store.keys("_") == []
        assert await store.keys("%") == ["%"]
        assert await store.keys("\ud800") == []
        assert await store.keys(limit=0) == []


@pytest.mark.parametrize("key", ["", "x" * 513, "a\0b", "\ud800"])
async def test_keys_that_cannot_be_kept(adapter: str, tmp_path: Path, key: str) -> None:
    async with opened_state(adapter, tmp_path) as store:
        with pytest.raises(StoreError, match="key"):
            await store.put(key, b"", expected=0)
        assert await store.get(key) is None
        with pytest.raises(VersionConflictError):
            await store.delete(key, expected=1)
        assert await store.keys() == []


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
            await store.keys()
        with pytest.raises(StoreError, match="closed"):
            await store.delete("k", expected=1)
