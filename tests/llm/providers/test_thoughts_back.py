"""Thoughts of a model that has asked for tools go back with the results, where the vendor wants them."""

from __future__ import annotations

from typing import cast

import pytest

from sentient_cli.config.secret import Secret
from sentient_cli.llm import LLMManager, run_tools, tool
from sentient_cli.llm.compatible import CompatibleConfig, CompatibleProvider
from tests.llm.providers.chat_wire import MODEL, call_frame, ending, frame, text_answer
from tests.support.llm_server import Answer, LLMServer, as_sse


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


# DeepSeek refuses the results without them: https://api-docs.deepseek.com/guides/thinking_mode
@pytest.mark.parametrize(("vendor", "given_back"), [("deepseek", "Add them, I think."), ("groq", None)])
async def test_thoughts_go_back_with_results_where_they_are_wanted(vendor: str, given_back: str | None) -> None:
    asked = [
        *(frame({"reasoning_content": text}) for text in ("Add them, ", "I think.")),
        call_frame(0, "call_1", name="add", arguments='{"a": 1, "b": 2}'),
        *ending("tool_calls"),
    ]
    with LLMServer(Answer(as_sse(asked, done=True)), Answer(text_answer(["It is 3."]))) as server:
        config = CompatibleConfig(base_url=f"{server.url}/v1", default_model=MODEL, api_keys=(Secret("sk-1"),))
        provider = CompatibleProvider(vendor, config)
        manager = LLMManager([provider], default_model=vendor)
        answer = await run_tools("What is 1 + 2?", [add], manager=manager)
        await manager.aclose()
    assert answer.text == "It is 3."
    messages = cast("list[dict[str, object]]", server.requests[1].json()["messages"])
    assert [message["role"] for message in messages] == ["user", "assistant", "tool"]
    assert messages[1].get("reasoning_content") == given_back
