"""How long a model shall think, in the words of each vendor: what goes over the wire, and what is said of it."""

from __future__ import annotations

from typing import Literal, NamedTuple

import pytest

from sentient_cli.config.secret import Secret
from sentient_cli.llm import LLMManager, Parameters
from sentient_cli.llm.anthropic import AnthropicConfig, AnthropicProvider
from sentient_cli.llm.compatible import CompatibleConfig, CompatibleProvider
from sentient_cli.llm.openai import OpenAIConfig, OpenAIProvider
from sentient_cli.llm.parameters import Effort
from sentient_cli.llm.provider import LLMProvider
from tests.llm.providers import anthropic_wire, chat_wire, responses_wire
from tests.support.llm_server import Answer, LLMServer


class Case(NamedTuple):
    """A wish, and what becomes of it.

    Args:
        provider: Who is asked, and by which API.
        model: Which model.
        effort: What is wanted.
        sent: What the request has of it.
        said: What the notice says; empty: there is none.
    """

    provider: str
    model: str
    effort: Effort
    sent: dict[str, object]
    said: str = ""


OFF: dict[str, object] = {"thinking": {"type": "disabled"}}
CASES = [
    *(Case("deepseek", "deepseek-flash", effort, {"reasoning_effort": effort}) for effort in ("low", "high", "max")),
    Case("deepseek", "deepseek-flash", "none", OFF),
    Case("deepseek", "deepseek-flash", "minimal", {"reasoning_effort": "low"}, "'minimal' became 'low'"),
    Case("deepseek", "deepseek-flash", "medium", {"reasoning_effort": "high"}, "'medium' became 'high'"),
    Case("deepseek", "deepseek-flash", "xhigh", {"reasoning_effort": "high"}, "'xhigh' became 'high'"),
    Case("deepseek", "deepseek-reasoner", "high", {}, "'effort' was left out"),
    *(Case("mistral", "mistral-small-latest", effort, {"reasoning_effort": effort}) for effort in ("none", "high")),
    Case("mistral", "mistral-medium-3-5", "max", {"reasoning_effort": "high"}, "'max' became 'high'"),
    Case("mistral", "mistral-medium-3-5", "low", {"reasoning_effort": "high"}, "'low' became 'high'"),
    Case("mistral", "mistral-medium-3-5", "minimal", {"reasoning_effort": "none"}, "'minimal' became 'none'"),
    Case("mistral", "mistral-large-4", "medium", {"reasoning_effort": "medium"}),
    Case("mistral", "mistral-large-latest", "high", {}, "'effort' was left out: the model 'mistral-large-latest'"),
    Case("openrouter", "openai/gpt-6-astra", "max", {"reasoning": {"effort": "max"}}),
    Case("groq", "openai/gpt-oss-120b", "max", {"reasoning_effort": "high"}, "'max' became 'high'"),
    Case("xai", "grok-4.7", "max", {"reasoning_effort": "xhigh"}, "'max' became 'xhigh'"),
    Case("azure", "mine", "max", {"reasoning_effort": "xhigh"}, "'max' became 'xhigh'"),
    Case("chat", "gpt-6-astra", "max", {"reasoning_effort": "xhigh"}, "'max' became 'xhigh'"),
    Case("responses", "gpt-6-astra", "max", {"reasoning": {"effort": "max"}}),
    Case("responses", "gpt-5.6-sol", "max", {"reasoning": {"effort": "max"}}),
    Case("responses", "gpt-5.5", "max", {"reasoning": {"effort": "xhigh"}}, "'max' became 'xhigh'"),
    Case("responses", "a-model-of-tomorrow", "max", {"reasoning": {"effort": "max"}}),
    Case("anthropic", "claude-opus-5-5", "max", {"output_config": {"effort": "max"}}),
    Case("anthropic", "claude-opus-5-5", "xhigh", {"output_config": {"effort": "xhigh"}}),
    Case("anthropic", "claude-opus-4-6", "max", {"output_config": {"effort": "max"}}),
    Case("anthropic", "claude-opus-4-6", "xhigh", {"output_config": {"effort": "high"}}, "'xhigh' becomes 'high'"),
    Case("anthropic", "claude-opus-5-5", "minimal", {"output_config": {"effort": "low"}}, "'minimal' becomes 'low'"),
]
PLACES = ("reasoning_effort", "reasoning", "output_config")


def _provider(name: str, url: str) -> LLMProvider:
    key = Secret("sk-1")
    if name == "anthropic":
        return AnthropicProvider(AnthropicConfig(base_url=url, api_key=key))
    if name in {"chat", "responses"}:
        api: Literal["chat", "responses"] = "responses" if name == "responses" else "chat"
        return OpenAIProvider(OpenAIConfig(base_url=f"{url}/v1", api_key=key, api=api))
    return CompatibleProvider(name, CompatibleConfig(base_url=f"{url}/v1", api_key=key))


def _answer(name: str) -> Answer:
    wire = {"anthropic": anthropic_wire, "responses": responses_wire}.get(name, chat_wire)
    return Answer(wire.text_answer(["Hi"]))


@pytest.mark.story("1.5")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.provider}-{case.model}-{case.effort}")
async def test_each_vendor_is_told_in_its_own_words(case: Case) -> None:
    with LLMServer(_answer(case.provider)) as server:
        provider = _provider(case.provider, server.url)
        manager = LLMManager([provider], default_model=f"{provider.provider_id}:{case.model}")
        answer = await manager.generate("Hello", parameters=Parameters(effort=case.effort))
        await manager.aclose()
    body = server.requests[-1].json()
    places = (*PLACES, *(("thinking",) if case.provider != "anthropic" else ()))
    assert {name: body[name] for name in places if name in body} == case.sent
    assert [case.said in notice for notice in answer.notices] == ([True] if case.said else [])


@pytest.mark.story("1.5")
async def test_a_model_that_does_not_think_is_told_how_to_sample() -> None:
    warm = Parameters(temperature=0.5, top_p=0.9, presence_penalty=1.0)
    with LLMServer(Answer(chat_wire.text_answer())) as server:
        provider = _provider("deepseek", server.url)
        manager = LLMManager([provider], default_model="deepseek:deepseek-v4-pro")
        thinking = await manager.generate("Hello", parameters=warm)
        quick = Parameters(temperature=0.5, top_p=0.9, presence_penalty=1.0, effort="none")
        plain = await manager.generate("Hello", parameters=quick)
        await manager.aclose()
    first, second = (received.json() for received in server.requests)
    names = {"temperature", "top_p", "presence_penalty"}
    assert (names & first.keys(), names & second.keys()) == (set(), names)
    assert [len(answer.notices) for answer in (thinking, plain)] == [3, 0]
