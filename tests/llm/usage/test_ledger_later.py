"""A ledger that cannot be written for a while: nothing is lost that can be kept, and it is said."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from pathlib import Path

import msgspec
import pytest

from sentient_cli.llm.usage import ledger as ledger_module
from sentient_cli.llm.usage.ledger import UsageLedger
from sentient_cli.llm.usage.rows import UsageRow


def _calls(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        return [call for (call,) in connection.execute("SELECT call FROM usage ORDER BY call")]
    finally:
        connection.close()


@pytest.mark.parametrize("is_new", [True, False])
def test_what_is_locked_is_written_later(
    is_new: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ledger_module, "_BUSY_SECONDS", 0.05)
    monkeypatch.setattr(ledger_module, "_REST", 0.0)
    rows = [UsageRow(call=str(number), at=10**18 * 2, provider="p", model="m", cost=0.25) for number in range(4)]

    async def main() -> float:
        if not is_new:
            first = UsageLedger(Path("usage.db"))
            await first.flush()
            assert await first.spent(since=0) == 0.0
            await first.aclose()
        ledger = UsageLedger(Path("usage.db"))
        ledger.add(rows[0])
        if not is_new:
            await ledger.flush()
        other = sqlite3.connect("usage.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        for row in rows[1:3]:
            ledger.add(row)
            await ledger.flush()
        other.execute("COMMIT")
        other.close()
        ledger.add(rows[3])
        await ledger.flush()
        spent = await ledger.spent(since=0)
        await ledger.aclose()
        assert ledger.lost == 0
        return spent

    with caplog.at_level(logging.INFO):
        assert asyncio.run(main()) == 1.0
    assert _calls(Path("usage.db")) == ["0", "1", "2", "3"]
    assert caplog.text.count("it is tried again") == 1
    assert caplog.text.count("is written again") == 1


def test_what_waits_is_written_by_itself_and_what_cannot_be_at_the_end_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ledger_module, "_REST", 0.0)
    written = threading.Event()

    class Noticing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "is written again" in record.getMessage():
                written.set()

    async def main() -> int:
        ledger = UsageLedger(Path("usage.db"))
        row = UsageRow(call="1", at=10**18 * 2, provider="p", model="m" * 100_000)
        assert await ledger.spent(since=0) == 0.0
        assert ledger._connection is not None
        pages = ledger._connection.execute("PRAGMA page_count").fetchone()[0]
        ledger._connection.execute(f"PRAGMA max_page_count = {pages}")  # as a disk that is full
        ledger.add(row)
        await ledger.flush()
        ledger._connection.execute("PRAGMA max_page_count = 100000")
        assert await asyncio.to_thread(written.wait, 60), "nobody has to add anything, or to look"
        ledger._connection.execute(f"PRAGMA max_page_count = {pages}")
        ledger.add(msgspec.structs.replace(row, call="2"))
        await ledger.aclose()
        return ledger.lost

    logging.getLogger(ledger_module.__name__).addHandler(noticing := Noticing())
    try:
        with caplog.at_level(logging.INFO):
            assert asyncio.run(main()) == 1
    finally:
        logging.getLogger(ledger_module.__name__).removeHandler(noticing)
    assert _calls(Path("usage.db")) == ["1"]
    assert "is not complete" in caplog.text
