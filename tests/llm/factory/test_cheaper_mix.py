"""What choosing by price saves on a mix of requests, over real sockets."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest

from bench.llm_mix import FLAGSHIP, GROUPS, REQUESTS, SEED, mix
from sentient_cli.llm import Usage
from tests.cli.llm_command_kit import chat_answer
from tests.llm.factory.socket_kit import configured
from tests.llm.providers import anthropic_wire
from tests.support.llm_server import Answer, LLMServer, Received

_GROUP = GROUPS["of the largest models"]


def _counted(received: Received) -> tuple[int, int]:
    """Tokens of a request, and those of its answer, which the first message tells."""
    asked = json.loads(received.body)
    system = asked.get("system") or asked["messages"][0]["content"]
    text = system if isinstance(system, str) else system[0]["text"]
    return len(received.body) // 5, int(text)


def _openai(received: Received) -> Answer:
    return chat_answer("x", usage=_counted(received))


def _anthropic(received: Received) -> Answer:
    asked, answered = _counted(received)
    begin, *_ = anthropic_wire.text_answer([])
    begin = begin.replace(b'"input_tokens": 12', b'"input_tokens": %d' % asked)
    text = anthropic_wire.block(0, {"type": "text", "text": ""}, [{"type": "text_delta", "text": "x"}])
    _, *rest = anthropic_wire.message(text)
    rest[-2] = rest[-2].replace(b'"output_tokens": 10', b'"output_tokens": %d' % answered)
    return Answer([begin, *rest])


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.story("F6")
async def test_the_cheapest_of_the_largest_models_saves_a_fifth() -> None:
    provider, _, model = FLAGSHIP.partition(":")
    spent, flagship, who = 0.0, 0.0, Counter[str]()
    with LLMServer(_openai) as one, LLMServer(_anthropic) as two:
        told: dict[str, object] = {
            "model": "all",
            "groups": {"all": _GROUP},
            "strategy": "cheapest",
            "usage": False,
            "providers": {
                "openai": {"base_url": f"{one.url}/v1", "api_key_env": "K"},
                "anthropic": {"base_url": two.url, "api_key_env": "K"},
            },
        }
        async with configured(told, keys=["K"]) as manager:
            for each in _GROUP:
                await manager.prices.ready(*each.split(":"))
            for messages, tools in mix(random.Random(SEED)):
                answer = await manager.generate(messages, tools=tools)
                usage = Usage(input=answer.usage.input, output=answer.usage.output)
                usual = manager.prices.cost(provider, model, usage)
                assert answer.cost is not None
                assert usual is not None
                spent, flagship = spent + answer.cost, flagship + usual
                who[answer.model] += 1
        assert len(one.requests) + len(two.requests) == who.total() == REQUESTS
    assert spent <= 0.8 * flagship, who
