"""The ledger: every attempt of every call, written behind, summed up, never in the way."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sentient_cli.errors import ProviderError, ServerError, StoreError, UsageError
from sentient_cli.llm import (
    CallOptions,
    Chunk,
    LLMManager,
    OfflineProvider,
    Request,
    ThinkingPart,
    ToolCallDelta,
    Usage,
)
from sentient_cli.llm.hooks import CallRecord
from sentient_cli.llm.subject import CallSubject, current_subject
from sentient_cli.llm.types import JsonValue
from sentient_cli.llm.usage.hook import UsageHook
from sentient_cli.llm.usage.ledger import UsageLedger, ledger_file, open_for_reading
from sentient_cli.llm.usage.report import BY, UsageSum, as_csv, parse_since, sums
from sentient_cli.llm.usage.rows import UsageRow
from sentient_cli.testing import FixedClock
from tests.llm.parts import PlainProvider
from tests.llm.usage.usage_kit import BOOK

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = 3600 * 10**9


def _sums(path: Path, by: str = "model") -> list[UsageSum]:
    connection = open_for_reading(path)
    assert connection is not None
    try:
        return sums(connection, next(each for each in BY if each == by))
    finally:
        connection.close()


def _rows(path: Path) -> list[dict[str, object]]:
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute("SELECT * FROM usage ORDER BY at, call, attempt")]
    finally:
        connection.close()


def test_a_call_of_the_manager_becomes_a_row() -> None:
    async def main() -> None:
        ledger = UsageLedger(ledger_file())
        manager = LLMManager([OfflineProvider()], default_model="offline", hooks=[UsageHook(ledger, profile="night")])
        subject = CallSubject(run="r", session="s", query="q", agent="Echo", tenant="t")
        token = current_subject.set(subject)
        answer = await manager.generate("What is 2 + 2?")
        current_subject.reset(token)
        await ledger.aclose()
        row = _rows(ledger.path)[0]
        assert (row["input"], row["output"]) == (answer.usage.input, answer.usage.output)

    asyncio.run(main())
    (row,) = _rows(ledger_file())
    told = ("provider", "model", "agent", "session", "query", "run", "tenant", "profile", "outcome", "attempt", "final")
    assert tuple(row[name] for name in told) == (
        *("offline", "assistant", "Echo", "s", "q", "r", "t", "night", "done", 1, 1),
    )
    assert row["first_ms"] is not None
    assert row["total_ms"] is not None


class _Broken(OfflineProvider):
    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        yield Chunk("Hal")
        yield Chunk(usage=Usage(input=5, output=1))
        raise ServerError("It fell over")


def test_a_call_that_fails_and_one_that_is_left_are_written_too() -> None:
    async def main() -> None:
        ledger = UsageLedger(Path("usage.db"))
        manager = LLMManager([_Broken()], hooks=[UsageHook(ledger)])
        stream = manager.stream("Hello", model="offline:echo")
        await anext(stream)
        await stream.aclose()
        await ledger.aclose()

    asyncio.run(main())
    (row,) = _rows(Path("usage.db"))
    assert (row["outcome"], row["output"], row["estimated"]) == ("cancelled", 1, 1)
    assert row["input"]


def test_attempts_have_rows_of_their_own() -> None:
    clock = FixedClock()

    async def main() -> None:
        ledger = UsageLedger(Path("usage.db"), prices=BOOK, clock=clock)
        hook = UsageHook(ledger, clock=clock)
        _tell(hook, "llm.request", provider="one", model="m")
        _tell(hook, "llm.attempt", 1, provider="one", model="m")
        _tell(hook, "llm.retry", 1, after=0.5, error={"code": "rate-limit"})
        _tell(hook, "llm.attempt", 2, provider="one", model="m")
        _tell(hook, "llm.failover", 2, error={"code": "provider-server"})
        _tell(hook, "llm.attempt", 3, provider="shop", model="cheap")
        hook.on_record(CallRecord(kind="llm.chunks", call="c", attempt=3, data={"chunks": [[1500, {"text": "Hi"}]]}))
        clock.advance(2)
        _tell(hook, "llm.usage", 3, input=10, output=20, cache_read=70)
        _tell(hook, "llm.finished", 3, outcome="done", cost=1.1, wasted={"input": 3, "output": 4})
        _tell(hook, "llm.finished", 3, outcome="done")
        await ledger.aclose()

    asyncio.run(main())
    rows = _rows(Path("usage.db"))
    assert [(row["provider"], row["outcome"], row["error"], row["final"]) for row in rows] == [
        ("one", "failed", "rate-limit", 0),
        ("one", "failed", "provider-server", 0),
        ("shop", "done", None, 1),
    ]
    assert (rows[2]["first_ms"], rows[2]["total_ms"], rows[2]["wasted"], rows[2]["cost"]) == (1.5, 2000.0, 7, 1.1)
    path = Path("usage.db")
    (found,) = [each for each in _sums(path, "provider") if each.group == "shop"]
    assert (found.calls, found.tokens, found.cost, found.unpriced) == (1, 100, 1.1, 0)
    assert sum(each.calls for each in _sums(path, "provider")) == 1, "a call is counted where it ended"
    assert [(each.group, each.calls, each.failed_attempts) for each in _sums(path, "outcome")] == [("done", 1, 2)]


def _tell(hook: UsageHook, kind: str, attempt: int = 0, **data: object) -> None:
    hook.on_record(CallRecord(kind=kind, call="c", attempt=attempt, data=data))  # type: ignore[arg-type]


def test_sums_by_everything() -> None:
    async def main() -> None:
        ledger = UsageLedger(Path("usage.db"), clock=FixedClock())
        day = 24 * HOUR
        start = FixedClock().now_ns()
        for number in range(6):
            ledger.add(
                UsageRow(
                    call=str(number),
                    at=start + number * day // 2,
                    provider="a" if number % 2 else "b",
                    model="m",
                    agent="Echo",
                    session=f"s{number % 3}",
                    input=10,
                    output=number,
                    cost=None if number == 5 else 0.5,
                    outcome="error" if number == 4 else "done",
                    cached=number == 3,
                    first_ms=10.0 * number,
                )
            )
        await ledger.aclose()

    asyncio.run(main())
    path = Path("usage.db")
    assert [(each.group, each.calls, each.cost, each.unpriced) for each in _sums(path)] == [
        ("b:m", 3, 1.5, 0),
        ("a:m", 3, 1.0, 1),
    ]
    assert [each.group for each in _sums(path, "day")] == ["2026-01-01", "2026-01-02", "2026-01-03"]
    assert [(each.group, each.errors) for each in _sums(path, "agent")] == [("Echo", 1)]
    assert sum(each.cached for each in _sums(path, "session")) == 1
    assert _sums(path, "provider")[0].first_ms == 20.0
    lines = as_csv(_sums(path), "model").splitlines()
    assert lines[0].startswith("model,calls,")
    assert lines[1].startswith("b:m,3,")
    assert len(lines) == 3


def test_a_cell_that_a_spreadsheet_would_execute_is_made_inert() -> None:
    assert as_csv([UsageSum(group="=cmd()")], "session").splitlines()[1].startswith("'=cmd(),")


def test_old_rows_are_dropped_and_the_file_is_private() -> None:
    clock = FixedClock()

    async def main() -> None:
        for at in (0, clock.now_ns()):
            ledger = UsageLedger(Path("x/usage.db"), clock=clock)
            ledger.add(UsageRow(call=str(at), at=at, provider="a", model="m"))
            await ledger.aclose()
            await ledger.aclose()

    asyncio.run(main())
    assert len(_rows(Path("x/usage.db"))) == 1
    assert stat.S_IMODE(Path("x/usage.db").stat().st_mode) == 0o600


def test_a_ledger_that_cannot_be_written_harms_no_call(caplog: pytest.LogCaptureFixture) -> None:
    Path("usage.db").write_bytes(b"This is no database. " * 100)

    async def main() -> int:
        ledger = UsageLedger(Path("usage.db"))
        manager = LLMManager([OfflineProvider()], default_model="offline", hooks=[UsageHook(ledger)])
        for _ in range(3):
            await manager.generate("Hello")
            await ledger.flush()
        assert await ledger.spent(since=0) == 0.0
        await ledger.aclose()
        ledger.add(UsageRow(call="late", at=0, provider="a", model="m"))
        return ledger.lost

    with caplog.at_level(logging.WARNING):
        assert asyncio.run(main()) == 3
    assert caplog.text.count("cannot be written") == 1
    with pytest.raises(StoreError, match="cannot be read"):
        open_for_reading(Path("usage.db"))


def test_a_ledger_of_another_version_is_refused() -> None:
    connection = sqlite3.connect("usage.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="another version"):
        open_for_reading(Path("usage.db"))
    assert open_for_reading(Path("none.db")) is None


@pytest.mark.slow
def test_processes_write_to_one_ledger() -> None:
    code = """
import asyncio, sys
from pathlib import Path
from sentient_cli.llm.usage.ledger import UsageLedger
from sentient_cli.llm.usage.rows import UsageRow
async def main():
    ledger = UsageLedger(Path("usage.db"))
    for number in range(200):
        ledger.add(UsageRow(call=f"{sys.argv[1]}-{number}", at=10**18 * 2, provider="p", model="m", input=1, output=1))
        if number % 50 == 0:
            await ledger.flush()
    await ledger.aclose()
    sys.exit(ledger.lost)
asyncio.run(main())
"""
    writers = [subprocess.Popen([sys.executable, "-c", code, str(number)]) for number in range(3)]
    assert [writer.wait(50) for writer in writers] == [0, 0, 0]
    (found,) = _sums(Path("usage.db"))
    assert (found.calls, found.tokens) == (600, 1200)


@pytest.mark.parametrize(
    ("text", "hours"), [("1h", 1), ("2d", 48), ("1w", 168), ("today", 12), ("2026-03-01", 12), ("2026-02-28T12:00", 24)]
)
def test_moments(text: str, hours: int) -> None:
    assert parse_since(text, NOW) == int(NOW.timestamp()) * 10**9 - hours * HOUR


def test_what_is_no_moment() -> None:
    assert parse_since("all", NOW) == 0
    for text in ("", "yesterday", "0d", "-1d", "1x", "2026-13-01", "9" * 50):
        with pytest.raises(UsageError):
            parse_since(text, NOW)


def test_no_number_stops_the_ledger() -> None:
    async def main() -> None:
        ledger = UsageLedger(ledger_file())
        odd = UsageRow(call="1", at=ledger._clock.now_ns(), provider="shop", model="cheap", wasted=-1, cost=-2.0)
        odd.take(Usage(input=2**70, output=-5))
        ledger.add(odd)
        raw = UsageRow(call="2", at=odd.at, provider="shop", model="cheap", input=2**70, cost=float("nan"))
        ledger.add(raw)
        await ledger.flush()
        rows = _rows(ledger.path)
        assert [(row["input"], row["output"], row["wasted"], row["cost"]) for row in rows] == [
            (2**53, 0, 0, 0.0),
            (2**53, None, None, None),
        ]
        assert ledger.lost == 0
        await ledger.aclose()

    asyncio.run(main())


def test_what_cannot_be_written_is_counted_and_leaves_the_file_free(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        ledger = UsageLedger(ledger_file())
        now = ledger._clock.now_ns()
        ledger.add(UsageRow(call="1", at=2**70, provider="shop", model="cheap"))  # no moment of ours
        await ledger.flush()
        assert ledger.lost == 1
        ledger.add(UsageRow(call="2", at=now, provider="shop", model="cheap"))
        await ledger.flush()
        other = sqlite3.connect(ledger.path, timeout=0.1, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
        other.close()
        assert [row["call"] for row in _rows(ledger.path)] == ["2"]
        await ledger.aclose()

    asyncio.run(main())
    assert "cannot be written" in caplog.text


def test_a_hook_takes_odd_numbers_of_a_provider() -> None:
    taken: list[UsageRow] = []

    class Sink:
        def add(self, row: UsageRow) -> None:
            taken.append(row)

    hook = UsageHook(Sink())
    end: dict[str, JsonValue] = {"finish_reason": "stop", "cost": -3.0, "wasted": {"input": -9, "output": 2**80}}
    hook.on_record(CallRecord(call="1", kind="llm.request", attempt=1, data={"provider": "shop", "model": "cheap"}))
    hook.on_record(CallRecord(call="1", kind="llm.usage", attempt=1, data={"input": 2**70, "output": -5}))
    hook.on_record(CallRecord(call="1", kind="llm.finished", attempt=1, data=end))
    assert [(row.input, row.output, row.cost, row.wasted) for row in taken] == [(2**53, 0, 0.0, 2**53)]


@pytest.mark.parametrize("cancelled", [True, False])
def test_an_answer_that_ends_early_counts_what_was_written(cancelled: bool) -> None:
    path = ledger_file()
    pieces = [Chunk(usage=Usage(input=10, cache_read=2, output=1)), *[Chunk("a" * 40)] * 3]
    if cancelled:
        pieces[1:3] = [Chunk(thinking=ThinkingPart("a" * 40)), Chunk(tool_call=ToolCallDelta(0, "1", "f", "a" * 40))]

    async def main() -> None:
        ledger = UsageLedger(path, prices=BOOK)
        manager = LLMManager([PlainProvider(pieces, name="shop")], hooks=[UsageHook(ledger)], price=BOOK.cost)
        async with manager.stream("Hello", model="shop:cheap", options=CallOptions(after_content="fail")) as answer:
            if cancelled:
                async for _ in answer:  # the one text, which comes last
                    break
            else:
                with pytest.raises(ProviderError):
                    await answer.completion()
        await ledger.aclose()

    asyncio.run(main())
    row = _rows(path)[-1]
    assert (row["outcome"], row["estimated"]) == ("cancelled" if cancelled else "error", 1)
    output = 31 if cancelled else 30  # the name of a tool is paid for as well
    assert (row["input"], row["cache_read"], row["output"], row["wasted"]) == (10, 2, output, None)
    assert row["cost"] == pytest.approx((12 + output) / 100)


def test_the_last_word_of_a_provider_counts() -> None:
    path = ledger_file()

    async def main() -> None:
        ledger = UsageLedger(path, prices=BOOK)
        end = (Chunk(usage=Usage(input=10, output=4)), Chunk(finish_reason="stop"))
        provider = PlainProvider([Chunk(usage=Usage(input=10, output=1)), Chunk("a" * 40), *end], name="shop")
        await LLMManager([provider], hooks=[UsageHook(ledger)], price=BOOK.cost).generate("Hello", model="shop:cheap")
        await ledger.aclose()

    asyncio.run(main())
    row = _rows(path)[0]
    assert (row["output"], row["estimated"], row["cost"]) == (4, 0, pytest.approx(0.14))


def test_the_first_word_never_comes_after_the_last() -> None:
    """A stream may wait long before it is read: that is no time of the provider's."""
    clock, taken = FixedClock(), list[UsageRow]()

    class Sink:
        def add(self, row: UsageRow) -> None:
            taken.append(row)

    async def main() -> None:
        manager = LLMManager([OfflineProvider(clock=clock)], hooks=[UsageHook(Sink(), clock=clock)], clock=clock)
        stream = manager.stream("Hello", model="offline:echo")
        clock.advance(60)
        await stream.completion()

    asyncio.run(main())
    (row,) = taken
    assert row.first_ms is not None
    assert row.total_ms is not None
    assert row.first_ms <= row.total_ms < 60_000
