"""What may be spent: refused before anything is sent, warned about on the way, over processes and days."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.errors import BudgetExceededError
from sentient_cli.llm import Chunk, Request, ThinkingPart, ToolCallDelta, Usage
from sentient_cli.llm.call import Call
from sentient_cli.llm.usage.budget import Budget, BudgetLimits, BudgetWarning, forecast
from sentient_cli.llm.usage.budgeted import Budgeted
from sentient_cli.llm.usage.ledger import UsageLedger
from sentient_cli.llm.usage.rows import UsageRow
from sentient_cli.testing import FixedClock
from tests.llm.usage.usage_kit import BOOK, Answers, a_call, a_request

DAY = 24 * 3600


async def _read(budgeted: Budgeted, request: Request, call: Call | None = None) -> str:
    async with aclosing(budgeted.stream(request, call or a_call())) as chunks:
        return "".join([chunk.text async for chunk in chunks])


def test_a_call_that_is_too_dear_is_not_sent() -> None:
    inner = Answers()
    budgeted = Budgeted(inner, Budget(BudgetLimits(call=0.5)), BOOK)
    with pytest.raises(BudgetExceededError) as caught:
        asyncio.run(_read(budgeted, a_request("dear")))
    assert inner.requests == []
    assert (caught.value.code, caught.value.exit_code, caught.value.provider) == ("budget-exceeded", 4, "shop")
    assert "Nothing was sent" in caught.value.why
    assert "llm.budget.call" in caught.value.fix


def test_an_answer_is_bounded_by_what_is_left_for_a_call() -> None:
    inner = Answers()
    budgeted = Budgeted(inner, Budget(BudgetLimits(call=1.0)), BOOK)
    call = a_call()
    asyncio.run(_read(budgeted, a_request("cheap", max_tokens=500), call))
    bound = inner.requests[0].parameters.max_tokens
    assert bound == 96  # a dollar at a cent a token, less the four of the request
    assert call.notices == ["The answer may have 96 tokens, not 500: that is the budget of a call"]


def test_a_bound_that_can_be_paid_for_stays() -> None:
    inner = Answers()
    asyncio.run(_read(Budgeted(inner, Budget(BudgetLimits(call=1.0)), BOOK), a_request("cheap", max_tokens=20)))
    assert inner.requests[0].parameters.max_tokens == 20


@pytest.mark.parametrize("scope", ["session", "day", "profile"])
def test_the_call_after_the_last_cent_is_refused(scope: str) -> None:
    inner = Answers(Chunk("Hi"), Chunk(usage=Usage(input=50, output=50)), Chunk(finish_reason="stop"))
    budgeted = Budgeted(inner, Budget(BudgetLimits(**{scope: 1.0}), clock=FixedClock()), BOOK)
    asyncio.run(_read(budgeted, a_request(max_tokens=1), a_call(session="s")))
    with pytest.raises(BudgetExceededError, match=f"budget of the {scope} is used up"):
        asyncio.run(_read(budgeted, a_request(max_tokens=1), a_call(session="s")))
    assert len(inner.requests) == 1


def test_a_session_pays_for_itself_alone() -> None:
    budgeted = Budgeted(Answers(Chunk(usage=Usage(input=100, output=0))), Budget(BudgetLimits(session=1.0)), BOOK)
    asyncio.run(_read(budgeted, a_request(max_tokens=1), a_call(session="a")))
    asyncio.run(_read(budgeted, a_request(max_tokens=1), a_call(session="b")))
    asyncio.run(_read(budgeted, a_request(max_tokens=1), a_call()))
    with pytest.raises(BudgetExceededError):
        asyncio.run(_read(budgeted, a_request(max_tokens=1), a_call(session="a")))


def test_the_next_day_begins_anew() -> None:
    clock = FixedClock()
    budget = Budget(BudgetLimits(day=1.0), clock=clock)
    budgeted = Budgeted(Answers(Chunk(usage=Usage(input=100, output=0))), budget, BOOK)
    asyncio.run(_read(budgeted, a_request(max_tokens=1)))
    with pytest.raises(BudgetExceededError):
        asyncio.run(_read(budgeted, a_request(max_tokens=1)))
    clock.advance(DAY)
    asyncio.run(_read(budgeted, a_request(max_tokens=1)))


def test_what_costs_nothing_or_has_no_price_goes_on_and_is_said() -> None:
    budget = Budget(BudgetLimits(day=0.0))
    assert asyncio.run(_read(Budgeted(Answers(), budget, BOOK), a_request("echo"), a_call("offline"))) == "Hi"
    call = a_call()
    asyncio.run(_read(Budgeted(Answers(), budget, BOOK), a_request("unpriced"), call))
    assert call.notices == ["The price of shop:unpriced is not known: the budget does not count this call"]


def test_warnings_come_once_each_with_a_forecast(caplog: pytest.LogCaptureFixture) -> None:
    clock = FixedClock()
    clock.advance(DAY / 4)
    told: list[BudgetWarning] = []
    budget = Budget(BudgetLimits(day=10.0), clock=clock, on_warning=told.append)
    notices: list[list[str]] = []
    with caplog.at_level(logging.WARNING):
        for tokens in (400, 200, 200, 100, 100):
            budgeted = Budgeted(Answers(Chunk(usage=Usage(input=tokens, output=0))), budget, BOOK)
            call = a_call()
            asyncio.run(_read(budgeted, a_request(max_tokens=1), call))
            notices.append(call.notices)
    assert [(warning.share, round(warning.spent, 6)) for warning in told] == [(0.5, 6.0), (0.8, 8.0), (1.0, 10.0)]
    assert told[0].forecast == pytest.approx(24.0)
    assert [len(each) for each in notices] == [0, 1, 1, 0, 1]
    assert "50 % of the budget of the day is spent: $6.0000 of $10.0000" in caplog.text


def test_calls_at_the_same_time_keep_to_a_limit_together() -> None:
    budget = Budget(BudgetLimits(day=1.0))
    answers = Answers(Chunk(usage=Usage(input=4, output=20)))

    async def main() -> list[str | BaseException]:
        asked = (_read(Budgeted(answers, budget, BOOK), a_request(max_tokens=20)) for _ in range(10))
        return await asyncio.gather(*asked, return_exceptions=True)

    ended = asyncio.run(main())
    assert sum(isinstance(each, BudgetExceededError) for each in ended) == 6
    assert len(answers.requests) == 4  # 24 cents each


def test_who_is_refused_is_told_of_calls_that_go_on() -> None:
    async def main() -> None:
        budget = Budget(BudgetLimits(day=1.0))
        await budget.reserve(0.75)
        with pytest.raises(BudgetExceededError, match="This call is over what is left") as caught:
            await budget.reserve(0.5)
        assert "$0.0000 of $1.0000 are spent, $0.7500 are set aside for calls that go on, and" in caught.value.why

    asyncio.run(main())


def test_a_call_that_is_left_gives_back_what_was_set_aside() -> None:
    budget = Budget(BudgetLimits(day=1.0))
    inner = Answers(Chunk("four"), Chunk(" more"), Chunk(finish_reason="stop"))

    async def main() -> None:
        for _ in range(20):
            async with aclosing(Budgeted(inner, budget, BOOK).stream(a_request(max_tokens=90), a_call())) as chunks:
                await anext(chunks)

    with pytest.raises(BudgetExceededError):
        asyncio.run(main())
    assert inner.closed == len(inner.requests) == 2  # five cents each, estimated, and 94 set aside


async def _spend(ledger: UsageLedger, cost: float, at: int, **more: str) -> None:
    row = UsageRow(call=f"{at}-{cost}", at=at, provider="shop", model="cheap", cost=cost)
    for name, value in more.items():
        setattr(row, name, value)
    ledger.add(row)
    await ledger.flush()


def test_what_was_spent_before_and_elsewhere_counts() -> None:
    clock = FixedClock()
    path = Path("usage.db")

    async def main() -> None:
        ours, theirs = UsageLedger(path, clock=clock), UsageLedger(path, clock=clock)
        budget = Budget(BudgetLimits(day=1.0, profile=3.0), spending=ours, clock=clock)
        now = clock.now_ns()
        await _spend(theirs, 5.0, now - DAY * 10**9, profile="other")
        await _spend(theirs, 1.5, now - DAY * 10**9)
        await _spend(theirs, 0.5, now)
        budget.settle(await budget.reserve(0.25), 0.25)
        with pytest.raises(BudgetExceededError, match="of the day"):
            await budget.reserve(0.5)
        await _spend(theirs, 0.5, now + 1)
        await budget.reserve(0.01)  # not seen yet
        clock.advance(6)
        with pytest.raises(BudgetExceededError, match=r"of the day"):
            await budget.reserve(0.01)
        clock.advance(DAY)
        await _spend(theirs, 0.9, clock.now_ns())
        with pytest.raises(BudgetExceededError, match=r"of the profile"):
            await budget.reserve(0.1)
        await ours.aclose()
        await theirs.aclose()

    asyncio.run(main())


def test_the_budget_of_a_call_is_for_all_its_attempts() -> None:
    inner = Answers(Chunk("a" * 240))  # sixty cents, and it breaks off
    budgeted = Budgeted(inner, Budget(BudgetLimits(call=1.0)), BOOK)
    call = a_call()
    asyncio.run(_read(budgeted, a_request(max_tokens=500), call))
    asyncio.run(_read(budgeted, a_request(max_tokens=500), call.branch()))
    bounds = [request.parameters.max_tokens for request in inner.requests]
    assert bounds == [96, 32]  # a dollar less four cents for the request, and less the 64 of the first attempt
    with pytest.raises(BudgetExceededError, match=r"after \$1.2800 for what was tried before"):
        asyncio.run(_read(budgeted, a_request(max_tokens=500), call))
    assert len(inner.requests) == 2
    assert call.set_aside == 0


def test_attempts_at_the_same_time_keep_to_the_budget_of_their_call() -> None:
    inner = Answers()
    budgeted = Budgeted(inner, Budget(BudgetLimits(call=1.0)), BOOK)

    async def main() -> None:
        call = a_call()
        async with aclosing(budgeted.stream(a_request(max_tokens=80), call)) as chunks:
            await anext(chunks)
            with pytest.raises(BudgetExceededError):
                await _read(budgeted, a_request(max_tokens=80), call.branch())

    asyncio.run(main())
    assert len(inner.requests) == 1


@pytest.mark.parametrize(
    ("written", "cost"),
    [
        (Chunk("a" * 40), 0.20),
        (Chunk(tool_call=ToolCallDelta(arguments="a" * 40)), 0.20),
        (Chunk(thinking=ThinkingPart("a" * 40)), 0.20),
    ],
)
def test_what_was_written_counts_where_usage_was_told_at_the_beginning_only(written: Chunk, cost: float) -> None:
    inner = Answers(Chunk(usage=Usage(input=10, output=1)), written)
    call = a_call()
    asyncio.run(_read(Budgeted(inner, Budget(BudgetLimits(day=9)), BOOK), a_request(max_tokens=1), call))
    assert call.spent == pytest.approx(cost)
    inner.chunks = (*inner.chunks, Chunk(usage=Usage(input=10, output=5)), Chunk(finish_reason="stop"))
    call = a_call()
    asyncio.run(_read(Budgeted(inner, Budget(BudgetLimits(day=9)), BOOK), a_request(max_tokens=1), call))
    assert call.spent == pytest.approx(0.15)  # the provider's last word counts


def test_a_number_below_zero_gives_no_money_back() -> None:
    inner = Answers(Chunk("Hi"), Chunk(finish_reason="stop"), Chunk(usage=Usage(input=50, output=-1000)))
    budget = Budget(BudgetLimits(day=0.6))
    asyncio.run(_read(Budgeted(inner, budget, BOOK), a_request(max_tokens=1)))
    with pytest.raises(BudgetExceededError, match=r"\$0.5000 of"):
        asyncio.run(_read(Budgeted(inner, budget, BOOK), a_request(max_tokens=30)))


class _SlowLedger:
    """Says after a moment what was spent."""

    def __init__(self, spent: float) -> None:
        self.said = spent
        self.read = 0

    async def spent(self, *, since: int, session: str | None = None, profile: str | None = None) -> float:
        self.read += 1
        await asyncio.sleep(0.01)
        return self.said

    async def held(self, *, since: int, session: str | None = None, profile: str | None = None) -> float:
        return 0.0


def test_no_call_passes_while_what_was_spent_is_being_read() -> None:
    ledger = _SlowLedger(10.0)
    budget = Budget(BudgetLimits(day=5.0, profile=5.0), spending=ledger)

    async def main() -> list[object]:
        asked = [asyncio.ensure_future(budget.reserve(0.5)) for _ in range(6)]
        await asyncio.sleep(0)
        asked[0].cancel()  # it was the first to ask, and the others wait for what it asked
        return list(await asyncio.gather(*asked, return_exceptions=True))

    ended = asyncio.run(main())
    assert isinstance(ended[0], asyncio.CancelledError)
    assert all(isinstance(each, BudgetExceededError) for each in ended[1:])
    assert ledger.read == 2  # once for the day, once for the profile


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(1, 100), st.integers(0, 100)), max_size=30),
    st.floats(0, 5, allow_nan=False),
)
def test_a_day_never_costs_more_than_its_limit_and_one_answer(calls: list[tuple[int, int, int]], limit: float) -> None:
    """Past the limit nothing is sent, and answers that a call bounds are never dearer than that."""
    budget = Budget(BudgetLimits(day=limit))
    spent = 0.0

    async def main() -> None:
        nonlocal spent
        for prompt, bound, output in calls:
            used = Usage(input=4 + prompt // 4, output=min(bound, output))
            inner = Answers(Chunk(usage=used))
            try:
                await _read(Budgeted(inner, budget, BOOK), a_request(text="a" * prompt, max_tokens=bound))
            except BudgetExceededError:
                assert not inner.requests
            else:
                spent += BOOK.cost("shop", "cheap", used) or 0.0

    asyncio.run(main())
    assert spent <= limit * (1 + 1e-6)


def test_a_forecast() -> None:
    assert forecast(0.0, 0) == 0.0
    assert forecast(2.0, 12 * 3600 * 10**9) == 4.0
    assert forecast(1.0, 1) == 24.0
