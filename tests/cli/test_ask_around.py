"""`sentient ask` with what settings put around calls: kept answers, outages, filters, conversations that fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.llm_command_kit import chat_answer, project
from tests.cli.processes import Sentient
from tests.support.llm_server import Answer, LLMServer, as_json

ENV = {"MINE_KEY": "sk-mine-1234", "OTHER_KEY": "sk-other-1234"}
DOWN = as_json({"error": {"message": "Down"}}, 503)


def _with(server: LLMServer, more: str) -> None:
    project(server, more)


@pytest.mark.slow
@pytest.mark.story("A4")
def test_a_kept_answer_outlives_the_command(sentient: Sentient) -> None:
    with LLMServer(chat_answer("Hello")) as server:
        _with(server, '[llm.cache]\nenabled = true\nstore = "sqlite"\n')
        told = [json.loads(sentient("ask", "Greet", "--json", env=ENV).stdout) for _ in range(2)]
        assert [each["cached"] for each in told] == [False, True]
        assert told[1]["cost"] == 0
        _with(server, '[llm.cache]\nenabled = true\nstore = "sqlite"\n[llm.safety]\nwords = ["x"]\n')
        assert not json.loads(sentient("ask", "Greet", "--json", env=ENV).stdout)["cached"]
        assert len(server.requests) == 2


@pytest.mark.story("E1.2")
def test_a_text_when_everything_is_down(sentient: Sentient) -> None:
    with LLMServer(DOWN) as server:
        _with(server, '[llm.outage]\nanswer = "Later, please."\n')
        done = sentient("ask", "Greet", env=ENV)
    assert (done.returncode, done.stdout) == (0, "Later, please.\n")
    assert "No model could answer: they are limited or down" in done.stderr
    assert "(canned:answer, 0 + 0 tokens, free, " in done.stderr


@pytest.mark.story("E1.2")
def test_an_earlier_answer_when_everything_is_down(sentient: Sentient) -> None:
    with LLMServer(chat_answer("Hello"), DOWN) as server:
        _with(server, '[llm.cache]\nstore = "sqlite"\n[llm.outage]\ncached = 3600\n')
        first, second = (json.loads(sentient("ask", "Greet", "--json", env=ENV).stdout) for _ in range(2))
    assert (first["text"], first["cached"], second["text"], second["cached"]) == ("Hello", False, "Hello", True)
    assert "an earlier answer" in second["degraded"]


@pytest.mark.story("E1.2")
def test_a_call_waits_for_a_limit_to_end(sentient: Sentient) -> None:
    limited = as_json({"error": {"message": "Slowly"}}, 429, **{"retry-after-ms": "20"})
    with LLMServer(limited, chat_answer("Hello")) as server:
        _with(server, "[llm.outage]\nwait = 5\n")
        done = sentient("ask", "Greet", env=ENV)
    assert (done.returncode, done.stdout) == (0, "Hello\n")
    assert "waited for" in done.stderr


@pytest.mark.story("E1.2")
def test_a_smaller_model_when_everything_is_down(sentient: Sentient) -> None:
    with LLMServer(DOWN) as server:
        _with(server, "")
        text = Path("sentient.toml").read_text("utf-8")
        Path("sentient.toml").write_text(
            text.replace('model = "mine:small"', 'model = "mine:small"\nfallback = ["offline"]')
        )
        done = sentient("ask", "What is 6 * 7?", "--json", env=ENV)
    told = json.loads(done.stdout)
    assert (told["provider"], told["degraded"]) == ("offline", "mine:small could not answer")


@pytest.mark.story("4.2")
def test_a_deadline_ends_an_answer_that_stalls(sentient: Sentient) -> None:
    begun = chat_answer("Once upon", " a time", how="stall")
    with LLMServer(Answer(begun.body, cut=-1, how="stall")) as server:
        _with(server, "")
        done = sentient("ask", "Tell a story", env={**ENV, "SENTIENT_LLM_DEADLINE": "0.5"})
        assert len(server.requests) == 1
    assert (done.returncode, done.stdout) == (4, "Once upon a time\n")
    assert "The call took too long" in done.stderr


@pytest.mark.story("E2.1", "2.6")
def test_what_must_not_be_asked_or_answered(sentient: Sentient) -> None:
    with LLMServer(chat_answer("The word is sword", "fish.")) as server:
        _with(server, '[llm.safety]\nsecrets = true\nwords = ["swordfish"]\npatterns = ["\\\\d{3}-\\\\d{4}"]\n')
        asked = [sentient("ask", text, env=ENV) for text in ("Swordfish?", "Call 555-1234", "sk-abcdefghijklmnop1234")]
        assert [done.returncode for done in asked] == [4, 4, 4]
        assert all("The request was stopped by the filter" in done.stderr for done in asked)
        assert server.requests == []
        _with(server, '[llm.safety]\nwords = ["swordfish"]\n')
        answered = sentient("ask", "The word?", env=ENV)
        assert (answered.returncode, answered.stdout) == (4, "The word is \n")
        _with(server, '[llm.safety]\nwords = ["swordfish"]\non_finding = "end"\n')
        ended = sentient("ask", "The word?", env=ENV)
    assert (ended.returncode, ended.stdout) == (0, "The word is \n")
    assert "swordfish" not in answered.stderr + ended.stderr


@pytest.mark.story("2.6")
def test_a_moderation_endpoint_is_asked(sentient: Sentient) -> None:
    harm = as_json({"results": [{"flagged": True, "categories": {"violence": True}}]})
    fine = as_json({"results": [{"flagged": False, "categories": {"violence": False}}]})
    with LLMServer(chat_answer("Hello")) as server, LLMServer(harm, fine) as moderation:
        other = f'[llm.providers.other]\nkind = "openai"\nbase_url = "{moderation.url}/v1"\napi_key_env = "OTHER_KEY"\n'
        _with(server, f'{other}[llm.safety]\nmoderation = "other"\n')
        assert "violence" in sentient("ask", "Greet", env=ENV).stderr
        assert sentient("ask", "Greet", env=ENV).stdout == "Hello\n"
        assert (len(server.requests), len(moderation.requests)) == (1, 3)
        assert moderation.requests[0].path == "/v1/moderations"
        assert moderation.requests[0].headers["authorization"] == "Bearer sk-other-1234"
        keyless = sentient("ask", "Greet", env={"MINE_KEY": "sk-mine-1234"})
        assert keyless.returncode == 3
        assert "OTHER_KEY" in keyless.stderr
        assert len(server.requests) == 1
        _with(server, '[llm.safety]\nmoderation = "opneai"\n')
        unknown = sentient("ask", "Greet", env=ENV)
    assert unknown.returncode == 3
    assert "Did you mean `openai`" in unknown.stderr


@pytest.mark.slow
@pytest.mark.story("E2.3")
@pytest.mark.parametrize("fit", ["trim", "summarise"])
def test_a_conversation_that_is_too_long(sentient: Sentient, fit: str) -> None:
    Path("long.txt").write_text("word " * 400)
    with LLMServer(chat_answer("Hello")) as server:
        _with(server, f'[llm.context]\nfit = "{fit}"\ntokens = 300\nreserve = 50\n')
        done = sentient("ask", "Greet", "--file", "long.txt", env=ENV)
        assert done.returncode == 4
        assert "The conversation is too long" in done.stderr
        assert sentient("ask", "Greet", env=ENV).stdout == "Hello\n"
        assert len(server.requests) == 1
