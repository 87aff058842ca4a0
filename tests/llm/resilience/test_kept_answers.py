"""What every place for answers has to do, in memory and in a file; and what a file has to do besides."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from sentient_cli.llm import AnswerCache, Chunk, LLMManager, SqliteCache
from sentient_cli.llm.parts import ThinkingPart
from sentient_cli.llm.resilience.cache import KeptAnswer, MemoryCache
from sentient_cli.llm.resilience.policies import ResiliencePolicies
from sentient_cli.llm.types import Usage
from sentient_cli.redact import Redactor
from tests.llm.parts import StepClock
from tests.llm.resilience.actors import STOP, USAGE, Actor, Deed, said

WELL: list[Deed] = [*said("Hello, you"), STOP, USAGE]
FILE = Path("kept", "answers.db")

Made = Callable[..., AnswerCache]


@pytest.fixture(params=["memory", "sqlite"])
def made(request: pytest.FixtureRequest) -> Made:
    """Makes a place for answers."""

    def make(*, seconds: float = 60, most: int = 100_000, count: int = 100, clock: StepClock) -> AnswerCache:
        if request.param == "memory":
            return MemoryCache(seconds, most, clock, count=count)
        return SqliteCache(FILE, seconds=seconds, most=most, count=count, clock=clock)

    return make


def _answer(text: str = "Hello") -> KeptAnswer:
    return KeptAnswer("p", "m", (Chunk(text), Chunk(usage=Usage(1, output=2), finish_reason="stop")))


def _on_disk(end: str = "") -> bytes:
    return Path(f"{FILE}{end}").read_bytes()


def _change(old: bytes, new: bytes) -> None:
    FILE.write_bytes(_on_disk().replace(old, new))


async def _close(cache: AnswerCache) -> None:
    if isinstance(cache, SqliteCache):
        await cache.aclose()


async def test_an_answer_comes_back_as_it_was(made: Made) -> None:
    cache = made(clock=StepClock())
    assert await cache.get("a") is None
    chunks = (Chunk(thinking=ThinkingPart("Hm", signature="s")), Chunk("Ü", extra={"x": [1, None]}))
    whole = KeptAnswer("p", "m", chunks, notices=("`seed` was left out",))
    await cache.put("a", whole)
    await cache.put("b", _answer())
    assert await cache.get("a") == whole
    await cache.put("a", _answer("other"))
    assert await cache.get("a") == _answer("other")
    assert await cache.get("b") == _answer()
    await _close(cache)


async def test_answers_grow_old(made: Made) -> None:
    clock = StepClock()
    cache = made(seconds=10, clock=clock)
    await cache.put("a", _answer())
    assert await cache.get("a") is not None
    clock.time += 10 * 10**9 - 1
    assert await cache.get("a") is not None
    clock.time += 1
    assert await cache.get("a") is None
    await _close(cache)


async def test_what_was_not_asked_for_longest_goes_first(made: Made) -> None:
    cache = made(count=2, clock=StepClock())
    await cache.put("a", _answer())
    await cache.put("b", _answer())
    assert await cache.get("a") is not None
    await cache.put("c", _answer())
    assert [await cache.get(key) is not None for key in "abc"] == [True, False, True]
    await _close(cache)


async def test_all_of_them_have_so_much_room(made: Made) -> None:
    cache = made(most=5000, clock=StepClock())
    for key in "abc":
        await cache.put(key, _answer("x" * 1800))
    assert await cache.get("a") is None
    assert await cache.get("c") is not None
    await cache.put("c", _answer("x" * 6000))
    assert await cache.get("c") is None, "an older answer than the last is none"
    await _close(cache)


def _over(cache: SqliteCache, actor: Actor) -> LLMManager:
    return LLMManager([actor], default_model="plain:m", policies=ResiliencePolicies(cache=cache))


async def test_an_answer_outlives_its_process_and_is_private() -> None:
    actor = Actor(WELL)
    cache = SqliteCache(FILE)
    first = await _over(cache, actor).generate("hi")
    await cache.aclose()
    await cache.aclose()
    again = SqliteCache(FILE)
    second = await _over(again, actor).generate("hi")
    await again.aclose()
    assert (first.cached, second.cached, second.text, second.cost, actor.calls) == (False, True, first.text, 0.0, 1)
    assert [os.stat(path).st_mode & 0o777 for path in (FILE, FILE.parent)] == [0o600, 0o700]  # noqa: PTH116
    assert b"hi" not in _on_disk(), "what was asked is known by its hash only"


async def test_other_settings_have_other_answers() -> None:
    one, other = SqliteCache(FILE, scope="one"), SqliteCache(FILE, scope="other")
    await one.put("a", _answer())
    assert await one.get("a") is not None
    assert await other.get("a") is None
    await one.aclose()
    await other.aclose()


async def test_a_secret_is_never_written() -> None:
    known = Redactor()
    known.register("open sesame 5")
    cache = SqliteCache(FILE, known=known)
    for text in ("It is open ", "sk-abcdefghijkl"):
        torn = KeptAnswer("p", "m", (Chunk(text), Chunk("sesame 5" if "open" in text else "mnop123456"), STOP))
        await cache.put("a", torn)
        assert await cache.get("a") is None
    await cache.put("a", KeptAnswer("p", "m", (Chunk("Fine", extra={"api_key": "open sesame 5"}), STOP)))
    assert await cache.get("a") is None
    await cache.aclose()
    assert b"sesame" not in _on_disk()


async def test_half_a_character_is_not_kept_and_harms_nobody() -> None:
    cache = SqliteCache(FILE)
    await cache.put("a", _answer("\ud83d"))
    assert await cache.get("a") is None
    await cache.aclose()


@pytest.mark.parametrize("how", ["no database", "cut off", "a changed answer"])
async def test_a_damaged_file_is_set_aside_and_said(how: str, caplog: pytest.LogCaptureFixture) -> None:
    cache = SqliteCache(FILE)
    await cache.put("a", _answer("y" * 9000))
    await cache.put("b", _answer("z" * 9000))
    await cache.aclose()
    data = _on_disk()
    whole = {"no database": data, "cut off": data[4096:], "a changed answer": b"yyyy"}[how]
    new = {"no database": b"No database. " * 500, "cut off": b"\xff" * len(whole), "a changed answer": b"nnnn"}[how]
    _change(whole, new)
    changed = _on_disk()
    cache = SqliteCache(FILE)
    with caplog.at_level(logging.WARNING):
        assert await cache.get("a") is None
    assert "The cache of answers is damaged" in caplog.text
    assert "answers.db.damaged" in caplog.text
    await cache.put("a", _answer())
    assert await cache.get("a") == _answer()
    await cache.aclose()
    assert _on_disk(".damaged")[:4096] == changed[:4096]


async def test_a_file_of_a_later_version_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    os.mkdir(FILE.parent)  # noqa: PTH102
    with closing(sqlite3.connect(FILE)) as connection:
        connection.execute("PRAGMA user_version = 9")
    cache = SqliteCache(FILE)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            await cache.put("a", _answer())
            assert await cache.get("a") is None
    await cache.aclose()
    assert caplog.text.count("written by another version") == 1


async def test_a_place_that_cannot_be_written_fails_no_call(caplog: pytest.LogCaptureFixture) -> None:
    os.close(os.open("kept", os.O_CREAT))
    cache = SqliteCache(FILE)
    with caplog.at_level(logging.WARNING):
        assert (await _over(cache, Actor(WELL)).generate("hi")).text == "Hello, you"
        await cache.aclose()
    assert caplog.text.count("cannot be used") == 1


OTHER = """
import asyncio, sys
from pathlib import Path
from sentient_cli.llm import Chunk, SqliteCache
from sentient_cli.llm.resilience.cache import KeptAnswer
async def main() -> None:
    cache = SqliteCache(Path(sys.argv[1]), count=150)
    for number in range(100):
        await cache.put(f"{sys.argv[2]}{number}", KeptAnswer("p", "m", (Chunk(f"{sys.argv[2]}{number}"),)))
        await cache.get(f"{sys.argv[2]}{number}")
    await cache.aclose()
asyncio.run(main())
"""


@pytest.mark.slow
async def test_two_processes_at_once() -> None:
    starting = [asyncio.create_subprocess_exec(sys.executable, "-c", OTHER, str(FILE), name) for name in "ab"]
    others = await asyncio.gather(*starting)
    assert [await other.wait() for other in others] == [0, 0]
    cache = SqliteCache(FILE)
    found = [await cache.get(f"{name}{number}") for name in "ab" for number in range(100)]
    await cache.aclose()
    texts = [answer.chunks[0].text for answer in found if answer is not None]
    assert len(texts) == 150
    with closing(sqlite3.connect(FILE)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        told = connection.execute("SELECT count, size FROM totals").fetchone()
        assert told == connection.execute("SELECT count(*), total(size) FROM answers").fetchone()


async def test_what_comes_after_the_end_is_neither_kept_nor_an_error() -> None:
    cache = SqliteCache(FILE)
    await cache.put("a", _answer())
    closing_it = asyncio.create_task(cache.aclose())
    await asyncio.sleep(0)  # it is being closed
    await cache.put("b", _answer())
    await closing_it
    await cache.put("c", _answer())
    assert await cache.get("a") is None
    with closing(sqlite3.connect(FILE)) as connection:
        assert connection.execute("SELECT count FROM totals").fetchone() == (1,)
