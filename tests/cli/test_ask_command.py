"""`sentient ask`: one question over a real socket, its answer as it comes, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from tests.cli.llm_command_kit import chat_answer, project
from tests.cli.processes import Sentient
from tests.plugins.isolation import REPOSITORY
from tests.support.commands import attached
from tests.support.llm_server import Answer, LLMServer, as_json

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 30


@pytest.mark.story("3.2", "18.6")
def test_an_answer_of_the_offline_model(sentient: Sentient) -> None:
    done = sentient("ask", "What is 6 * 7?")
    assert (done.returncode, done.stdout) == (0, "6 * 7 = 42\n")
    assert done.stderr.startswith("(offline:assistant, ")
    assert "free" in done.stderr
    assert sentient("ask", "What is 6 * 7?", "-q").stderr == ""


@pytest.mark.story("4.3")
def test_a_question_without_quotes(sentient: Sentient) -> None:
    done = sentient("ask", "what", "is", "love", "--json")
    assert done.returncode == 2
    error = json.loads(done.stderr)["error"]
    assert (error["what"], error["fix"]) == (
        "Too many arguments: is love",
        'Put the question in quotes: `sentient ask "…"`',
    )


@pytest.mark.story("3.2", "1.3", "1.7")
def test_an_answer_of_a_server(sentient: Sentient) -> None:
    with LLMServer(chat_answer("Hello", ", ", "world")) as server:
        project(server)
        done = sentient("ask", "Greet", "--system", "Be kind", "--max-tokens", "9", env={"MINE_KEY": "sk-mine-1234"})
        request = server.requests[0]
    assert (done.returncode, done.stdout) == (0, "Hello, world\n")
    assert "(mine:small, 12 + 5 tokens, price not known, " in done.stderr
    assert request.headers["authorization"] == "Bearer sk-mine-1234"
    asked = request.json()
    assert (asked["model"], asked["max_tokens"]) == ("small", 9)
    assert asked["messages"] == [{"role": "system", "content": "Be kind"}, {"role": "user", "content": "Greet"}]


@pytest.mark.slow
@pytest.mark.story("3.2")
@pytest.mark.parametrize("flag", ["--no-stream", "--json"])
def test_an_answer_that_is_whole(sentient: Sentient, flag: str) -> None:
    with LLMServer(chat_answer("Hello", ", ", "world")) as server:
        project(server)
        done = sentient("ask", "Greet", flag, env={"MINE_KEY": "sk-mine-1234"})
    assert done.returncode == 0
    if flag == "--no-stream":
        assert done.stdout == "Hello, world\n"
        return
    told = json.loads(done.stdout)
    assert (told["text"], told["provider"], told["model"], told["cost"]) == ("Hello, world", "mine", "small", None)
    assert (told["usage"]["prompt"], told["usage"]["output"], told["finish_reason"]) == (12, 5, "stop")
    assert done.stderr == ""


@pytest.mark.story("3.2")
def test_what_is_piped_in_and_what_is_in_files(sentient: Sentient) -> None:
    Path("notes.txt").write_text("Milk\n")
    Path("cat.png").write_bytes(PNG)
    with LLMServer(chat_answer("Yes")) as server:
        project(server)
        env = {"MINE_KEY": "sk-mine-1234"}
        done = sentient("ask", "And this?", "--file", "notes.txt", "--image", "cat.png", stdin="from a pipe\n", env=env)
        assert done.returncode == 0, done.stderr
        assert sentient("ask", stdin="all of it\n", env=env).returncode == 0
        assert sentient("ask", "-", stdin="all of it\n", env=env).returncode == 0
        first, *others = [request.json()["messages"] for request in server.requests]
    sent = json.dumps(first)
    assert '"url": "data:image/png;base64,' in sent
    assert json.dumps("And this?\n\nnotes.txt:\n```\nMilk\n```\n\nfrom a pipe") in sent
    assert others == [[{"role": "user", "content": "all of it"}]] * 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        ((), "", "There is no question"),
        (("ask", "--file", "none.txt"), "", "There is no file none.txt"),
        (("ask", "--file", "."), "", ". is no file"),
        (("ask", "--file", "bad.bin"), "", "bad.bin is no text"),
        (("ask", "--file", "bad.bin"), "", "--image"),
        (("ask", "--image", "bad.bin"), "", "bad.bin is no picture"),
        (("ask", "--file", "bad.wav"), "", "bad.wav is no sound"),
        (("ask", "x", "--max-tokens", "0"), "", "--max-tokens"),
        (("ask", "x", "--temperature", "3"), "", "--temperature"),
    ],
)
def test_what_is_no_question(sentient: Sentient, arguments: tuple[str, ...], stdin: str, words: str) -> None:
    for name in ("bad.bin", "bad.wav"):
        Path(name).write_bytes(b"\xff\xfe\x00\x01")
    done = sentient(*(arguments or ("ask",)), stdin=stdin)
    assert done.returncode == 2
    assert words in done.stderr


@pytest.mark.story("E1.4", "1.4")
def test_a_missing_key_names_profile_variable_command_and_the_keyless_model(sentient: Sentient) -> None:
    with LLMServer(chat_answer("never")) as server:
        project(server, '\n[profile.night.llm.providers.mine]\napi_key_env = "NIGHT_KEY"\n')
        done = sentient("ask", "x", "-m", "openai:gpt-5", "--profile", "night", "--json")
        assert server.requests == []
    error = json.loads(done.stderr)["error"]
    assert (done.returncode, error["code"]) == (3, "credential-not-found")
    said = f"{error['what']} {error['why']} {error['fix']}"
    for word in ("'openai'", "OPENAI_API_KEY", "'night'", "sentient keys set openai", "`offline`"):
        assert word in said


@pytest.mark.story("E1.4")
def test_a_refused_key_names_where_it_came_from(sentient: Sentient) -> None:
    refusal = as_json({"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}, 401)
    with LLMServer(refusal) as server:
        project(server)
        done = sentient("ask", "x", "--json", env={"MINE_KEY": "sk-mine-very-secret"})
    error = json.loads(done.stderr)["error"]
    assert (done.returncode, error["code"]) == (3, "authentication")
    assert "the variable MINE_KEY (profile 'default')" in error["why"]
    assert "sentient doctor" in error["fix"]
    assert "very-secret" not in done.stderr


@pytest.mark.story("4.3")
def test_a_provider_that_fails(sentient: Sentient) -> None:
    with LLMServer(as_json({"error": {"message": "Fell over"}}, 500)) as server:
        project(server)
        done = sentient("ask", "x", env={"MINE_KEY": "sk-mine-1234"})
    assert done.returncode == 4
    assert done.stdout == ""
    assert "provider-server" in done.stderr


@pytest.mark.story("E1.1", "E4.1")
def test_what_came_before_a_break_was_written(sentient: Sentient) -> None:
    with LLMServer(chat_answer("Hello, ", "world", how="reset")) as server:
        project(server, '\n[profile.x.llm]\nfailover = "fail"\n')
        answer = chat_answer("Hello, ", "world")
        server.answer(Answer(answer.body, cut=-200, how="reset"))
        done = sentient("ask", "x", "--profile", "x", env={"MINE_KEY": "sk-mine-1234"})
    assert done.returncode == 4
    assert "Hello, ".startswith(done.stdout.rstrip("\n")) or done.stdout.startswith("Hello, ")
    assert "Error: provider-connection" in done.stderr


@pytest.mark.story("18.6")
def test_escape_sequences_of_a_model_are_not_for_the_terminal(sentient: Sentient) -> None:
    with LLMServer(chat_answer("a\x1b", "[31mred", "\x07\u202e!")) as server:
        project(server)
        done = sentient("ask", "x", env={"MINE_KEY": "sk-mine-1234"})
    assert done.stdout == "ared!\n"


@pytest.mark.slow
@pytest.mark.story("2.7")
def test_a_budget_that_is_reached_sends_nothing(sentient: Sentient) -> None:
    with LLMServer(chat_answer("Hi")) as server:
        Path("sentient.toml").write_text(
            f"""
[llm.budget]
call = 0.0
[llm.providers.openai]
base_url = "{server.url}/v1"
api_key_env = "KEY_OF_MINE"
"""
        )
        done = sentient("ask", "x", "-m", "openai:gpt-5", "--json", env={"KEY_OF_MINE": "sk-mine-1234"})
        assert server.requests == []
    error = json.loads(done.stderr)["error"]
    assert (done.returncode, error["code"]) == (4, "budget-exceeded")
    assert "Nothing was sent" in error["why"]


@pytest.mark.slow
@pytest.mark.story("1.7", "3.7")
def test_what_it_cost_is_told_and_written_down(sentient: Sentient) -> None:
    with LLMServer(chat_answer("Hi", usage=(1000, 500))) as server:
        Path("sentient.toml").write_text(
            f'[llm.providers.work]\nkind = "openai"\nbase_url = "{server.url}/v1"\napi_key_env = "WORK_KEY"\n'
        )
        done = sentient("ask", "x", "-m", "work:gpt-4o", env={"WORK_KEY": "sk-work-1234"})
    assert (done.returncode, done.stdout) == (0, "Hi\n")
    assert "(work:gpt-4o, 1000 + 500 tokens, $0.007500, " in done.stderr
    (row,) = [json.loads(line) for line in sentient("usage", "--json").stdout.splitlines()]
    assert (row["model"], row["calls"], row["cost"], row["input"], row["output"]) == (
        "work:gpt-4o",
        1,
        0.0075,
        1000,
        500,
    )


@pytest.mark.slow
@pytest.mark.story("4.3", "18.6")
def test_an_interrupt_ends_the_call_at_the_provider() -> None:
    with LLMServer(chat_answer("Hello", " and more", how="stall")) as server:
        answer = chat_answer("Hello", " and more")
        assert not isinstance(answer.body, bytes)
        server.answer(Answer(answer.body[:1], how="stall"))
        project(server)
        process = subprocess.Popen(
            [sys.executable, "-m", "sentient_cli", "ask", "x"],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "MINE_KEY": "sk-mine-1234"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        assert process.stdout.read(5) == b"Hello"
        assert server.open == 1
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=150)
        server.wait_open(0)
    assert (process.returncode, out) == (130, b"\n")
    assert b"Interrupted." in err


def _spawned(*arguments: str) -> pexpect.spawn[str]:
    return pexpect.spawn(sys.executable, attached(*arguments), env=dict(os.environ), encoding="utf-8")


@pytest.mark.story("18.6")
def test_at_a_terminal() -> None:
    child = _spawned("ask", "What is 6 * 7?")
    child.expect_exact("6 * 7 = 42")
    child.expect("offline:assistant, .* tokens, free")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    child = _spawned("ask")
    child.expect_exact("There is no question")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 2


@pytest.mark.slow
@pytest.mark.story("18.6")
@pytest.mark.parametrize("variables", [{}, {"LC_ALL": "C"}, {"PYTHONUTF8": "0", "LC_ALL": "C"}])
def test_what_is_piped_in_and_is_no_text(variables: dict[str, str]) -> None:
    command = [sys.executable, "-m", "sentient_cli", "--json", "ask"]
    data = bytes(range(128, 256))
    done = subprocess.run(command, input=data, env={**os.environ, **variables}, capture_output=True, check=False)
    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert (done.returncode, error["code"]) == (2, "usage")
    assert "no text" in error["what"]


@pytest.mark.story("18.6")
def test_a_question_that_is_no_text(sentient: Sentient) -> None:
    done = sentient("--json", "ask", os.fsdecode(b"caf\xe9 \xff"))
    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert (done.returncode, error["code"]) == (2, "usage")


@pytest.mark.slow
@pytest.mark.story("18.6")
def test_it_says_that_it_waits_for_what_is_piped_in() -> None:
    command = [sys.executable, "-m", "sentient_cli", "ask", "What is this?"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as asking:
        assert asking.stdin is not None
        assert asking.stderr is not None
        assert b"Waiting for what is piped in" in asking.stderr.readline()
        asking.stdin.write(b"What is 6 * 7?")
        out, _ = asking.communicate(timeout=60)
    assert b"42" in out


@pytest.mark.slow
@pytest.mark.parametrize("model", ["gpt-5", "openai/gpt-5"])
def test_a_model_without_its_provider(sentient: Sentient, model: str) -> None:
    done = sentient("ask", "x", "-m", model, "--json")
    assert done.returncode == 3
    assert "Did you mean `openai:gpt-5`?" in json.loads(done.stderr)["error"]["fix"]


@pytest.mark.story("3.4")
def test_a_stand_in_that_leads_nowhere_is_said_before_anything_is_asked(sentient: Sentient) -> None:
    Path("sentient.toml").write_text('[llm]\nfallback = ["opnai:gpt-5"]\n')
    done = sentient("ask", "Hello")
    assert (done.returncode, done.stdout) == (3, "")
    assert "'opnai:gpt-5' in `llm.fallback` leads nowhere" in done.stderr
    assert "`openai:gpt-5`" in done.stderr
