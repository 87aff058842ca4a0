"""What calls cost: exactly what the table says, over every kind of token and size of request."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal

import genai_prices
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.llm import Usage
from sentient_cli.llm.models.pricelist import load_rates
from sentient_cli.llm.models.prices import PriceBook
from sentient_cli.llm.models.rates import FREE, Prices, Rates, cost_of, dollars

MODELS = [
    ("openai", "gpt-5"),
    ("openai", "gpt-5.4"),
    ("openai", "gpt-4o-mini"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-opus-4-5"),
    ("groq", "llama-3.3-70b-versatile"),
]
AT = datetime(2026, 11, 1, tzinfo=UTC)
tokens = st.integers(min_value=0, max_value=400_000)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "model"), MODELS)
@given(fresh=tokens, read=tokens, write=tokens, long=tokens, out=tokens)
def test_a_cost_is_that_of_the_table(
    kind: str, model: str, fresh: int, read: int, write: int, long: int, out: int
) -> None:
    if kind != "anthropic":
        write = long = 0
    usage = Usage(input=fresh, cache_read=read, cache_write=write, cache_write_1h=long, output=out)
    told = genai_prices.Usage(
        input_tokens=fresh + read + write + long,
        cache_read_tokens=read,
        cache_write_tokens=write + long,
        **({"cache_write_1h_tokens": long} if long else {}),
        output_tokens=out,
    )
    theirs = genai_prices.calc_price(told, model, provider_id=kind, genai_request_timestamp=AT).total_price
    assert cost_of(usage, load_rates(kind, model, at=AT)) == float(theirs)


def test_a_sum_of_many_is_exact() -> None:
    rates = Rates(Prices(input=dollars("0.1"), output=dollars("0.3")))
    assert cost_of(Usage(input=3, output=0), rates) == float(Decimal("0.0000003"))


def test_reasoning_has_a_price_of_its_own_where_it_has_one() -> None:
    rates = Rates(Prices(input=0, output=dollars(10), reasoning=dollars(2)))
    assert cost_of(Usage(input=0, output=1_000_000, reasoning=500_000), rates) == 6.0


def test_a_tier_counts_for_all_tokens_and_begins_behind_its_start() -> None:
    rates = Rates(Prices(input=dollars(1), output=0), ((1000, Prices(input=dollars(2), output=0)),))
    assert cost_of(Usage(input=1000, output=0), rates) == 0.001
    assert cost_of(Usage(input=500, cache_read=501, output=0), rates) == 0.002002


@pytest.mark.parametrize("usage", [Usage(), Usage(input=1), Usage(output=1)])
def test_unknown_tokens_have_no_cost(usage: Usage) -> None:
    assert cost_of(usage, FREE) is None


@pytest.mark.parametrize(
    ("kind", "model"), [("openai", "nonsense"), ("nowhere", "gpt-5"), ("openai", "whisper-1"), ("", "")]
)
def test_an_unknown_price_is_none(kind: str, model: str) -> None:
    assert load_rates(kind, model) is None


def test_a_service_tier_has_its_own_price() -> None:
    usual, flex, batch = (load_rates("openai", "gpt-5", tier=tier, at=AT) for tier in (None, "flex", "batch"))
    assert usual is not None
    assert flex is not None
    assert batch is not None
    assert usual.base.input == 2 * flex.base.input == 2 * batch.base.input


@pytest.mark.parametrize(
    ("kind", "model", "tier"),
    [("openai", "gpt-5", "scale"), ("openai", "gpt-4o", "flex"), ("anthropic", "claude-sonnet-4-5", "flex")],
)
def test_a_tier_whose_price_nobody_knows_has_none(kind: str, model: str, tier: str) -> None:
    assert load_rates(kind, model, at=AT) is not None
    assert load_rates(kind, model, tier, at=AT) is None


@pytest.mark.parametrize("tier", ["auto", "default", "standard_only"])
def test_some_tiers_are_none(tier: str) -> None:
    assert load_rates("openai", "gpt-5", tier, at=AT) == load_rates("openai", "gpt-5", at=AT)


@given(st.builds(Usage, *[st.integers(-(2**70), 2**70)] * 5))
def test_no_number_gives_money_back(usage: Usage) -> None:
    for rates in (Rates(Prices(input=1, output=5)), Rates(Prices(input=1, output=5, reasoning=1, cache_read=0))):
        assert (cost_of(usage, rates) or 0.0) >= 0


def test_a_book_reads_each_model_once_and_never_on_its_own() -> None:
    book = PriceBook(own={"mine:small": FREE}, kinds={"work": "openai"})
    usage = Usage(input=1_000_000, output=0)
    assert book.cost("work", "gpt-4o", usage) is None
    asyncio.run(book.ready("work", "gpt-4o"))
    assert book.cost("work", "gpt-4o", usage) == 2.5
    assert book.rates("work", "gpt-4o") is book.read("work", "gpt-4o")
    assert book.cost("mine", "small", usage) == 0
    asyncio.run(book.ready("offline", "echo"))
    assert book.cost("offline", "echo", usage) == 0
    asyncio.run(book.ready("work", "unknown"))
    assert book.knows("work", "unknown")
    assert book.cost("work", "unknown", usage) is None


@pytest.mark.slow
def test_the_table_is_not_loaded_before_it_is_needed() -> None:
    code = "import sys, sentient_cli.llm.models.prices as _; print('genai_prices' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
