"""Code that does what it should not, and processes that are killed: ``dev`` goes on."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import time
from pathlib import Path
from typing import cast

import httpx
import pytest

from tests.dev.developing import AGENT, GO, Developing, Stream, body, children, developing, ending, wait_until

_BROKEN = {
    "raises": ("raise ValueError('on purpose')", "ValueError: on purpose"),
    "exits": ("import sys; sys.exit(3)", "It ended the program (sys.exit) with 3"),
    "exits without a word": ("import os; os._exit(7)", "It ended with exit code 7"),
    "kills itself": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "It was killed by SIGKILL"),
    "interrupts itself": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "becomes another program": ("import os; os.execv('/bin/true', ['true'])", "It ended with exit code 0"),
    "crashes": ("import ctypes; ctypes.string_at(0)", "It was killed by SIGSEGV"),
    "imports in a circle": ("import other", "Modules import each other in a circle"),
    "has no agent": ("x = 1", "defines no class or function"),
    "is no text": ("x = '\x00'", "null bytes"),
}


def _problem(event: dict[str, object]) -> dict[str, object]:
    return cast("dict[str, object]", event["problem"])


@pytest.mark.slow
@pytest.mark.story("20.5", "18.6")
def test_code_that_cannot_be_loaded_is_told_of_and_the_code_before_goes_on(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "other.py").write_text("from agent import nothing\n")
    with developing(project) as dev:
        for name, (code, why) in _BROKEN.items():
            text = code if name == "has no agent" else f"{code}\n{AGENT.format(version=name)}"
            problem = _problem(dev.wait("broken", since=dev.write("agent.py", text)))
            assert why in str(problem["why"]), name
            assert problem["what"]
            assert problem["fix"]
            assert dev.ask() == "one", name
        assert dev.save("two")["mended"]
        assert dev.ask() == "two"
        wait_until(lambda: len(dev.workers()) == 1, "nothing of the others is left")


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_code_that_hangs_while_it_is_loaded_is_given_up_with_the_next_save(tmp_path: Path) -> None:
    with developing(tmp_path / "project") as dev:
        mark = dev.write("agent.py", "import time\nopen('hanging', 'w').close()\ntime.sleep(600)\n")
        dev.wait("reloading", since=mark)
        assert dev.ask() == "one"
        wait_until((dev.project / "hanging").exists, "it hangs")
        assert len(dev.workers()) == 2
        dev.save("two")
        assert dev.ask() == "two"
        wait_until(lambda: len(dev.workers()) == 1, "who hung is gone")


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_code_that_hangs_from_the_start_is_told_of_and_the_page_answers(tmp_path: Path) -> None:
    with developing(tmp_path / "project", agent="import time\ntime.sleep(600)\n", ready=False) as dev:
        notice = dev.wait("notice")
        assert "loading for 2 seconds" in str(notice["text"])
        assert notice["fix"]
        dev.wait_announced()
        assert dev.get("/").status_code == 200
        assert dev.state()["status"] == "loading"
        dev.write("agent.py", AGENT.format(version="one"))
        dev.wait_ready()
        assert dev.ask() == "one"
        assert [event["event"] for event in dev.events].count("listening") == 1


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_code_that_forks_and_starts_threads_is_loaded_once(tmp_path: Path) -> None:
    prelude = """
import os, threading, time
child = os.fork()
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
"""
    with developing(tmp_path / "project") as dev:
        mark = dev.write("agent.py", prelude + AGENT.format(version="two"))
        dev.wait("reloaded", since=mark)
        assert [dev.ask() for _ in range(6)] == ["two"] * 6
        assert len([event for event in dev.events[mark:] if event["event"] in {"reloaded", "broken"}]) == 1


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_an_agent_file_that_goes_and_comes_back(tmp_path: Path) -> None:
    with developing(tmp_path / "project") as dev:
        file = dev.project / "agent.py"
        for make in (file.unlink, file.mkdir):
            mark = dev.mark()
            make()
            if file.is_dir():
                (file / "x.py").write_text("")
            assert _problem(dev.wait("broken", since=mark))["fix"]
            assert dev.ask() == "one"
        shutil.rmtree(file)
        mark = dev.mark()
        file.write_text(AGENT.format(version="two"))
        dev.wait("reloaded", since=mark)
        assert dev.ask() == "two"


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_saves_that_never_end_are_live_all_the_same(tmp_path: Path) -> None:
    with developing(tmp_path / "project") as dev:
        end = time.monotonic() + 3
        number = 0
        while time.monotonic() < end or not any(event["event"] == "reloaded" for event in dev.events):
            number += 1
            (dev.project / "agent.py").write_text(AGENT.format(version=f"save-{number}"))
            time.sleep(0.01)  # how long it is from save to save
        wait_until(lambda: dev.ask() == f"save-{number}", "the last one is live")
        wait_until(lambda: len(dev.workers()) == 1, "the others are gone")


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_a_worker_that_is_killed_is_replaced(tmp_path: Path) -> None:
    with developing(tmp_path / "project") as dev:
        stream = Stream(dev.url, GO)
        wait_until(lambda: bool(dev.get("/_sentient/runs", token=True).json()), "its beginning is with the hub")
        (worker,) = dev.workers()
        mark = dev.mark()
        os.kill(worker, signal.SIGKILL)
        died = dev.wait("worker-died", since=mark)
        assert (died["how"], died["runs"]) == ("killed by SIGKILL", 1)
        assert dev.ask() == "one"
        lost = dev.wait("run-ended", where=lambda event: event["outcome"] == "lost")
        assert ending(stream)[1].startswith("The agent's process ended: killed by SIGKILL. Look at how much memory")
        state = f"/runs/{lost['run']}"
        wait_until(lambda: dev.get(state).json().get("status") == "interrupted", "what there is of it is recorded")
        rows = dev.get("/_sentient/runs", token=True).json()
        assert next(row for row in rows if row["run"] == lost["run"])["outcome"] == "lost"


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_a_fork_server_that_is_killed_is_replaced(tmp_path: Path) -> None:
    with developing(tmp_path / "project") as dev:
        for version in ("two", "three"):
            before = dev.fork_server()
            os.kill(before, signal.SIGKILL)
            dev.save(version)
            assert dev.ask() == version
            assert dev.fork_server() != before


@pytest.mark.story("20.5")
def test_a_hub_that_is_killed_leaves_nothing_and_the_next_one_starts(tmp_path: Path) -> None:
    project = tmp_path / "project"
    with developing(project, code=-signal.SIGKILL) as dev:
        assert dev.ask() == "one"
        wait_until(lambda: len(_recorded(dev)) == 1, "the run is recorded")
        processes = [*dev.workers(), dev.fork_server()]
        dev.process.kill()
        wait_until(lambda: not any(map(_runs, processes)), "nothing outlives it")
    with developing(project) as dev:
        assert dev.ask() == "one"
        wait_until(lambda: len(_recorded(dev)) == 2, "what was recorded is there")


def _recorded(dev: Developing) -> list[object]:
    return list(dev.get("/_sentient/runs", token=True).json())


def _runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() and "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


_DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)

from sentient_cli import agent

@agent
async def deaf(session, query, response):
    await response.text_block("A", "here")
    while True:
        try:
            time.sleep(600)
        except BaseException:
            pass
"""


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_code_that_blocks_for_ever_does_not_hold_up_a_save_or_the_end(tmp_path: Path) -> None:
    with developing(tmp_path / "project", agent=_DEAF) as dev:
        Stream(dev.url, GO)
        (deaf,) = dev.workers()
        dev.save("two")
        assert dev.ask() == "two"
        assert deaf in dev.workers()
        began = time.monotonic()
        assert dev.stop() == 0
        assert time.monotonic() - began < 10  # far from the ten minutes that the code would take
        wait_until(lambda: not Path(f"/proc/{deaf}").exists(), "it is killed")


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_a_machine_that_sleeps_goes_on_where_it_was(tmp_path: Path) -> None:
    with developing(tmp_path / "project") as dev:
        stream = Stream(dev.url, GO)
        everybody = [dev.process.pid, *children(dev.process.pid)]
        for pid in everybody:
            os.kill(pid, signal.SIGSTOP)
        (dev.project / "agent.py").write_text(AGENT.format(version="two"))
        time.sleep(1)  # so long the machine sleeps
        for pid in everybody:
            os.kill(pid, signal.SIGCONT)
        dev.go()
        assert stream.words() == {"one"}
        wait_until(lambda: dev.ask() == "two", "the save is seen")


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_two_in_one_project(tmp_path: Path) -> None:
    project = tmp_path / "project"
    with developing(project) as first, developing(project) as second:
        assert first.url != second.url
        marks = first.mark(), second.mark()
        (project / "agent.py").write_text(AGENT.format(version="two"))
        for dev, mark in zip((first, second), marks, strict=True):
            dev.wait("reloaded", since=mark)
            assert dev.ask() == "two"
        assert first.stop() == 0
        assert second.ask() == "two"


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_what_a_run_imports_first_is_imported_before_the_next_code(tmp_path: Path) -> None:
    packages = tmp_path / "site-packages"
    packages.mkdir()
    (packages / "latecomer.py").write_text("import os\nPROCESS = os.getpid()\n")
    project = tmp_path / "project"
    (project / "data").mkdir(parents=True)
    agent = AGENT.replace("await stream.write(VERSION + ", "await stream.write(late() + ", 1)
    # Where no file of the project names it: the fork server cannot know of it.
    late = "def late():\n    return str(__import__('late' + 'comer').PROCESS)\n"
    (project / "agent.py").write_text(agent + late)
    with developing(project, env={"PYTHONPATH": str(packages)}) as dev:
        assert dev.ask() == str(dev.workers()[0])
        saves = itertools.count()

        def is_there_before_the_code() -> bool:
            time.sleep(2)  # while somebody saves, nothing is imported in advance
            dev.wait("reloaded", since=dev.write("agent.py", f"{agent}{late}# {next(saves)}\n"))
            return dev.ask() not in map(str, dev.workers())

        wait_until(is_there_before_the_code, "another fork server has taken over")


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_a_package_that_starts_a_thread_is_not_imported_before_a_fork(tmp_path: Path) -> None:
    packages = tmp_path / "site-packages"
    packages.mkdir()
    thread = "threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()"
    (packages / "restless.py").write_text(f"import os, threading, time\n{thread}\nPROCESS = os.getpid()\n")
    (packages / "calm.py").write_text("import os\nPROCESS = os.getpid()\n")
    project = tmp_path / "project"
    project.mkdir()
    agent = AGENT.replace("VERSION + ", "f'{calm.PROCESS} {restless.PROCESS}' + ", 1)
    (project / "agent.py").write_text("import calm, restless\n" + agent)
    with developing(project, env={"PYTHONPATH": str(packages)}) as dev:
        (worker,) = dev.workers()
        before, after = dev.ask().split()
        assert int(after) == worker
        assert int(before) != worker


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_packages_that_are_installed_and_removed_while_it_runs(tmp_path: Path) -> None:
    packages = tmp_path / "site-packages"
    packages.mkdir()
    with developing(
        tmp_path / "project",
        agent="import newcomer\n" + AGENT.replace("VERSION + ", "newcomer.NAME + "),
        ready=False,
        env={"PYTHONPATH": str(packages)},
    ) as dev:
        assert "newcomer" in str(_problem(dev.wait("broken"))["why"])
        (packages / "newcomer.py").write_text("NAME = 'first'\n")
        dev.wait_ready()
        assert dev.ask() == "first"
        mark = dev.mark()
        (packages / "newcomer.py").unlink()
        (packages / "newcomer").mkdir()
        (packages / "newcomer" / "__init__.py").write_text("NAME = 'second'\n")
        dev.wait("reloaded", since=mark)
        wait_until(lambda: dev.ask() == "second", "the other one is imported")
        mark = dev.mark()
        shutil.rmtree(packages / "newcomer")  # for good
        assert "newcomer" in str(_problem(dev.wait("broken", since=mark))["why"])
        assert dev.ask() == "second"
        (packages / "newcomer.py").write_text("NAME = 'third'\n")
        dev.wait("reloaded", since=mark)
        wait_until(lambda: dev.ask() == "third", "it is back")


def _asks(dev: Developing, **headers: str) -> int:
    return httpx.get(f"{dev.url}/_sentient/state", headers=headers, timeout=150).status_code


@pytest.mark.slow
def test_a_link_on_another_site_leads_to_the_page_and_to_nothing_else(tmp_path: Path) -> None:
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    refused = [
        ("GET", "/", {**link, "sec-fetch-dest": "iframe"}),
        ("GET", "/", {**link, "sec-fetch-mode": "no-cors"}),
        ("GET", "/", {"sec-fetch-site": "cross-site"}),
        ("GET", "/", {**link, "origin": "https://evil.example"}),
        ("GET", "/", {**link, "host": "evil.example"}),
        ("POST", "/", link),
        ("GET", "/_sentient/page/app.js", link),
        ("GET", "/_sentient/state", link),
        ("GET", "/health", link),
    ]
    with developing(tmp_path / "project") as dev:
        for site in ("cross-site", "same-site"):
            assert httpx.get(dev.url, headers={**link, "sec-fetch-site": site}, timeout=150).status_code == 200
        for method, path, headers in refused:
            answer = httpx.request(method, dev.url + path, headers=headers, timeout=150)
            assert answer.status_code == 403, (method, path, headers)
        twice = [*link.items(), ("sec-fetch-dest", "iframe")]
        assert httpx.get(dev.url, headers=twice, timeout=150).status_code == 400


@pytest.mark.story("20.5")
def test_strangers_learn_nothing(tmp_path: Path) -> None:
    with developing(tmp_path / "project") as dev:
        right = f"Bearer {dev.token}"
        assert _asks(dev, authorization=right) == 200
        assert _asks(dev) == 401
        assert _asks(dev, authorization="Bearer wrong") == 401
        assert _asks(dev, authorization=right, host="evil.example") == 403
        assert _asks(dev, authorization=right, origin="https://evil.example") == 403
        page = dev.get("/")
        assert page.status_code == 200
        assert dev.token not in page.text
        mark = dev.write("agent.py", "password = 'hunter2-in-the-code'\nx = (\n")
        dev.wait("broken", since=mark)
        answer = httpx.post(f"{dev.url}/assist", json={}, timeout=150)
        assert "hunter2" not in answer.text + str(answer.headers)
        assert "agent.py" not in answer.text


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_a_run_that_ends_its_process_with_its_first_line_is_not_forgotten(tmp_path: Path) -> None:
    agent = """
import os

from sentient_cli import agent

@agent
async def fatal(session, query, response):
    if query.prompt:
        os._exit(9)
    await response.text_block("A", "alive")
"""
    with developing(tmp_path / "project", agent=agent) as dev:
        mark = dev.mark()
        refused = httpx.post(f"{dev.url}/assist", json=body("the last words"), timeout=150)
        assert (refused.status_code, refused.json()["code"]) == (500, "agent-crash")
        died = dev.wait("worker-died", since=mark)
        assert (died["how"], died["runs"]) == ("exit code 9", 1)
        started = dev.wait("run-started", since=mark)
        assert started["prompt"] == "the last words"
        ended = dev.wait("run-ended", since=mark)
        assert (ended["run"], ended["outcome"]) == (started["run"], "lost")
        row = dev.get("/_sentient/runs", token=True).json()[0]
        assert (row["run"], row["outcome"], row["prompt"]) == (started["run"], "lost", "the last words")
        state = f"/runs/{started['run']}"
        wait_until(lambda: dev.get(state).json().get("status") == "interrupted", "it is recorded")
