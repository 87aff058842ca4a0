"""Providers come, go and take over from one another, over real sockets."""

from __future__ import annotations

import asyncio
import json

import pytest

from sentient_cli.errors import ConfigError
from sentient_cli.llm import Chunk, LLMManager, Parameters
from sentient_cli.llm.compatible import CompatibleConfig, CompatibleProvider
from sentient_cli.llm.provider import LLMProvider
from tests.cli.llm_command_kit import chat_answer
from tests.llm.factory.socket_kit import DOWN, Records, configured, pair
from tests.llm.providers import anthropic_wire
from tests.support.llm_server import Answer, LLMServer, Received

PIECES = [
    *("It was the best of times, ", "it was the worst of times, ", "it was the age of wisdom, "),
    *("it was the age of foolishness, ", "it was the epoch of belief."),
]
TEXT = "".join(PIECES)
WHOLE = chat_answer(*PIECES)
BROKEN = Answer(WHOLE.body[:3], how="close")


def _provider(server: LLMServer) -> CompatibleProvider:
    config = CompatibleConfig(base_url=f"{server.url}/v1", default_model="m")
    return CompatibleProvider("compatible", config, provider_id="mine")


@pytest.mark.story("3.1")
async def test_providers_are_added_replaced_and_removed_while_calls_go_on() -> None:
    slow = Answer(WHOLE.body, pace=0.005)
    with LLMServer(slow) as one, LLMServer(chat_answer("Two")) as two:
        manager = LLMManager()
        with pytest.raises(ConfigError):
            manager.resolve("mine")
        manager.register(_provider(one))
        with pytest.raises(ConfigError):
            manager.register(_provider(two))
        stream = manager.stream("Hello", model="mine")
        read = [await anext(stream)]
        old: list[LLMProvider] = [manager.replace(_provider(two))]
        assert (await manager.generate("Hello", model="mine")).text == "Two"
        old.append(manager.remove("mine"))
        with pytest.raises(ConfigError):
            await manager.generate("Hello", model="mine")
        assert "".join([*read, *[text async for text in stream]]) == TEXT
        for provider in old:
            await provider.aclose()
        assert (len(one.requests), len(two.requests), manager.providers) == (1, 1, ())
        await asyncio.to_thread(one.wait_open, 0)


@pytest.mark.story("3.4")
async def test_another_answers_before_there_is_content() -> None:
    hook = Records()
    silent = Answer(WHOLE.body, cut=0, how="close")
    with LLMServer(silent) as one, LLMServer(WHOLE) as two:
        async with configured(pair(one, two), hook) as manager:
            answer = await manager.generate("Hello")
        assert [server.requests[0].json()["model"] for server in (one, two)] == ["large", "small"]
    assert (answer.text, answer.provider, answer.model, answer.attempts, answer.failovers) == (
        *(TEXT, "two", "small"),
        *(2, 1),
    )
    (told,) = hook.of("llm.failover")
    assert (told["from"], told["to"]) == ("one:large", "two:small")


def _goes_on(received: Received) -> Answer:
    """A model that does as it is told: repeats the end of what is there, and says the rest."""
    messages = json.loads(received.body)["messages"]
    anchor = str(messages[-1]["content"]).rpartition("\n\n")[2]
    place = TEXT.index(anchor)
    assert messages[-2]["role"] == "assistant"
    return chat_answer(*[TEXT[at : at + 7] for at in range(place, len(TEXT), 7)])


@pytest.mark.story("3.4", "E3.1", "E4.1")
async def test_another_goes_on_with_an_answer_that_breaks_off() -> None:
    hook = Records()
    with LLMServer(BROKEN, DOWN) as one, LLMServer(_goes_on) as two:
        async with configured(pair(one, two), hook) as manager:
            stream = manager.stream("Hello")
            assert "".join([text async for text in stream]) == TEXT
            answer = await stream.completion()
            told = stream.metadata
        assert (len(one.requests), len(two.requests)) == (2, 1)  # the same model first, since it writes as it did
        await asyncio.to_thread(one.wait_open, 0)
    assert (answer.text, answer.provider, answer.model) == (TEXT, "two", "small")
    assert (answer.attempts, answer.failovers) == (told["attempts"], told["failovers"]) == (3, 1)
    assert len(hook.of("llm.splice")) >= 1
    assert answer.usage.total == 17


@pytest.mark.story("E3.1")
async def test_or_the_answer_begins_anew_and_the_place_is_marked() -> None:
    with LLMServer(BROKEN, DOWN) as one, LLMServer(WHOLE) as two:
        async with configured(pair(one, two, failover="restart")) as manager:
            chunks: list[Chunk] = [chunk async for chunk in manager.stream("Hello").chunks()]
    (mark,) = [place for place, chunk in enumerate(chunks) if chunk.restarted]
    assert "".join(chunk.text for chunk in chunks[:mark]) == "".join(PIECES[:3])
    assert "".join(chunk.text for chunk in chunks[mark:]) == TEXT


@pytest.mark.story("E3.2")
async def test_what_the_next_provider_does_not_take_is_left_out_and_said() -> None:
    asked = Parameters(temperature=0.2, seed=7, max_tokens=50, stop=("END",), extra={"one": {"min_p": 0.1}})
    with LLMServer(DOWN) as one, LLMServer(anthropic_wire.handle) as two:
        table = {"kind": "anthropic", "base_url": two.url, "api_key_env": "K"}
        told = pair(one, one, groups={"pair": ["one:large", f"claude:{anthropic_wire.MODEL}"]})
        tables = told["providers"]
        assert isinstance(tables, dict)
        told["providers"] = {"one": tables["one"], "claude": table}
        async with configured(told, keys=["K"]) as manager:
            answer = await manager.generate("Hello", parameters=asked)
        first, second = one.requests[0].json(), two.requests[0].json()
    names = ("temperature", "seed", "stop", "min_p")
    assert [first[name] for name in names] == [0.2, 7, ["END"], 0.1]
    assert (second["max_tokens"], second["stop_sequences"]) == (50, ["END"])
    assert not second.keys() & {*names}
    assert answer.provider == "claude"
    assert [notice.split("`")[1] for notice in answer.notices] == ["temperature", "seed"]


@pytest.mark.story("13.4")
async def test_calls_go_to_the_pool_that_is_least_busy() -> None:
    stuck = Answer(WHOLE.body, cut=-20, how="stall")
    with LLMServer(stuck) as one, LLMServer(stuck) as two:
        async with configured(pair(one, two, strategy="least-busy")) as manager:
            streams = [manager.stream("Hello") for _ in range(6)]
            for number, stream in enumerate(streams, 1):
                await anext(stream)
                assert abs(len(one.requests) - len(two.requests)) == number % 2
            assert (one.open, two.open) == (3, 3)
            for stream in streams:
                if stream.metadata["provider"] == "two":
                    await stream.aclose()
            await asyncio.to_thread(two.wait_open, 0)
            streams += [manager.stream("Hello") for _ in range(3)]
            for stream in streams[-3:]:
                await anext(stream)
                assert stream.metadata["provider"] == "two"
            for stream in streams:
                await stream.aclose()
            await asyncio.to_thread(one.wait_open, 0)
