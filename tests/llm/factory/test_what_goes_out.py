"""What of a call gets to a provider, over real sockets: conversations, parameters; and what is asked only once."""

from __future__ import annotations

from typing import cast

import pytest

from sentient_cli.config.secret import Secret
from sentient_cli.llm import (
    DocumentPart,
    ImagePart,
    LLMManager,
    Message,
    OfflineProvider,
    Parameters,
    TextPart,
    ToolCall,
    on_behalf_of,
    tool,
)
from sentient_cli.llm.compatible import CompatibleConfig, CompatibleProvider
from sentient_cli.llm.models.prices import PriceBook
from sentient_cli.llm.selection.observed import Observed
from sentient_cli.llm.selection.policies import Asked, Cheapest, Complexity
from sentient_cli.llm.selection.selector import Selector
from sentient_cli.testing import FixedClock
from tests.cli.llm_command_kit import chat_answer
from tests.llm.factory.socket_kit import Records, configured, table
from tests.llm.providers import anthropic_wire
from tests.support.llm_server import Answer, LLMServer

PNG = b"\x89PNG\r\n\x1a\n"
PDF = b"%PDF-1.7"


@tool
def look_up(word: str) -> str:
    """Look a word up."""
    return word


def _claude(server: LLMServer, model: str = "claude-sonnet-5-5", **options: object) -> dict[str, object]:
    told = {"kind": "anthropic", "base_url": server.url, "api_key_env": "K", "options": options}
    return {"model": f"claude:{model}", "providers": {"claude": told}, "retry": {"attempts": 1}, "usage": False}


@pytest.mark.story("2.4", "2.5", "3.6")
async def test_a_conversation_with_all_that_there_is_gets_to_anthropic() -> None:
    call = ToolCall("toolu_1", "look_up", '{"word": "log"}')
    said = [
        Message.system("Be brief."),
        Message.user((TextPart("A long introduction", cache=True), TextPart("See"), ImagePart(data=PNG))),
        Message.assistant("I look it up.", (call,)),
        Message.tool(call, "A record"),
        Message.user((DocumentPart(data=PDF, name="a.pdf"), TextPart("And this?"))),
    ]
    parameters = Parameters(max_tokens=4000, stop=("END",), thinking_tokens=2000)
    with LLMServer(Answer(anthropic_wire.text_answer(["Fine."]))) as server:
        async with configured(_claude(server, "claude-haiku-4-5"), keys=["K"]) as manager:
            answer = await manager.generate(said, parameters=parameters, tools=[look_up])
    assert (answer.text, answer.notices) == ("Fine.", ())
    sent = server.requests[0].json()
    assert (sent["max_tokens"], sent["stop_sequences"]) == (4000, ["END"])
    assert sent["thinking"] == {"type": "enabled", "budget_tokens": 2000}
    assert "Be brief." in str(sent["system"])
    assert [turn["role"] for turn in cast("list[dict[str, str]]", sent["messages"])] == ["user", "assistant", "user"]
    turns = cast("list[dict[str, list[dict[str, object]]]]", sent["messages"])
    assert [part["type"] for turn in turns for part in turn["content"]] == [
        *("text", "text", "image", "text", "tool_use", "tool_result", "document", "text"),
    ]
    assert turns[0]["content"][0]["cache_control"] == {"type": "ephemeral"}
    assert turns[2]["content"][0]["tool_use_id"] == "toolu_1"


@pytest.mark.story("2.2")
@pytest.mark.parametrize("model", ["claude-opus-9-9", "claude-instant-1.2", "a-name-of-tomorrow"])
async def test_a_claude_that_nobody_knows_yet_answers(model: str) -> None:
    with LLMServer(Answer(anthropic_wire.text_answer(["Here."]))) as server:
        async with configured(_claude(server, model), keys=["K"]) as manager:
            answer = await manager.generate("Hello")
    assert (answer.text, answer.model, server.requests[0].json()["model"]) == ("Here.", model, model)


@pytest.mark.story("A4")
async def test_a_kept_answer_is_for_its_own_question_tenant_and_time() -> None:
    clock = FixedClock()
    with LLMServer(lambda _: chat_answer("Hi")) as server:
        settings = {
            "model": "mine:m",
            "providers": {"mine": table(server)},
            "cache": {"enabled": True, "seconds": 60, "count": 2},
            "usage": False,
        }
        async with configured(settings, clock=clock) as manager:

            async def is_asked(
                prompt: str = "Hello", tenant: str = "Ann", parameters: Parameters | None = None
            ) -> bool:
                before = len(server.requests)
                with on_behalf_of(tenant):
                    answer = await manager.generate(prompt, parameters=parameters)
                assert answer.cached is (len(server.requests) == before)
                return not answer.cached

            assert [await is_asked(), await is_asked()] == [True, False]
            assert [await is_asked(tenant="Ben"), await is_asked(tenant="Ben")] == [True, False]
            clock.advance(61)
            assert [await is_asked(), await is_asked()] == [True, False]
            assert await is_asked(parameters=Parameters(temperature=0.5))
            assert await is_asked("Bye")
            assert await is_asked(), "two are kept, and this one was asked for longest ago"


@pytest.mark.story("E2.2", "3.5")
async def test_what_is_easy_may_be_said_by_a_rule_of_ones_own() -> None:
    records = Records()

    def is_a_greeting(asked: Asked) -> bool:
        return asked.request.messages[-1].text == "Hello"

    with LLMServer(lambda _: chat_answer("Hi")) as server:
        config = CompatibleConfig(base_url=f"{server.url}/v1", api_keys=(Secret("sk-1"),))
        provider = CompatibleProvider("compatible", config, provider_id="openai")
        prices = PriceBook()
        policy = Complexity(Cheapest(prices, Observed()), is_a_greeting)
        manager = LLMManager(
            [provider, OfflineProvider()],
            default_model="pair",
            groups={"pair": ["openai:gpt-4.1", "openai:gpt-4.1-nano"]},
            choose=Selector(policy),
            hooks=[records],
        )
        for model in ("gpt-4.1", "gpt-4.1-nano"):
            await prices.ready("openai", model)
        answers = [await manager.generate(text) for text in ("Hello", "Prove it.")]
        await manager.aclose()
    assert [answer.model for answer in answers] == ["gpt-4.1-nano", "gpt-4.1"]
    easy, hard = records.of("llm.selection")
    assert "the request is easy" in str(easy["reasons"])
    assert "the request is hard" in str(hard["reasons"])
