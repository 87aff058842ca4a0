"""`sentient usage`: sums of what was written down, in any width, for readers and programs."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import time

import pytest

from sentient_cli.llm.usage.ledger import UsageLedger, ledger_file
from sentient_cli.llm.usage.rows import UsageRow
from tests.cli.processes import Sentient

DAY = 24 * 3600 * 10**9


def _fill() -> None:
    async def main() -> None:
        ledger = UsageLedger(ledger_file())
        now = time.time_ns()
        for number in range(12):
            ledger.add(
                UsageRow(
                    call=str(number),
                    at=now - (number % 4) * DAY * 3,
                    provider=("openai", "anthropic", "mine")[number % 3],
                    model="m\x1b[31m" if number % 3 == 2 else "a-model-with-a-long-name-2026-01-01",
                    agent="Echo" if number % 2 else None,
                    run=f"run-{number % 5}",
                    tenant="a customer" if number % 2 else None,
                    input=1000 * (number + 1),
                    output=100,
                    cost=None if number % 3 == 2 else 0.25,
                )
            )
        await ledger.aclose()

    asyncio.run(main())


@pytest.mark.story("3.7")
def test_nothing_was_asked_yet(sentient: Sentient) -> None:
    done = sentient("usage")
    assert (done.returncode, done.stdout) == (0, "No calls in the last 30d.\n")
    assert sentient("usage", "--since", "2026-01-31").stdout == "No calls since 2026-01-31.\n"
    assert sentient("usage", "--since", "all").stdout == "No calls yet.\n"
    assert sentient("usage", "--json").stdout == ""
    assert sentient("usage", "--csv").stdout.startswith("model,calls,")


@pytest.mark.story("3.7")
def test_a_table_with_bars(sentient: Sentient) -> None:
    _fill()
    done = sentient("usage", env={"COLUMNS": "80"})
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["model", "calls", "tokens", "in", "out", "cost"]
    assert lines[-1].split() == ["total", "12", "78.0k", "1.2k", "$2.00"]
    assert all(len(line) <= 80 for line in lines)
    assert "█" in done.stdout
    assert "\x1b" not in done.stdout
    assert "The price of 4 calls is not known" in done.stderr


@pytest.mark.story("3.7")
def test_calls_that_failed_are_said(sentient: Sentient) -> None:
    assert sentient("ask", "Hello", "-m", "groq:a-model").returncode == 3
    assert "1 call failed.\n" in sentient("usage").stderr
    assert "failed" not in sentient("usage", "--quiet").stderr


@pytest.mark.story("3.7")
def test_a_cost_that_is_not_known_is_no_cost(sentient: Sentient) -> None:
    _fill()
    rows = map(json.loads, sentient("usage", "--by", "provider", "--json").stdout.splitlines())
    assert {row["provider"]: row["cost"] for row in rows} == {"openai": 1.0, "anthropic": 1.0, "mine": None}
    (mine,) = [
        row
        for row in csv.DictReader(io.StringIO(sentient("usage", "--csv").stdout, newline=""))
        if "mine" in row["model"]
    ]
    assert (mine["cost"], mine["unpriced"]) == ("", "4")
    assert [line.split()[-1] for line in sentient("usage").stdout.splitlines() if "mine" in line] == ["?"]


@pytest.mark.slow
@pytest.mark.story("3.7", "18.6")
@pytest.mark.parametrize("columns", ["20", "40", "59", "60", "200"])
def test_any_width(sentient: Sentient, columns: str) -> None:
    _fill()
    done = sentient("usage", "--by", "provider", env={"COLUMNS": columns, "LC_ALL": "C", "PYTHONUTF8": "0"})
    assert done.returncode == 0
    assert all(len(line) <= int(columns) for line in done.stdout.splitlines())


@pytest.mark.slow
@pytest.mark.story("3.7")
@pytest.mark.parametrize("by", ["provider", "agent", "session", "run", "call", "tenant", "profile", "day", "outcome"])
def test_by_everything(sentient: Sentient, by: str) -> None:
    _fill()
    rows = [json.loads(line) for line in sentient("usage", "--by", by, "--json").stdout.splitlines()]
    assert sum(row["calls"] for row in rows) == 12
    assert all(by in row for row in rows)
    assert len(rows) == {"run": 5, "call": 12, "tenant": 2}.get(by, len(rows))
    if by == "day":
        assert [row["day"] for row in rows] == sorted(row["day"] for row in rows)


@pytest.mark.story("3.7")
def test_a_span_and_csv(sentient: Sentient) -> None:
    _fill()
    told = sentient("usage", "--since", "4d", "--csv", "--by", "provider").stdout
    rows = list(csv.DictReader(io.StringIO(told)))
    assert sum(int(row["calls"]) for row in rows) == 6
    assert {row["provider"] for row in rows} == {"openai", "anthropic", "mine"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--since", "yesterday"), 2, "is no moment"),
        (("--by", "weather"), 2, "--by"),
        (("--csv", "--json"), 2, "both CSV and JSON"),
    ],
)
def test_what_is_not_understood(sentient: Sentient, arguments: tuple[str, ...], code: int, words: str) -> None:
    done = sentient("usage", *arguments)
    assert done.returncode == code
    assert words in done.stderr


@pytest.mark.story("2.7")
def test_the_budget_of_the_day_and_where_it_leads(sentient: Sentient) -> None:
    _fill()
    done = sentient("usage", env={"SENTIENT_LLM_BUDGET_DAY": "0.3"})
    assert "Today: $0.5 of $0.3; at this pace" in done.stderr


def test_a_ledger_that_is_none(sentient: Sentient) -> None:
    ledger_file().parent.mkdir(parents=True)
    ledger_file().write_bytes(b"This is no database. " * 100)
    done = sentient("usage", "--json")
    assert (done.returncode, json.loads(done.stderr)["error"]["code"]) == (1, "store")
