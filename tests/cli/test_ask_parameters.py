"""`sentient ask` with parameters from the layers of the settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.llm_command_kit import chat_answer, project
from tests.cli.processes import Sentient
from tests.support.llm_server import LLMServer

_ENV = {"MINE_KEY": "sk-mine-1234"}
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


@pytest.mark.story("5.6")
def test_the_flags_of_ask_are_the_uppermost_layer(sentient: Sentient) -> None:
    env = {**_ENV, "SENTIENT_LLM_PRESET": "short", "SENTIENT_LLM_PARAMETERS_MAX_TOKENS": "50"}
    with LLMServer(chat_answer("Hello")) as server:
        project(server, _LAYERS)
        for flags in ((), ("--max-tokens", "3", "--temperature", "0")):
            done = sentient("ask", "Hi", "--json", *flags, env=env)
            assert json.loads(done.stdout)["text"] == "Hello"
        bodies = [request.json() for request in server.requests]
    assert [(each["temperature"], each["max_tokens"], each["seed"]) for each in bodies] == [(0.4, 50, 5), (0.0, 3, 5)]


@pytest.mark.story("5.4")
def test_a_cycle_of_presets_is_an_error_of_the_command(sentient: Sentient) -> None:
    Path("sentient.toml").write_text('[llm.presets.a]\nbase = "b"\n[llm.presets.b]\nbase = "a"\n', encoding="utf-8")
    done = sentient("ask", "Hi", "--json")
    assert done.returncode == 3
    told = json.loads(done.stderr)["error"]
    assert (told["code"], "a -> b -> a" in told["what"]) == ("config", True)
    assert "sentient.toml:4" in told["why"]
