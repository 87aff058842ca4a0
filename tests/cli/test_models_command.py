"""`sentient models`: what is known without a network, and what servers tell."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from tests.cli.llm_command_kit import project
from tests.cli.processes import Sentient
from tests.support.llm_server import Answer, LLMServer, Received, as_json


def _lines(text: str) -> dict[str, dict[str, object]]:
    return {row["id"]: row for row in map(json.loads, text.splitlines())}


@pytest.mark.story("3.2")
def test_without_a_key_there_is_the_offline_model(sentient: Sentient) -> None:
    done = sentient("models")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["model", "offline:assistant", "offline:echo"]
    assert "sentient models --all" in done.stderr
    assert "can: t tools, s structured output\n" in done.stderr


@pytest.mark.story("3.2")
def test_only_letters_that_are_shown_are_explained(sentient: Sentient) -> None:
    assert "images" not in sentient("models").stderr
    assert "can: " not in sentient("models", env={"COLUMNS": "40"}).stderr
    assert "c caching" in sentient("models", "haiku").stderr


@pytest.mark.story("3.2", "1.2")
def test_with_a_key_there_is_more(sentient: Sentient) -> None:
    done = sentient("models", "--json", env={"OPENAI_API_KEY": "sk-mine-1234"})
    rows = _lines(done.stdout)
    assert rows["openai:gpt-4o"] == {
        "id": "openai:gpt-4o",
        "provider": "openai",
        "model": "gpt-4o",
        "context_tokens": 128000,
        "output_tokens": 16384,
        "capabilities": ["tools", "images", "documents", "structured_output", "caching"],
        "input_price": 2.5,
        "output_price": 10.0,
        "has_key": True,
        "shutdown": "2027-01-14",
    }
    assert not any(name.startswith("anthropic:") for name in rows)


@pytest.mark.parametrize("columns", ["30", "80", "200"])
def test_all_of_them_in_any_width(sentient: Sentient, columns: str) -> None:
    done = sentient("models", "--all", env={"COLUMNS": columns})
    assert done.returncode == 0
    assert "no key" in done.stdout
    assert len(done.stdout.splitlines()) > 50


def test_what_has_a_key_fits_a_terminal(sentient: Sentient) -> None:
    done = sentient("models", "openai", env={"COLUMNS": "80", "OPENAI_API_KEY": "sk-an-example"})
    lines = done.stdout.splitlines()
    assert any("ends 20" in line or "gone 20" in line for line in lines)
    assert max(map(len, lines)) <= 80
    assert all(len(line.split()) >= 5 for line in lines), "columns stay apart"


def test_what_answers_no_more_has_ended(sentient: Sentient) -> None:
    today = datetime.now(UTC).date().isoformat()
    lines = sentient("models", "openai", "--all", env={"COLUMNS": "200"}).stdout.splitlines()
    said = [found for line in lines if (found := re.search(r"(ends|gone) (\d{4}-\d\d-\d\d)", line))]
    assert said
    assert [found[1] for found in said] == ["gone" if found[2] <= today else "ends" for found in said]
    assert "gone 2025-06-06" in "\n".join(lines), "gpt-4-32k"


def test_a_name_narrows(sentient: Sentient) -> None:
    haiku = sentient("models", "haiku").stdout.splitlines()[1:]
    assert haiku
    assert all("haiku" in line for line in haiku)
    assert all(line.startswith("groq:") for line in sentient("models", "groq").stdout.splitlines()[1:])
    assert "No such model is known" in sentient("models", "zzzz").stdout


@pytest.mark.slow
@pytest.mark.story("3.2")
def test_what_a_server_tells(sentient: Sentient) -> None:
    with LLMServer(as_json({"object": "list", "data": [{"id": "small"}, {"id": "lar\u001b[31mge"}]})) as server:
        project(server)
        env = {"MINE_KEY": "sk-mine-1234"}
        rows = _lines(sentient("models", "mine", "--live", "--json", env=env).stdout)
        shown = sentient("models", "mine", "--live", env=env).stdout
    assert list(rows) == ["mine:small", "mine:lar\u001b[31mge"]
    assert "\x1b" not in shown


def _told(received: Received) -> Answer:
    if received.path == "/api/show":
        can = ["completion", "tools", "thinking"] if b"small" in received.body else ["completion", "vision"]
        return as_json({"capabilities": can, "model_info": {"qwen3.context_length": 40960}})
    if received.path == "/props":
        caps = {"supports_tools": True}
        return as_json({"default_generation_settings": {"n_ctx": 8192}, "chat_template_caps": caps})
    if received.path == "/api/v0/models":
        small = {"id": "small", "type": "vlm", "max_context_length": 32768, "loaded_context_length": 4096}
        return as_json({"data": [small | {"capabilities": ["tool_use"]}, {"id": "llama3.1:8b", "type": "llm"}]})
    return as_json({"object": "list", "data": [{"id": "small"}, {"id": "llama3.1:8b"}]})


@pytest.mark.story("3.2")
@pytest.mark.parametrize(
    ("kind", "small", "large"),
    [
        ("ollama", "40960 tools thinking", "40960 structured_output images"),
        ("llamacpp", "8192 tools", "8192 tools"),
        ("lmstudio", "4096 tools images", "None"),
        ("vllm", "None", "None"),
    ],
)
def test_what_a_local_server_tells_of_each_model(sentient: Sentient, kind: str, small: str, large: str) -> None:
    with LLMServer(_told) as server:
        Path("sentient.toml").write_text(f'[llm.providers.mine]\nkind = "{kind}"\nbase_url = "{server.url}/v1"\n')
        rows = _lines(sentient("models", "mine", "--live", "--json").stdout)
    told = {
        name: " ".join([str(row["context_tokens"]), *cast("list[str]", row["capabilities"])])
        for name, row in rows.items()
    }
    assert told == {"mine:small": small, "mine:llama3.1:8b": large}


@pytest.mark.story("3.2")
def test_a_server_that_tells_nothing_of_its_models_is_listed_all_the_same(sentient: Sentient) -> None:
    def answer(received: Received) -> Answer:
        listed = as_json({"object": "list", "data": [{"id": "small", "max_model_len": 512}]})
        return listed if received.path == "/v1/models" else as_json({"error": "not found"}, 404)

    with LLMServer(answer) as server:
        Path("sentient.toml").write_text(f'[llm.providers.mine]\nkind = "ollama"\nbase_url = "{server.url}/v1"\n')
        (row,) = _lines(sentient("models", "mine", "--live", "--json").stdout).values()
    assert (row["model"], row["context_tokens"]) == ("small", 512)


@pytest.mark.story("3.2", "4.3")
def test_a_server_that_fails_is_told_of_and_stops_nobody(sentient: Sentient) -> None:
    with LLMServer(as_json({"error": {"message": "No."}}, 403)) as server:
        project(server)
        done = sentient("models", "--live", env={"MINE_KEY": "sk-mine-1234"})
    assert done.returncode == 0
    assert "offline:assistant" in done.stdout
    assert "Warning: mine: " in done.stderr


@pytest.mark.story("3.2", "4.3")
def test_the_one_that_was_asked_for_fails(sentient: Sentient) -> None:
    with LLMServer(as_json({"error": {"message": "No."}}, 403)) as server:
        project(server)
        done = sentient("models", "mine", "--live", env={"MINE_KEY": "sk-mine-1234"})
    assert (done.returncode, done.stdout) == (3, "")
    assert "permission-denied" in done.stderr
