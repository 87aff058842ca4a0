"""A save is live, and no stream breaks: with real processes, over real sockets."""

from __future__ import annotations

import itertools
import json
import os
import time
from pathlib import Path
from typing import cast

import httpx
import pytest

from tests.dev.developing import AGENT, GO, Developing, Stream, body, children, developing, wait_until

pytestmark = pytest.mark.measured


@pytest.mark.story("20.5")
def test_a_save_is_live(tmp_path: Path) -> None:
    with developing(tmp_path / "project") as dev:
        assert dev.ask() == "one"
        event = dev.save("two")
        assert event["changed"] == ["agent.py"]
        assert dev.ask() == "two"
        temporary = tmp_path / "elsewhere"
        temporary.write_text(AGENT.format(version="three"))
        mark = dev.mark()
        temporary.replace(dev.project / "agent.py")
        dev.wait("reloaded", since=mark)
        assert dev.ask() == "three"


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_a_stream_finishes_on_the_code_that_it_began_with(tmp_path: Path) -> None:
    with developing(tmp_path / "project") as dev:
        stream = Stream(dev.url, GO)
        dev.save("two")
        assert dev.ask() == "two"
        run = next(event["run"] for event in dev.events if event["event"] == "run-started")
        assert dev.get(f"/runs/{run}").json()["status"] == "running", "its own process is asked"
        dev.go()
        assert stream.words() == {"one"}
        dev.wait("retired")
        wait_until(lambda: len(dev.workers()) == 1, "the old process leaves")
        assert dev.get(f"/runs/{run}").json()["outcome"] == "done"
        told = [line for line in stream.finish() if line.startswith("data:")]
        again = [line for line in dev.get(f"/runs/{run}/events").text.splitlines() if line.startswith("data:")]
        assert again == told, "the recording has it to the byte"


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_four_versions_may_finish_and_the_oldest_of_five_is_cancelled(tmp_path: Path) -> None:
    with developing(tmp_path / "project") as dev:
        streams = {"one": Stream(dev.url, GO)}
        for version in ("two", "three", "four", "five", "six"):
            dev.save(version)
            streams[version] = Stream(dev.url, GO)
        retired = dev.wait("retired")
        assert (retired["generation"], retired["cancelled"]) == (1, 1)
        assert "event: done" in streams["one"].finish()
        assert not (dev.project / GO).exists(), "nothing else ended it"
        dev.go()
        assert [stream.words() for stream in streams.values()] == [{version} for version in streams]


@pytest.mark.story("20.5", "18.6")
def test_a_broken_save_breaks_nothing(tmp_path: Path) -> None:
    with developing(tmp_path / "project") as dev:
        stream = Stream(dev.url, GO)
        mark = dev.write("agent.py", AGENT.format(version="two") + "\nx = (\n")
        broken = dev.wait("broken", since=mark)
        problem = broken["problem"]
        assert isinstance(problem, dict)
        assert problem["what"] == "agent.py is no valid Python"
        assert problem["line"] == len(AGENT.splitlines()) + 2
        assert "> " in problem["excerpt"]
        answer = dev.get("/health")
        assert answer.headers["sentient-reload-error"] == f"generation={broken['generation']}"
        assert "valid Python" not in answer.text
        assert dev.ask() == "one"
        state = dev.state()
        assert (state["status"], state["generation"]) == ("broken", 1)
        assert isinstance(state["error"], dict)
        assert state["error"]["what"] == problem["what"]
        assert dev.save("three")["mended"] is True
        assert dev.ask() == "three"
        assert "sentient-reload-error" not in dev.get("/health").headers
        dev.go()
        assert stream.words() == {"one"}


@pytest.mark.story("20.5")
def test_a_start_with_broken_code_waits_for_a_good_save(tmp_path: Path) -> None:
    with developing(tmp_path / "project", agent="import no_such_module\n", ready=False) as dev:
        problem = dev.wait("broken")["problem"]
        assert isinstance(problem, dict)
        assert "no_such_module" in problem["why"]
        dev.wait_announced()
        refused = httpx.post(f"{dev.url}/assist", json=body("hi"), timeout=150)
        assert (refused.status_code, refused.json()["code"]) == (503, "no-agent")
        assert dev.state()["status"] == "broken"
        assert dev.get("/").status_code == 200
        began = time.monotonic()
        dev.write("agent.py", AGENT.format(version="mended"))
        ready = dev.wait_ready()
        assert cast("float", ready["seconds"]) <= time.monotonic() - began, "how long it was broken does not count"
        assert dev.ask() == "mended"


@pytest.mark.story("20.5")
def test_sessions_survive(tmp_path: Path) -> None:
    agent = """
from sentient_cli import agent

@agent
async def counter(session, query, response):
    await response.text_block("COUNT", str(len(list(session.get_interactions()))))
    await response.respond("VERSION", "VERSION_HERE")
"""
    project = tmp_path / "project"
    project.mkdir()
    (project / "agent.py").write_text(agent)
    activity = "01JS4F4Z5V0000000000000002"
    with developing(project) as dev:

        def count() -> str:
            answer = httpx.post(f"{dev.url}/assist", json=body("hi", activity), timeout=150)
            return str(json.loads(answer.text.split("data: ")[1].splitlines()[0])["content"])

        assert count() == "0"
        dev.wait("reloaded", since=dev.write("agent.py", agent.replace("VERSION_HERE", "2")))
        wait_until(lambda: count() != "0", "what was said before the reload is remembered")


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_what_leaves_the_env_file_leaves_the_environment(tmp_path: Path) -> None:
    agent = AGENT.replace("VERSION + ", "str(os.environ.get('FROM_FILE')) + ")
    agent = agent.replace("import asyncio", "import asyncio, os")
    project = tmp_path / "project"
    project.mkdir()
    (project / "agent.py").write_text(agent)
    (project / ".env").write_text("FROM_FILE=here\n")
    with developing(project) as dev:
        assert dev.ask() == "here"
        dev.wait("reloaded", since=dev.write(".env", "OTHER=1\n"))
        assert dev.ask() == "None"


@pytest.mark.slow
@pytest.mark.story("20.5")
@pytest.mark.parametrize("name", [".env", "other.env"])
def test_a_secret_that_comes_into_the_env_file_is_masked_in_what_is_printed(tmp_path: Path, name: str) -> None:
    project = tmp_path / "project"
    project.mkdir()
    # Past Python's own streams, as native libraries write.
    said = "os.write(1, ('it is ' + os.environ['MY_SERVICE_TOKEN'] + '\\n').encode())\n"
    (project / "agent.py").write_text("import os\n" + said + AGENT.format(version="one"))
    (project / name).write_text("MY_SERVICE_TOKEN=first-value-abcdef\n")
    with developing(project, *(["--env-file", name] if name != ".env" else [])) as dev:
        for value in ("second-value-ghijkl", "third-value-mnopqr"):
            mark = dev.write(name, f"MY_SERVICE_TOKEN={value}\n")
            dev.wait("reloaded", since=mark)
            printed = dev.wait("output", since=mark, where=lambda event: "it is" in str(event["text"]))
            assert printed["text"] == "it is [redacted]"
        assert "-value-" not in str(dev.events)


@pytest.mark.story("20.5")
def test_the_end_leaves_nothing_behind(tmp_path: Path) -> None:
    with developing(tmp_path / "project") as dev:
        stream = Stream(dev.url, GO)
        dev.save("two")
        second = Stream(dev.url, GO)
        processes = [*dev.workers(), dev.fork_server()]
        assert len(processes) == 3
        assert dev.stop() == 0
        for lines in (stream.finish(), second.finish()):
            assert any('"error_code":499' in line for line in lines)
            assert lines[-3] == "event: done"
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in processes), "no process is left")


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_it_works_where_forking_is_not_safe(tmp_path: Path) -> None:
    with developing(tmp_path / "project", env={"SENTIENT_DEV_START": "spawn"}) as dev:
        assert dev.ask() == "one"
        stream = Stream(dev.url, GO)
        dev.save("two")
        assert dev.ask() == "two"
        dev.go()
        assert stream.words() == {"one"}
        assert len(children(dev.process.pid)) <= 2, "there is no fork server"


@pytest.mark.story("20.5")
def test_prompts_and_settings_are_code_too(tmp_path: Path) -> None:
    agent = AGENT.replace("VERSION + ", "Path('prompts/greeting.md').read_text() + ")
    project = tmp_path / "project"
    (project / "prompts").mkdir(parents=True)
    (project / "agent.py").write_text(agent)
    (project / "prompts" / "greeting.md").write_text("hello")
    (project / "sentient.toml").write_text("[server]\nport = 8000\n")
    with developing(project) as dev:
        assert dev.ask() == "hello"
        reloaded = dev.wait("reloaded", since=dev.write("prompts/greeting.md", "moin"))
        assert reloaded["changed"] == ["prompts/greeting.md"]
        assert dev.ask() == "moin"
        mark = dev.write("sentient.toml", "[server]\nport = eighty\n")
        problem = dev.wait("broken", since=mark)["problem"]
        assert isinstance(problem, dict)
        assert problem["code"] == "config"
        assert dev.ask() == "moin"
        dev.wait("reloaded", since=dev.write("sentient.toml", "[profile.calm.server]\nrun_timeout = 5\n"))
        assert dev.state()["environment"] == "default"
        dev.wait("reloaded", since=dev.write(".env", "SENTIENT_PROFILE=calm\n"))
        assert dev.state()["environment"] == "calm"
        mark = dev.mark()
        (project / "agent.py").rename(project / "main.py")
        dev.wait("reloaded", since=mark)
        assert dev.ask() == "moin"


@pytest.mark.story("20.5")
def test_without_reload_only_the_key_reloads(tmp_path: Path) -> None:
    with developing(tmp_path / "project", "--no-reload") as dev:
        dev.write("agent.py", AGENT.format(version="two"))
        assert [dev.ask() for _ in range(3)] == ["one"] * 3
        assert not [event for event in dev.events if event["event"] == "reloading"]


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_two_saves_within_a_second_are_told_apart(tmp_path: Path) -> None:
    def save(dev: Developing, version: str) -> str:
        helper = dev.project / "helper.py"
        mark = dev.mark()
        files = {helper: f"NAME = '{version}'\n", dev.project / "agent.py": agent.format(version=version)}
        for file, text in files.items():
            draft = tmp_path / "draft"
            draft.write_text(text)
            os.utime(draft, (1_700_000_000, 1_700_000_000))
            draft.replace(file)
        dev.wait("reloaded", since=mark)
        wait_until(lambda: dev.ask() == f"{version}/{version}", f"{version} answers, with its helper")
        return version

    agent = AGENT.replace("VERSION + ", "VERSION + '/' + helper.NAME + ")
    agent = agent.replace("import asyncio", "import asyncio, helper")
    project = tmp_path / "project"
    project.mkdir()
    (project / "helper.py").write_text("NAME = 'one'\n")
    (project / "agent.py").write_text(agent.format(version="one"))
    with developing(project) as dev:
        assert [save(dev, version) for version in ("aaa", "bbb", "ccc")] == ["aaa", "bbb", "ccc"]


@pytest.mark.story("20.5")
def test_what_is_watched_follows_the_settings(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    for name in ("sentient.toml", "table.csv", "notes.md"):
        (project / name).write_text("")
    with developing(project) as dev:
        mark = dev.write("sentient.toml", "[dev]\ninclude = ['*.csv']\nignore = ['notes.md']\n")
        dev.wait("reloaded", since=mark)
        number = itertools.count()

        def is_seen() -> bool:
            dev.write("table.csv", f"a,{next(number)}\n")
            return any(event.get("changed") == ["table.csv"] for event in dev.events)

        wait_until(is_seen, "it is watched now")
        mark = dev.write("notes.md", "Nobody looks at this now.")
        dev.write("table.csv", "the last one\n")
        dev.wait("reloaded", since=mark, where=lambda event: event["changed"] == ["table.csv"])
        assert not any("notes.md" in str(event) for event in dev.events[mark:])
        # What was written while it was waited for may be told along with what comes next.
        assert dev.save("two")["changed"] in (["agent.py"], ["table.csv", "agent.py"], ["agent.py", "table.csv"])
