"""What is known about models."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Final

import pytest
from genai_prices.data_snapshot import get_snapshot

from sentient_cli.llm import Capabilities
from sentient_cli.llm.compatible import VENDORS
from sentient_cli.llm.models.facts import capabilities_of, facts_of, known_models
from sentient_cli.llm.models.table import ROWS


def test_the_longest_beginning_wins() -> None:
    nano, small = facts_of("openai", "gpt-5.4-nano-2026-03-01"), facts_of("openai", "GPT-4o-2024-08-06")
    assert nano is not None
    assert small is not None
    assert (nano.name, small.name) == ("gpt-5.4-nano", "gpt-4o")


def test_a_model_nobody_knows_can_what_its_provider_can() -> None:
    provider = Capabilities(tools=True, images=True, max_input_tokens=7)
    assert capabilities_of("openai", "gpt-99", provider) == provider
    assert capabilities_of("nowhere", "x/y/z", provider) == provider


def test_what_is_known_of_a_model_goes_before_its_provider() -> None:
    can = capabilities_of(
        "openai", "o1-mini", Capabilities(tools=True, images=True, rate_limits=Capabilities().rate_limits)
    )
    assert (can.tools, can.images, can.thinking, can.max_input_tokens) == (False, False, True, 128_000)


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(ROWS))
def test_every_row_can_be_read(kind: str) -> None:
    rows = known_models(kind)
    assert len({row.name for row in rows}) == len(rows) == len(ROWS[kind])
    for _, context, output, can, shutdown in ROWS[kind]:
        assert not set(can) - set("tiadsrc")
        assert output <= context
        assert not shutdown or date.fromisoformat(shutdown).isoformat() == shutdown


@pytest.mark.parametrize("kind", ["openai", "anthropic", "mistral", "xai", "perplexity"])
def test_contexts_are_those_of_the_table_of_prices(kind: str) -> None:
    """What has a row of ours, by its own name or by a beginning, is as large as others say, but for rounding."""
    theirs = next(each for each in get_snapshot().providers if each.id == {"xai": "x-ai"}.get(kind, kind))
    wrong = {
        model.id: (facts.context_tokens, model.context_window)
        for model in theirs.models
        if model.context_window and (facts := facts_of(kind, model.id)) is not None
        if abs((facts.context_tokens or 0) - model.context_window) > model.context_window * 0.05
    }
    assert wrong == {}


@pytest.mark.parametrize("vendor", VENDORS)
def test_no_default_model_had_come_to_its_end_when_the_rows_were_written(vendor: str) -> None:
    kind, model = VENDORS[vendor].dialect.kind or vendor, VENDORS[vendor].default_model
    found = facts_of(kind, model) if model else None
    assert found is None or found.shutdown is None or found.shutdown > "2026-11-30"


_WRITTEN: Final = "2026-11-23"
_MODEL: Final = re.compile(rf"\b({'|'.join(sorted(ROWS))}):([A-Za-z0-9][\w./-]*\w)")
_ENDS_ARE_SHOWN: Final = re.compile(r"\b(ends|gone) \d")


def test_no_example_asks_a_model_that_has_ended(repository: Path) -> None:
    pages = [
        *(repository / "docs").rglob("*.md"),
        repository / "README.md",
        *(repository / "templates").rglob("*.toml*"),
    ]
    asked = {
        (page.name, *found.groups())
        for page in pages
        for line in page.read_text("utf-8").splitlines()
        if not _ENDS_ARE_SHOWN.search(line)
        for found in _MODEL.finditer(line)
    }
    ends = {one: (facts.shutdown or "9") if (facts := facts_of(*one[1:])) is not None else "9" for one in asked}
    assert len(asked) > 10
    assert [one for one in sorted(asked) if ends[one] <= _WRITTEN] == []


@pytest.mark.parametrize(
    ("kind", "model", "day"),
    [
        ("groq", "llama-3.3-70b-versatile", "2026-08-16"),
        ("anthropic", "claude-opus-4-1-20250805", "2026-08-05"),
        ("anthropic", "claude-3-haiku-20240307", "2026-04-20"),
        ("openai", "o3-pro", "2026-12-11"),
        ("openai", "gpt-audio-1.5", None),
        ("openrouter", "google/gemini-2.5-pro", "2026-12-01"),
        ("openrouter", "google/gemini-2.5-flash-lite", None),
    ],
)
def test_days_that_vendors_have_announced(kind: str, model: str, day: str | None) -> None:
    facts = facts_of(kind, model)
    assert facts is not None
    assert facts.shutdown == day
