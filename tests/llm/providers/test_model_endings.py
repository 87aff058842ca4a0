"""The day of a model's end, where a provider tells it."""

from __future__ import annotations

import pytest

from sentient_cli.config.secret import Secret
from sentient_cli.llm.openai import OpenAIConfig, OpenAIProvider
from tests.support.llm_server import LLMServer, as_json


@pytest.mark.story("3.2")
@pytest.mark.parametrize(
    ("told", "day"),
    [("2026-12-11", "2026-12-11"), (None, None), ("soon", None), (20261211, None), ({"day": 1}, None), ("", None)],
)
async def test_a_model_that_ends_has_its_day(told: object, day: str | None) -> None:
    rows = [{"id": "gpt-5", "object": "model", "shutdown_date": told}, {"id": "gpt-6-astra", "object": "model"}]
    with LLMServer(as_json({"object": "list", "data": rows})) as server:
        provider = OpenAIProvider(OpenAIConfig(base_url=f"{server.url}/v1", api_key=Secret("sk-1")))
        first, second = await provider.models()
        await provider.aclose()
    assert (first.id, first.shutdown) == ("gpt-5", day)
    assert second.shutdown is None
