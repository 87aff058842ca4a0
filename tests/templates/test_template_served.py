"""Each project served and asked for real, the way its README says, at every stage, and as its image holds it."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.cli.llm_command_kit import chat_answer
from tests.support import commands
from tests.support.llm_server import Answer, LLMServer, Received, as_json
from tests.support.served import Served, environment
from tests.templates.projects import python_lines, render

_TOKEN = "only-for-this-test"


@contextlib.contextmanager
def serving(project: Path, *flags: str, command: str = "serve", **variables: str) -> Generator[str]:
    """The project's agent, served from its folder on a free port; gives the address."""
    given = environment(project.parent, {"SENTIENT_SERVER_DRAIN_DELAY": "0", **variables})
    server = Served(commands.start(command, "--port", "0", *flags, directory=project, environment=given))
    try:
        port = server.wait_line(r"(?:Serving \S+ on|  URL +)\s*http://[\d.]+:(\d+)")[1]
        yield f"http://127.0.0.1:{port}"
        assert server.stop() == 0, server.lines
    finally:
        server.stop_if_running()


def ask(home: Path, url: str, question: str) -> subprocess.CompletedProcess[str]:
    """Ask with ``sentient chat``."""
    variables = environment(home, {"SENTIENT_AGENT_TOKEN": _TOKEN})
    return commands.run_text("chat", url, "-m", question, directory=home, environment=variables)


@pytest.mark.slow
@pytest.mark.story("20.2", "E16.3")
def test_the_tour_leads_where_it_says(first_project: Path, tmp_path: Path) -> None:
    copy = tmp_path / first_project.name
    shutil.copytree(first_project, copy)
    readme = (copy / "README.md").read_text("utf-8")
    line = re.search(r"^sentient dev([^#\n]*)", readme, re.MULTILINE)
    budget = re.search(r"At most (\d+) lines of Python", readme)
    assert line is not None
    assert budget is not None
    assert 0.5 * int(budget[1]) <= python_lines(copy) <= int(budget[1])
    script = (copy / "answers.toml").read_text("utf-8")
    questions: set[str] = set(re.findall(r'"([A-Z][^"\n]+\?)"', readme + script))
    assert len(questions) >= 2
    with serving(copy, *line[1].split(), command="dev") as url:
        for question in questions:
            done = ask(tmp_path, url, question)
            if question == "Are you busy?":
                assert done.returncode == 1
                assert "cannot answer right now" in done.stderr
            else:
                assert done.returncode == 0, done.stderr
                assert done.stdout.strip()


@pytest.mark.story("20.4")
@pytest.mark.parametrize(
    "profile", ["staging", *(pytest.param(name, marks=pytest.mark.slow) for name in ("dev", "production"))]
)
def test_each_stage_serves(profile: str, tmp_path: Path) -> None:
    project = render("advanced", tmp_path / "project")
    with serving(project, "--profile", profile, SENTIENT_SERVER_TOKEN=_TOKEN) as url:
        done = ask(tmp_path, url, "How many miles are 10 kilometres?")
        assert done.stdout.count("6.21371 miles") >= 1, done.stderr
    assert (project / "runs.db").exists() == (profile == "staging")


@pytest.mark.story("3.3", "20.2")
def test_one_line_puts_a_local_model_in_the_place_of_the_offline_one(tmp_path: Path) -> None:
    project = render("basic", tmp_path / "project")
    settings = project / "sentient.toml"
    text, changed = re.subn('(?m)^model = "offline"', 'model = "ollama:small"', settings.read_text("utf-8"))
    assert changed == 1
    with LLMServer(_local) as server:
        # Ollama's own port may be taken here.
        settings.write_text(f'{text}\n[llm.providers.ollama]\nbase_url = "{server.url}/v1"\n', "utf-8")
        with serving(project) as url:
            done = ask(tmp_path, url, "How are you?")
    assert "Locally, thank you" in done.stdout, done.stderr
    assert [each.json()["model"] for each in server.requests if each.path == "/v1/chat/completions"] == ["small"]


def _local(received: Received) -> Answer:
    """A server that answers, and tells nothing of itself."""
    return chat_answer("Locally, ", "thank you") if received.path == "/v1/chat/completions" else as_json({}, 404)


@pytest.mark.slow  # it is the larger template's own file, which seldom changes
@pytest.mark.story("20.2", "16.6")
def test_the_image_holds_all_that_serving_needs(tmp_path: Path) -> None:
    """The last stage of the Dockerfile, without a builder: what it copies, its variables, command and health check."""
    project = render("production", tmp_path / "project")
    text = (project / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    last = text[text.rindex("\nFROM ") :]
    image = tmp_path / "app"
    image.mkdir()
    for copied in re.findall(r"^COPY (?!--from)(.+) \S+$", last, re.MULTILINE):
        for name in copied.split():
            source = project / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, image / name)
    for file in [image, *image.rglob("*")]:
        file.chmod(0o555 if file.is_dir() else 0o444)
    variables = dict(re.findall(r"\b(SENTIENT_\w+)=(\S+)", last))
    lines = {line.split()[0]: json.loads(line[line.index("[") :]) for line in last.splitlines() if "[" in line}
    assert lines["CMD"] == ["sentient", "serve"]
    health = str(lines["HEALTHCHECK"][2])
    assert health.count("http://127.0.0.1:8000") == 1

    def healthy(url: str) -> bool:
        check = [sys.executable, "-c", health.replace("http://127.0.0.1:8000", url)]
        return subprocess.run(check, capture_output=True, check=False).returncode == 0

    with serving(image, **variables, HOME="/nonexistent", SENTIENT_SERVER_TOKEN=_TOKEN) as url:
        assert healthy(url)
        assert "6.21371 miles" in ask(tmp_path, url, "How many miles are 10 kilometres?").stdout
    assert not healthy(url)
    for file in [image, *image.rglob("*")]:
        file.chmod(0o755)
