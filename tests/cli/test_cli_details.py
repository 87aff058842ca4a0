"""What ``-v`` says in each command, on stderr, and which file of variables a command reads."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentient_cli import __main__ as program
from sentient_cli.cli.commands import COMMANDS
from sentient_cli.cli.details import CallTeller
from sentient_cli.llm import CallRecord
from sentient_cli.llm.types import JsonValue
from tests.cli.llm_command_kit import chat_answer, project
from tests.cli.processes import Sentient
from tests.client.fault_server import Exchange, done, text, threaded
from tests.plugins.isolation import REPOSITORY
from tests.support.llm_server import LLMServer, as_json

_SETTINGS = (
    '[llm]\nmodel = "offline:echo"\n[llm.providers.mine]\nkind = "compatible"\nbase_url = "http://127.0.0.1:9/v1"\n'
)


async def _fine(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.chunk(text("Hello", 1) + done(2))


@pytest.mark.parametrize(
    "arguments", [("completion", "bash"), ("learn", "--list"), ("usage",), ("models",), ("create", "x", "--dry-run")]
)
def test_every_command_says_what_it_is_and_how_long_it_took(commandline: Sentient, arguments: tuple[str, ...]) -> None:
    plain, told = commandline(*arguments), commandline(*arguments, "-v")
    lines = told.stderr.splitlines()
    assert (told.returncode, told.stdout) == (0, plain.stdout)
    assert lines[0].startswith("sentient ")
    assert sys.executable in lines[0]
    assert lines[-1].startswith("Took ")
    assert "Took " not in plain.stderr


def test_the_options_for_a_file_of_variables_are_where_one_is_read(commandline: Sentient) -> None:
    has = {row.name for row in COMMANDS if "--no-env-file" in commandline(row.name, "--help").stdout}
    assert has == {"ask", "chat", "dev", "doctor", "models", "run", "serve", "usage"}


@pytest.mark.parametrize("command", [("models", "offline"), ("usage",), ("ask", "hi")])
def test_where_the_settings_come_from(sentient: Sentient, command: tuple[str, ...]) -> None:
    Path("sentient.toml").write_text(_SETTINGS)
    Path(".env").write_text("SENTIENT_LLM_DEADLINE=50\nSENTIENT_SERVER_TOKEN=a-secret-of-the-server\n")
    said = sentient(*command, "-v", env={"SENTIENT_LOG_LEVEL": "error"}).stderr
    here = Path.cwd()
    for line in (
        f"Project: {here}/sentient.toml",
        f"Environment read from {here}/.env",
        f"llm.model = offline:echo ({here}/sentient.toml:2:1)",
        f"llm.deadline = 50.0 (SENTIENT_LLM_DEADLINE in {here}/.env)",
        "log.level = error (SENTIENT_LOG_LEVEL)",
        "Providers in the settings: mine",
    ):
        assert line in said.splitlines()
    assert "a-secret" not in said
    assert "No .env is read" in sentient(*command, "-v", "--no-env-file").stderr.splitlines()
    Path("other").write_text("SENTIENT_LLM_DEADLINE=70\n")
    assert "llm.deadline = 70.0" in sentient(*command, "-v", "--env-file", "other").stderr
    assert sentient(*command, "--env-file", "gone").returncode == 3


@pytest.mark.slow
def test_doctor_reads_the_file_that_is_named(sentient: Sentient) -> None:
    Path(".env").write_text("SENTIENT_LLM_MODEL=nobody:x\n")
    Path("other").write_text("SENTIENT_LLM_MODEL=offline:echo\n")

    def model(*arguments: str) -> Iterator[str]:
        lines = sentient("doctor", "--json", *arguments).stdout.splitlines()
        found = [json.loads(line) for line in lines]
        return (f"{each['status']} {each['what']}" for each in found if each["name"] in {"model", "agent"})

    assert next(model("--env-file", "other")) == "ok offline:echo"
    assert next(model("--no-env-file")) == "ok offline:assistant"
    assert next(model()).startswith("fail ")


def test_the_calls_of_ask(sentient: Sentient) -> None:
    with LLMServer(as_json({"error": {"message": "down"}}, status=500), chat_answer("Hello")) as server:
        project(server)
        settings = Path("sentient.toml")
        settings.write_text(settings.read_text().replace("attempts = 1", "attempts = 2\nbase = 0.01"))
        said = sentient("ask", "hi", "-v", env={"MINE_KEY": "a-key-of-mine"}).stderr
    for words in ("try 1: mine:small is asked", "try 1 failed, the next is in", "the call ended: done"):
        assert words in said


def test_chat_takes_its_token_from_the_file_of_the_project(sentient: Sentient) -> None:
    Path("sentient.toml").touch()
    Path("below").mkdir()
    Path(".env").write_text("SENTIENT_AGENT_TOKEN=from-the-file\n")
    Path("other").write_text("SENTIENT_AGENT_TOKEN=from-another\n")
    shell = {"SENTIENT_AGENT_TOKEN": "from-the-shell"}
    with threaded(_fine) as server:
        ask = ("chat", server.url, "-m", "hi")
        told = sentient(*ask, "--project", "below", "-v")
        sentient(*ask, env=shell)
        sentient(*ask, "--env-file", "other")
        sentient(*ask, "--no-env-file")
        sent = [exchange.headers.get("authorization") for exchange in server.exchanges]
    assert sent == ["Bearer from-the-file", "Bearer from-the-shell", "Bearer from-another", None]
    lines = told.stderr.splitlines()
    assert f"Environment read from {Path.cwd()}/.env" in lines
    assert f"Agent: {server.url}, by SENTIENT_AGENT_TOKEN of {Path.cwd()}/.env" in lines
    assert any(line.startswith(f"POST {server.url}/assist: run ") and " 2 events in " in line for line in lines)
    assert sentient(*ask, "--env-file", "gone").returncode == 3


@pytest.mark.usefixtures("unmeasured")
def test_an_interrupt_finds_little_time_before_it_is_heeded() -> None:
    code = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); import sentient_cli.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert {"typing", "re", "contextlib"}.isdisjoint(done.stdout.split())


def test_an_interrupt_outside_of_the_command_ends_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("sentient_cli.cli.main.main", interrupted)
    assert program.main() == 130


def test_a_log_of_json_stays_one(sentient: Sentient) -> None:
    Path(".env").write_text("SENTIENT_LLM_MODEL=offline:echo\n")
    done = sentient("--json", "serve", "gone.py", "-v")
    *logged, error = map(json.loads, done.stderr.splitlines())
    said = [line["message"] for line in logged]
    assert (done.returncode, error["error"]["code"]) == (5, "agent-not-found")
    assert said[0].startswith("sentient ")
    assert f"llm.model = offline:echo (SENTIENT_LLM_MODEL in {Path.cwd()}/.env)" in said
    assert f"Environment read from {Path.cwd()}/.env" in said


def test_a_project_is_made_and_looked_at(sentient: Sentient) -> None:
    made = sentient("create", "mine", "--yes", "--no-install", "--no-git", "-v").stderr.splitlines()
    assert f"Project: {Path.cwd()}/mine" in made
    assert "provider = offline" in made
    assert any(line.startswith("Template: basic ") and "read from" in line for line in made)
    assert any(line.startswith("Wrote ") and line.endswith(" s)") for line in made)
    looked_at = sentient("update", "--dry-run", "--project", "mine", "-v").stderr.splitlines()
    assert any(line.startswith("Template: basic, ") and "compared in" in line for line in looked_at)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"for": "limit", "seconds": 3.2, "limit": "requests", "provider": "mine"}, "3.2 s: the limit of requests of"),
        ({"for": "outage", "seconds": 1, "error": {"what": "Down"}}, "1.0 s: no model could answer: Down"),
    ],
)
def test_each_wait_says_what_it_is_for(data: dict[str, JsonValue], said: str) -> None:
    lines: list[str] = []
    CallTeller(lines.append).on_record(CallRecord(kind="llm.wait", call="1", attempt=1, data=data))
    (line,) = lines
    assert f"it is waited for {said}" in line
