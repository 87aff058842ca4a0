"""The state of sessions: typed values, kept where turns are, and of changes at once none is lost."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal, Optional, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from sentient_cli import Query, Response, Session, SessionState, StateError, StateKey
from sentient_cli.errors import VersionConflictError
from sentient_cli.store.memory import MemoryStateStore
from sentient_cli.store.open import Stores, open_stores
from sentient_cli.testing import FixedClock, make_session, run_agent, run_agent_sync
from tests.host.host_kit import CHAT, answer, hosting


class Cart(BaseModel):
    items: list[str] = []
    owner: str = Field(default="nobody", alias="ownedBy")


CART = StateKey("cart", Cart)
VISITS = StateKey("visits", int)
TAGS = StateKey("tags", list[str], lambda: ["new"])


def _more(visits: int) -> int:
    return visits + 1


async def count(session: Session, query: Query, response: Response) -> None:
    visits = await session.state.change(VISITS, _more)
    await response.json("VISITS", {"visits": visits})


async def count_and_fail(session: Session, query: Query, response: Response) -> None:
    await session.state.change(VISITS, _more)
    raise ValueError(query.prompt)


@pytest.fixture(params=["memory", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the state is kept."""
    return "memory" if request.param == "memory" else f"sqlite:{tmp_path / 'runs.db'}"


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator[SessionState]:
    stores = open_stores(url)
    await stores.ready()
    yield SessionState(stores.state, CHAT)
    await stores.aclose()


async def test_a_value_is_its_default_until_it_is_set(url: str) -> None:
    async with opened(url) as state:
        assert await state.get(VISITS) == 0
        assert await state.get(TAGS) == ["new"]
        assert await state.get(CART) == Cart()
        await state.set(TAGS, ["a"])
        await state.set(CART, Cart(items=["tea"], ownedBy="Ann"))
        assert await state.get(TAGS) == ["a"]
        assert (await state.get(CART)).owner == "Ann"
        assert repr(CART) == "StateKey('cart', Cart)"


async def test_what_is_read_is_a_copy(url: str) -> None:
    async with opened(url) as state:
        (await state.get(TAGS)).append("lost")
        tags = await state.change(TAGS, lambda tags: [*tags, "kept"])
        tags.append("lost")
        assert await state.get(TAGS) == ["new", "kept"]


async def test_of_changes_at_once_none_is_lost(url: str) -> None:
    async with opened(url) as state:
        await asyncio.gather(*(state.change(VISITS, _more) for _ in range(40)))
        assert await state.get(VISITS) == 40


async def test_sessions_and_keys_are_kept_apart() -> None:
    store = MemoryStateStore()
    one, other = SessionState(store, "one"), SessionState(store, "other")
    await one.set(VISITS, 1)
    assert await other.get(VISITS) == 0
    assert await one.get(StateKey("visits.more", int)) == 0
    assert [row.key for row in await store.kept("state/")] == ["state/one/visits"]


@given(st.lists(st.one_of(st.integers(), st.text(max_size=5)), max_size=6))
async def test_what_is_set_is_what_is_read(values: list[int | str]) -> None:
    state = SessionState(MemoryStateStore(), CHAT)
    key = StateKey("values", dict[str, list[int | str]])
    await state.set(key, {"values": values})
    assert await state.get(key) == {"values": values}


async def test_what_was_another_type_once_is_told_with_its_path() -> None:
    store = MemoryStateStore()
    state = SessionState(store, CHAT)
    await state.set(StateKey("cart", dict[str, list[int]]), {"items": [1]})
    for reading in (state.get(CART), state.change(CART, lambda cart: cart)):
        with pytest.raises(StateError, match="'cart' was stored as something else") as caught:
            await reading
        assert caught.value.why.startswith("items.0: ")
    await store.put(f"state/{CHAT}/visits", b"{", expected=0)
    with pytest.raises(StateError):
        await state.get(VISITS)
    await state.set(CART, Cart())
    assert await state.get(CART) == Cart()


async def test_a_value_that_cannot_be_stored_is_refused() -> None:
    state = SessionState(MemoryStateStore(), CHAT)
    with pytest.raises(StateError, match="cannot be stored"):
        await state.set(VISITS, "x")  # type: ignore[misc]
    with pytest.raises(StateError, match="too large"):
        await state.set(TAGS, ["x" * 1024 * 1024])
    assert await state.get(TAGS) == ["new"]


@pytest.mark.parametrize("name", ["", "a/b", "a b", "x" * 129])
def test_a_key_needs_a_plain_name(name: str) -> None:
    with pytest.raises(ValueError, match="the name of a state"):
        StateKey(name, int)


async def test_whoever_is_never_first_is_told() -> None:
    class Contested(MemoryStateStore):
        async def put(self, key: str, value: bytes, *, expected: int, at: int = 0) -> int:
            raise VersionConflictError("somebody else was faster")

    calls = 0

    def counting(visits: int) -> int:
        nonlocal calls
        calls += 1
        return visits + 1

    with pytest.raises(VersionConflictError, match="'visits' could not be changed"):
        await SessionState(Contested(), CHAT, FixedClock()).change(VISITS, counting)
    assert calls > 8


# -- in runs ---------------------------------------------------------------------------------------------------------


async def test_a_host_with_memory_keeps_it_with_the_turns(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path / 'runs.db'}"
    for _ in range(2):
        async with hosting(count, memory=True, stores=open_stores(url)) as host:
            await answer(host, "x")
            await answer(host, "x", chat=None)
    stores = open_stores(url)
    await stores.ready()
    assert await SessionState(stores.state, CHAT).get(VISITS) == 2
    assert len(await stores.state.kept("state/")) == 3
    await stores.aclose()


async def test_a_host_without_memory_forgets_it_with_the_run() -> None:
    stores = open_stores("memory")
    async with hosting(count, stores=stores) as host:
        await answer(host, "x")
        await answer(host, "x")
        assert await stores.state.kept("") == []


async def test_a_change_is_kept_when_the_run_fails() -> None:
    stores = Stores(open_stores("memory").events, MemoryStateStore())
    async with hosting(count_and_fail, memory=True, stores=stores) as host:
        assert (await answer(host, "x")).outcome == "error"
        assert await SessionState(stores.state, CHAT).get(VISITS) == 1


def test_in_tests_it_goes_on_from_run_to_run() -> None:
    session = make_session()
    first = run_agent_sync(count, "x", session=session)
    second = run_agent_sync(count, "x", session=session)
    assert (first.state(TAGS), second.state(VISITS)) == (["new"], 2)
    assert run_agent_sync(count, "x").state(VISITS) == 1


async def test_a_test_can_set_it_before() -> None:
    session = make_session()
    await session.state.set(VISITS, 41)
    run = await run_agent(count, "x", session=session)
    assert run.json("VISITS", dict[str, int]) == {"visits": 42}


async def test_a_test_whose_store_is_elsewhere_has_to_read_it_itself() -> None:
    class Slow(MemoryStateStore):
        async def get(self, key: str) -> None:
            await asyncio.sleep(0)

    run = await run_agent(count, "x")
    run.session.keep_state(SessionState(Slow(), CHAT))
    with pytest.raises(LookupError):
        run.state(VISITS)


# -- what cannot be read again ---------------------------------------------------------------------------------------


class Level(BaseModel):
    n: int = Field(default=0, ge=0)


def _broken_level() -> Level:
    level = Level()
    level.n = -5
    return level


_NAN = float("nan")
_BAD: list[tuple[StateKey[object], object, str]] = [
    (cast("StateKey[object]", key), value, why)
    for key, value, why in (
        (StateKey("score", float), _NAN, "number|nan"),
        (StateKey("score", float), float("inf"), "number|inf"),
        (StateKey("maybe", cast("type[object]", float | None), lambda: None), _NAN, "number"),
        (StateKey("many", cast("type[object]", dict[str, object])), {"a": [1, {"b": _NAN}]}, r"a\[1\]\.b"),
        (StateKey("level", Level), _broken_level(), "n: Input should be greater than or equal to 0"),
        (StateKey("d", dict[str, int]), {"a": 1.5, "b": "hidden"}, "Expected `int`"),
    )
]


@pytest.mark.parametrize(("key", "value", "why"), _BAD)
async def test_what_could_not_be_read_again_is_refused_with_the_reason(
    key: StateKey[object], value: object, why: str
) -> None:
    state = SessionState(MemoryStateStore(), CHAT)
    before = await state.get(key)
    with pytest.raises(StateError) as caught:
        await state.set(key, value)
    assert re.search(why, str(caught.value.why))
    assert "hidden" not in str(caught.value)
    assert "declare the key" in str(caught.value.fix)
    assert await state.get(key) == before
    with pytest.raises(StateError):
        await state.change(key, lambda _: value)


@pytest.mark.slow
@given(st.recursive(st.none() | st.floats() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=3)))
def test_whatever_is_stored_can_be_read_again(value: object) -> None:
    key = StateKey("any", cast("type[object]", list[object]))

    async def main() -> None:
        state = SessionState(MemoryStateStore(), CHAT)
        try:
            await state.set(key, [value])
        except StateError:
            assert "nan" in repr(value) or "inf" in repr(value)
        else:
            assert await state.get(key) == [value]

    asyncio.run(main())


@pytest.mark.parametrize("kind", [int | None, Optional[int], Literal["a", "b"]])  # noqa: UP045 - both ways to say it
def test_a_type_that_makes_no_default_needs_one(kind: object) -> None:
    with pytest.raises(ValueError, match="needs a default"):
        StateKey("x", cast("type[object]", kind))
    assert StateKey("x", cast("type[object]", kind), lambda: "a").default() == "a"
