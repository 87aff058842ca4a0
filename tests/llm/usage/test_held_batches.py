"""What a batch is expected to cost is set aside until its results are read: for calls, batches and other processes."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli import llm
from sentient_cli.clock import SystemClock
from sentient_cli.errors import BudgetExceededError, ProviderError
from sentient_cli.host.llm import ConfiguredLLM
from sentient_cli.llm import Message, Parameters, PriceBook, Request, UsageLedger
from sentient_cli.llm.batches import BatchProvider, BatchStatus
from sentient_cli.llm.current import current_manager
from sentient_cli.llm.subject import CallSubject, current_subject
from sentient_cli.llm.tokens import tokens_of
from sentient_cli.llm.usage.batched import BatchBook
from sentient_cli.llm.usage.budget import Budget, BudgetLimits
from sentient_cli.llm.usage.held import MAKE, HeldBatch, hold, let_go, sum_of_held
from sentient_cli.llm.usage.ledger import ledger_file
from sentient_cli.llm.usage.rows import INSERT, SCHEMA, UsageRow, row_values
from sentient_cli.testing import FixedClock
from tests.cli.llm_command_kit import chat_answer
from tests.cli.processes import run_sentient
from tests.llm.factory.socket_kit import configured, table
from tests.support.llm_server import Answer, LLMServer, Received, as_json

_ASKED = Request(model="gpt-4o", messages=(Message.user("word " * 800),), parameters=Parameters(max_tokens=100))
_ONE = (tokens_of(_ASKED) * 1.25 + 100 * 5.0) / 1e6
"""US dollars that a request is expected to cost in a batch."""
_BATCH: dict[str, object] = {
    "object": "batch",
    "endpoint": "/v1/chat/completions",
    "input_file_id": "file-in",
    "completion_window": "24h",
    "created_at": 1,
}


def _result(place: int) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}
    body = {"model": "gpt-4o", "choices": [choice], "usage": {"prompt_tokens": 800, "completion_tokens": 0}}
    told = {"custom_id": f"request-{place}", "response": {"status_code": 200, "body": body}, "error": None}
    return json.dumps(told).encode() + b"\n"


class _Vendor:
    """Takes batches, each under its own id; ``told`` is what it says of their ends."""

    def __init__(self, told: dict[str, object], results: Sequence[bytes] = ()) -> None:
        self.taken, self.told, self.results = 0, told, results
        self.refuses = False

    def __call__(self, received: Received) -> Answer:
        if received.path.endswith("/content"):
            return Answer(b"".join(self.results), content_type="application/octet-stream")
        if received.path == "/v1/files":
            return as_json({"id": "file-in", "object": "file", "bytes": 1, "created_at": 1, "filename": "b"})
        if received.path == "/v1/batches":
            if self.refuses:
                return as_json({"error": {"message": "No"}}, 400)
            self.taken += 1
            return as_json({**_BATCH, "id": f"batch_{self.taken}", "status": "in_progress"})
        if received.path.startswith("/v1/batches/"):
            return as_json({**_BATCH, "id": received.path.rsplit("/", 1)[-1], **self.told})
        return chat_answer("Hi")


_DONE: dict[str, object] = {
    "status": "completed",
    "output_file_id": "file-out",
    "request_counts": {"total": 10, "completed": 10, "failed": 0},
}


@contextmanager
def _vendor(told: dict[str, object], results: Sequence[bytes] = ()) -> Generator[tuple[_Vendor, LLMServer], None, None]:
    vendor = _Vendor(told, results)
    with LLMServer(vendor) as server:
        yield vendor, server


def _settings(server: LLMServer, **budget: float) -> dict[str, object]:
    return {"model": "one:gpt-4o", "providers": {"one": table(server, "openai", "ONE_KEY")}, "budget": budget}


def _batches(manager: ConfiguredLLM) -> BatchProvider:
    token = current_manager.set(manager)
    provider, _ = llm.batch_provider("one:gpt-4o")
    current_manager.reset(token)
    return provider


async def _held(manager: ConfiguredLLM) -> float:
    assert manager.ledger is not None
    return await manager.ledger.held(since=0)


async def _refused(manager: ConfiguredLLM, kind: str) -> None:
    call = manager.generate("word " * 800, parameters=Parameters(max_tokens=100))
    batch = _batches(manager).submit_batch([_ASKED])
    asked, other = (call, batch) if kind == "call" else (batch, call)
    other.close()
    with pytest.raises(BudgetExceededError, match=f"This {kind} is over what is left") as caught:
        await asked
    assert "are set aside for batches" in caught.value.why


@pytest.mark.story("2.7", "3.6")
@pytest.mark.parametrize("scope", ["session", "day", "profile"])
def test_what_a_batch_may_cost_is_set_aside_until_its_results_are_read(scope: str) -> None:
    async def main(vendor: _Vendor, server: LLMServer) -> None:
        settings = _settings(server, **{scope: 10.5 * _ONE})
        async with configured(settings, keys=("ONE_KEY",)) as ours, configured(settings, keys=("ONE_KEY",)) as theirs:
            batch = await _batches(ours).submit_batch([_ASKED] * 10)
            assert await _held(theirs) == pytest.approx(10 * _ONE)
            sent = len(server.requests)
            for manager in (ours, theirs):  # the second one as another process would be: it has the file alone
                await _refused(manager, "call")
                await _refused(manager, "batch")
            assert (len(server.requests), vendor.taken) == (sent, 1)
            async for result in _batches(ours).batch_results(batch):
                assert result.answer().cost == 0.001
            assert await _held(ours) == 0
            assert await _batches(ours).submit_batch([_ASKED] * 4)  # its answers were short, so there is room again

    with _vendor(_DONE, [_result(place) for place in range(10)]) as (vendor, server):
        token = current_subject.set(CallSubject(session="a"))
        asyncio.run(main(vendor, server))
        current_subject.reset(token)


@pytest.mark.story("2.7", "3.6")
def test_the_command_line_knows_what_is_set_aside() -> None:
    async def hand_in(server: LLMServer) -> None:
        async with configured(_settings(server), keys=("ONE_KEY",)) as manager:
            await _batches(manager).submit_batch([_ASKED] * 10)

    with _vendor(_DONE) as (_, server):
        asyncio.run(hand_in(server))
        mine = f'[llm.providers.one]\nkind = "openai"\nbase_url = "{server.url}/v1"\napi_key_env = "ONE_KEY"\n'
        Path("sentient.toml").write_text(
            f'[llm]\nmodel = "one:gpt-4o"\n[llm.budget]\nday = {10 * _ONE + 1e-6}\n{mine}', "utf-8"
        )
        refused = run_sentient("ask", "Hello", env={"ONE_KEY": "sk-1"})
        shown = run_sentient("usage")
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "are set aside for batches" in refused.stderr
    assert "Set aside for batches until their results are read: $0.0" in shown.stderr
    assert "(one/batch_1 of 20" in shown.stderr


_PARTLY: dict[str, object] = {
    **_DONE,
    "request_counts": {"total": 10, "completed": 4, "failed": 6},
}
_CANCELLED: dict[str, object] = {**_DONE, "status": "cancelled", "request_counts": {"total": 10, "completed": 0}}


@pytest.mark.story("2.7", "3.6")
@pytest.mark.parametrize(
    ("told", "left"),
    [
        ({"status": "in_progress"}, 10),
        ({"status": "failed"}, 0),
        (_PARTLY, 4),
        ({**_CANCELLED, "request_counts": {"total": 10, "completed": 0, "failed": 10}}, 0),
        (_DONE, 10),
    ],
)
def test_requests_that_failed_are_not_waited_for(told: dict[str, object], left: int) -> None:
    async def main(server: LLMServer) -> None:
        async with configured(_settings(server, day=1.0), keys=("ONE_KEY",)) as manager:
            batch = await _batches(manager).submit_batch([_ASKED] * 10)
            await _batches(manager).batch_status(batch)
            assert await _held(manager) == pytest.approx(left * _ONE)

    with _vendor(told) as (_, server):
        asyncio.run(main(server))


@pytest.mark.story("2.7", "3.6")
def test_a_batch_that_is_not_taken_leaves_nothing_set_aside() -> None:
    async def main(vendor: _Vendor, server: LLMServer) -> None:
        async with configured(_settings(server, day=10.5 * _ONE), keys=("ONE_KEY",)) as manager:
            vendor.refuses = True
            with pytest.raises(ProviderError):
                await _batches(manager).submit_batch([_ASKED] * 10)
            assert await _held(manager) == 0
            vendor.refuses = False
            assert await _batches(manager).submit_batch([_ASKED] * 10)

    with _vendor(_DONE) as (vendor, server):
        asyncio.run(main(vendor, server))


@pytest.mark.story("2.7", "3.6")
def test_what_was_read_already_is_not_set_aside_any_more() -> None:
    async def main(server: LLMServer) -> None:
        async with configured(_settings(server, day=1.0), keys=("ONE_KEY",)) as manager:
            batch = await _batches(manager).submit_batch([_ASKED] * 10)
            results = _batches(manager).batch_results(batch)
            for _ in range(3):
                await anext(results)
            await results.aclose()
            assert await _held(manager) == pytest.approx(10 * _ONE - 3 * 0.001)

    with _vendor(_DONE, [_result(place) for place in range(10)]) as (_, server):
        asyncio.run(main(server))


def test_the_day_after_the_next_a_batch_is_no_matter_of_the_day() -> None:
    clock = FixedClock()

    async def main() -> None:
        ledger = UsageLedger(Path("usage.db"), clock=clock)
        assert await ledger.hold(HeldBatch(batch="one/1", at=clock.now_ns(), amount=0.9))
        day, ever = (
            Budget(limits, spending=ledger, clock=clock)
            for limits in (BudgetLimits(day=1.0), BudgetLimits(profile=1.0))
        )
        for _ in range(2):
            for budget in (day, ever):
                with pytest.raises(BudgetExceededError):
                    await budget.reserve(0.2)
            clock.advance(24 * 3600)
        await day.reserve(0.2)
        with pytest.raises(BudgetExceededError):
            await ever.reserve(0.2)
        await ledger.aclose()

    asyncio.run(main())


@pytest.mark.story("2.7", "3.6")
@pytest.mark.parametrize("is_read_in_the_end", [False, True])
def test_what_is_not_read_within_a_month_is_spent(*, is_read_in_the_end: bool) -> None:
    clock, path = FixedClock(), ledger_file()
    limits = BudgetLimits(profile=10.5 * _ONE)

    async def reopened() -> UsageLedger:
        return UsageLedger(path, clock=clock)

    async def main(server: LLMServer) -> None:
        ledger = await reopened()
        for batch in ("batch_1", "batch_2"):
            await ledger.hold(HeldBatch(batch=f"one/{batch}", at=clock.now_ns(), amount=5 * _ONE, session="a"))
        await ledger.let_go("one/batch_2", 0.2)
        clock.advance(29 * 24 * 3600)
        await ledger.aclose()
        ledger = await reopened()
        assert await ledger.held(since=0) == pytest.approx(6 * _ONE)
        assert await ledger.spent(since=0) == 0
        clock.advance(2 * 24 * 3600)
        await ledger.hold(HeldBatch(batch="one/batch_3", at=clock.now_ns(), amount=_ONE))
        assert await ledger.held(since=0) == pytest.approx(_ONE)
        assert await ledger.spent(since=0, session="a") == pytest.approx(6 * _ONE)
        with pytest.raises(BudgetExceededError):
            await Budget(limits, spending=ledger, clock=clock).reserve(4 * _ONE)
        await ledger.aclose()
        if not is_read_in_the_end:
            return
        async with configured(_settings(server), keys=("ONE_KEY",), clock=clock) as manager:
            async for _ in _batches(manager).batch_results("batch_1"):
                pass
            assert manager.ledger is not None
            assert await manager.ledger.spent(since=0) == pytest.approx(10 * 0.001 + _ONE)

    with _vendor(_DONE, [_result(place) for place in range(10)]) as (_, server):
        asyncio.run(main(server))
    told = json.loads(run_sentient("usage", "--since", "all", "--by", "outcome", "--json").stdout.splitlines()[0])
    assert (told["outcome"], told["calls"]) == (("done", 10) if is_read_in_the_end else ("unread", 2))
    rows = run_sentient("usage", "--since", "all", "--json").stdout
    assert '{"model":"one:batch"' in rows.replace(": ", ":")


@pytest.mark.parametrize("has_file", [False, True])
def test_without_a_ledger_it_is_set_aside_in_this_process(tmp_path: Path, *, has_file: bool) -> None:
    """A ledger that cannot be written is as good as none."""

    async def main() -> None:
        (tmp_path / "usage.db").mkdir()
        ledger = UsageLedger(tmp_path / "usage.db") if has_file else None
        budget = Budget(BudgetLimits(profile=10.5 * _ONE), spending=ledger)
        book = BatchBook(PriceBook(), ledger, budget=budget)

        async def hand_in() -> str:
            return "batch_1"

        assert await book.submit("openai", [_ASKED] * 10, hand_in) == "batch_1"
        await book.told("openai", BatchStatus(id="batch_1", state="running", waiting=10))
        with pytest.raises(BudgetExceededError, match="This batch is over what is left"):
            await book.submit("openai", [_ASKED] * 10, hand_in)
        await book.told("openai", BatchStatus(id="batch_1", state="failed"))
        assert await book.submit("openai", [_ASKED] * 10, hand_in)
        if ledger is not None:
            await ledger.aclose()

    asyncio.run(main())


def test_who_is_cancelled_while_handing_in_has_nothing_set_aside() -> None:
    async def main() -> None:
        budget = Budget(BudgetLimits(profile=10.5 * _ONE))
        book, begun = BatchBook(PriceBook(), budget=budget), asyncio.Event()

        async def hang() -> str:
            begun.set()
            await asyncio.Event().wait()
            return ""

        task = asyncio.ensure_future(book.submit("openai", [_ASKED] * 10, hang))
        await begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await budget.reserve(10 * _ONE)

    asyncio.run(main())


def test_a_ledger_of_before_gets_its_table(tmp_path: Path) -> None:
    path = tmp_path / "usage.db"
    connection = sqlite3.connect(path)
    for statement in SCHEMA:
        connection.execute(statement)
    connection.execute("PRAGMA user_version = 1")
    connection.close()

    async def main() -> float:
        ledger = UsageLedger(path)
        assert await ledger.hold(HeldBatch(batch="one/1", at=SystemClock().now_ns(), amount=0.5))
        held = await ledger.held(since=0)
        await ledger.aclose()
        return held

    assert asyncio.run(main()) == 0.5


_AMOUNTS = st.floats(0.0, 10.0)
_BATCHES = st.dictionaries(
    st.sampled_from(["a/1", "a/10", "a/1x", "b/1", "b/%"]),
    st.tuples(_AMOUNTS, st.floats(0.0, 1.0), st.lists(_AMOUNTS, max_size=3)),
)


@given(_BATCHES)
def test_what_is_left_is_never_below_nothing_and_of_its_own_batch(
    batches: dict[str, tuple[float, float, list[float]]],
) -> None:
    connection = sqlite3.connect(":memory:")
    for statement in (*SCHEMA, MAKE):
        connection.execute(statement)
    expected = 0.0
    for batch, (amount, share, costs) in batches.items():
        hold(connection, HeldBatch(batch=batch, at=1, amount=amount))
        let_go(connection, batch, share)
        for place, cost in enumerate(costs):
            row = UsageRow(call=f"{batch}/{place}", at=1, provider="a", model="m", cost=cost)
            connection.execute(INSERT, row_values(row))
        expected += max(0.0, amount * share - sum(costs)) if share > 0 else 0.0
    assert sum_of_held(connection, 0) == pytest.approx(expected)
    assert sum_of_held(connection, 2) == 0
    connection.close()
