"""`sentient models`: what is known without a network, and what servers tell."""

from __future__ import annotations

import json

import pytest

from tests.cli.llm_command_kit import project
from tests.cli.processes import Sentient
from tests.support.llm_server import LLMServer, as_json


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
        "shutdown": None,
    }
    assert not any(name.startswith("anthropic:") for name in rows)


@pytest.mark.parametrize("columns", ["30", "80", "200"])
def test_all_of_them_in_any_width(sentient: Sentient, columns: str) -> None:
    done = sentient("models", "--all", env={"COLUMNS": columns})
    assert done.returncode == 0
    assert "no key" in done.stdout
    assert len(done.stdout.splitlines()) > 50


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
