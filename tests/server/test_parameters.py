"""The parameters of calls, layer by layer, over two sockets: that of the client, and that of the provider."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.llm_command_kit import chat_answer, project
from tests.support.llm_server import LLMServer
from tests.support.served import serve
from tests.support.wire import ask_all

_AGENT = """
from sentient_cli import StateKey, agent, llm
from sentient_cli.llm import CallOptions, Parameters

STYLE = StateKey("style", str, lambda: "")

@agent
async def asker(session, query, response):
    word = query.prompt
    if word == "call":
        await response.stream_llm("A", llm.stream("Hi", parameters=Parameters(temperature=0.0)))
    elif word == "plain":
        await response.stream_llm("A", llm.stream("Hi", options=CallOptions(defaults=False)))
    elif word == "session":
        with llm.use(preset="short", parameters=Parameters(temperature=0.9)):
            await response.stream_llm("A", llm.stream("Hi"))
            await response.stream_llm("B", llm.stream("Hi", parameters=Parameters(max_tokens=9)))
    elif word == "model":
        with llm.use(model="mine:large"):
            await response.stream_llm("A", llm.stream("Hi"))
    elif word == "tools":
        await llm.run_tools("Hi", tools=[])
        await response.text_block("A", "Done")
    elif word.startswith("/style "):
        await session.state.set(STYLE, word.removeprefix("/style "))
        await response.text_block("A", "Noted")
    elif word == "as ever":
        with llm.use(preset=await session.state.get(STYLE)):
            await response.stream_llm("A", llm.stream("Hi"))
    else:
        await response.stream_llm("A", llm.stream("Hi"))
"""
_LAYERS = """
[llm.presets.short]
base = "precise"
max_tokens = 40
seed = 5
top_k = 7

[llm.parameters]
temperature = 0.4
stop = ["END"]

[llm.parameters.extra.mine]
mode = "quiet"

[profile.night.llm.parameters]
top_p = 0.5
"""
_ENV = {"MINE_KEY": "sk-mine-1234"}


@pytest.fixture(name="models")
def _models() -> Iterator[LLMServer]:
    with LLMServer(chat_answer("Hello")) as models:
        yield models


def _sent(models: LLMServer) -> list[dict[str, object]]:
    """The parameters of each request so far."""
    around = {"messages", "stream", "stream_options"}
    bodies = [request.json() for request in models.requests]
    return [{name: value for name, value in body.items() if name not in around} for body in bodies]


@pytest.mark.story("5.6")
@pytest.mark.story("5.4")
def test_layers_of_a_served_agent(models: LLMServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    project(models, _LAYERS)
    settings = Path("sentient.toml").read_text("utf-8").replace("[llm]\n", '[llm]\npreset = "short"\n', 1)
    Path("sentient.toml").write_text(settings, encoding="utf-8")
    Path("asker.py").write_text(_AGENT, encoding="utf-8")
    env = {**_ENV, "SENTIENT_PROFILE": "night", "SENTIENT_LLM_PARAMETERS_SEED": "6"}
    with serve(tmp_path, agent=tmp_path / "asker.py", env=env) as server:
        for word in ("none", "call", "session", "plain", "model", "tools"):
            ask_all(server.address, word)
    settled = {
        "model": "small",
        "temperature": 0.4,
        "max_tokens": 40,
        "seed": 6,
        "top_k": 7,
        "top_p": 0.5,
        "stop": ["END"],
        "mode": "quiet",
    }
    assert _sent(models) == [
        settled,
        settled | {"temperature": 0.0},
        settled | {"temperature": 0.9, "seed": 5},
        settled | {"temperature": 0.9, "seed": 5, "max_tokens": 9},
        {"model": "small"},
        settled | {"model": "large"},
        settled,
    ]


_TELLING = """
from sentient_cli import agent, llm
from sentient_cli.config import load

@agent
async def teller(session, query, response):
    config = llm.LLMConfig.of(load())
    with llm.use(parameters=llm.Parameters(seed=7)):
        await response.text_block("SETTINGS", "\\n".join(config.here().explain()))
    work = config.providers["mine"]
    await response.text_block("PROVIDER", f"{work.kind} {work.timeout} {work.attempts} {work.requests_per_minute}")
    await response.stream_llm("ANSWER", llm.stream("Hi"))
"""
_TYPED = """
default_model = "small"
organization = "org-1"
timeout = 5
requests_per_minute = 60

[llm.parameters]
temperature = 0.4
max_tokens = 300
"""


@pytest.mark.story("5.6")
def test_a_session_keeps_its_own_over_its_queries(
    models: LLMServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    project(models, _LAYERS)
    Path("asker.py").write_text(_AGENT, encoding="utf-8")
    with serve(tmp_path, agent=tmp_path / "asker.py", env={**_ENV, "SENTIENT_SERVER_SESSION_MEMORY": "true"}) as server:
        for word in ("/style creative", "as ever", "none"):
            ask_all(server.address, word)
    assert [(each["temperature"], each.get("presence_penalty")) for each in _sent(models)] == [(1.0, 0.3), (0.4, None)]


@pytest.mark.story("5.1")
def test_an_agent_sees_what_holds_with_units_ranges_and_sources(
    models: LLMServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    project(models, _TYPED)
    Path("teller.py").write_text(_TELLING, encoding="utf-8")
    with serve(tmp_path, agent=tmp_path / "teller.py", env={**_ENV, "SENTIENT_LLM_DEADLINE": "20"}) as server:
        told = {frame.json["event_name"]: frame.json["content"] for frame in ask_all(server.address, "Hi")[:2]}
    lines = str(told["SETTINGS"]).splitlines()
    where = f"{tmp_path}/sentient.toml"
    assert any(line.startswith(f"llm.parameters.temperature = 0.4 (from 0 to 2), from {where}:") for line in lines)
    assert any(line.startswith("llm.parameters.max_tokens = 300 tokens (from 1 to 2147483647)") for line in lines)
    assert "llm.deadline = 20.0 seconds (above 0), from SENTIENT_LLM_DEADLINE" in lines
    assert any(line.startswith("llm.parameters.seed = 7 ") and line.endswith("from session") for line in lines)
    assert told["PROVIDER"] == "compatible 5.0 1 60"
    assert models.requests[0].headers["openai-organization"] == "org-1"
    assert models.requests[0].headers["authorization"] == f"Bearer {_ENV['MINE_KEY']}"


@pytest.mark.slow
@pytest.mark.story("5.3")
@pytest.mark.story("E5.1")
def test_what_a_model_does_not_take_is_said_once_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "asker.py").write_text(_AGENT, encoding="utf-8")
    (tmp_path / "sentient.toml").write_text(
        '[llm]\nmodel = "openai:gpt-5-mini"\nfallback = ["anthropic:claude-haiku-4-5"]\npreset = "creative"\n',
        encoding="utf-8",
    )
    env = {"OPENAI_API_KEY": "sk-openai-1234", "ANTHROPIC_API_KEY": "sk-anthropic-1234"}
    with serve(tmp_path, "--workers", 2, agent=tmp_path / "asker.py", env=env) as server:
        said = [str(record["message"]) for record in server.records() if " is left out" in str(record.get("message"))]
    reason = "the version 2026-10-21 of the interface refuses it"
    assert said == [
        (
            "openai:gpt-5-mini: `temperature` = 1.0 is left out: the model 'gpt-5-mini' does not take it."
            " Steer the model with `effort`: minimal, low, medium, high."
        ),
        (
            "openai:gpt-5-mini: `presence_penalty` = 0.3 is left out: the model 'gpt-5-mini' does not take it."
            " Use a model that takes it, such as `openai:gpt-4.1`, `openai:gpt-4.1-mini`."
        ),
        (
            f"anthropic:claude-haiku-4-5: `temperature` = 1.0 is left out: {reason}."
            ' Set `api_version = "2023-06-01"` in the `options` of the provider.'
        ),
        (
            "anthropic:claude-haiku-4-5: `presence_penalty` = 0.3 is left out: the provider has no such parameter."
            " Leave it out, or use a provider that takes it, such as `openai`."
        ),
    ]
