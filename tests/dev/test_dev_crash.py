"""A process that crashes: it is said how and where, its answers end with that, and the next one answers."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import cast

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.dev.crashes import Crash, Place
from sentient_cli.dev.faults import FaultReport
from tests.dev.developing import AGENT, GO, Developing, Stream, body, developing, ending, wait_until
from tests.support.wire import PATIENCE

_CRASHING = '''
import ctypes, faulthandler, os, threading

from sentient_cli import agent


def native():
    return ctypes.string_at(0)


def in_a_thread():
    thread = threading.Thread(target=native)
    thread.start()
    thread.join()


def in_a_copy():
    copy = os.fork()
    if copy == 0:
        native()
    os.waitpid(copy, 0)


WAYS = {
    "segv": native,
    "at once": native,
    "thread": in_a_thread,
    "abort": os.abort,
    "exit": lambda: os._exit(9),
    "copy": in_a_copy,
    "traceback": faulthandler.dump_traceback,
    "words": lambda: print("Fatal Python error: Segmentation fault", flush=True),
}


@agent
async def crashing(session, query, response):
    """Crashes as it is told to, after its first words."""
    if query.prompt == "at once":
        native()
    async with response.stream("ANSWER") as stream:
        await stream.write("here ")
        WAYS.get(query.prompt, str)()
        await stream.write("and well")
'''
_LINE = _CRASHING.splitlines().index("    return ctypes.string_at(0)") + 1


def _crash(dev: Developing, prompt: str) -> tuple[dict[str, object], dict[str, object]]:
    """Ask for a crash; how it was told of, and what that means."""
    mark = dev.mark()
    stream = Stream(dev.url, prompt, wait=False)
    died = dev.wait("worker-died", since=mark)
    code, message = ending(stream)
    assert code == 500
    assert message.startswith(f"The agent's process ended: {died['how']}")
    return died, cast("dict[str, object]", died["problem"])


@pytest.mark.story("20.5")
def test_a_crash_in_a_run_is_told_with_signal_and_place(tmp_path: Path) -> None:
    with developing(tmp_path / "project", agent=_CRASHING) as dev:
        assert dev.ask() == "here and well"
        died, problem = _crash(dev, "segv")
        assert (died["how"], died["runs"]) == ("killed by SIGSEGV", 1)
        assert problem["why"] == "It was killed by SIGSEGV: it used memory that is not its own"
        assert (problem["file"], problem["line"]) == (str(dev.project / "agent.py"), _LINE)
        assert f"> {_LINE:>2} |     return ctypes.string_at(0)" in str(problem["excerpt"])
        assert str(problem["detail"]).splitlines()[0].endswith(f"agent.py:{_LINE} in native")
        assert problem["fix"]
        ended = dev.wait("run-ended", where=lambda event: event["outcome"] == "lost")
        assert ended["events"] is None
        assert str(ended["error"]).endswith(f"killed by SIGSEGV at {dev.project / 'agent.py'}:{_LINE}")
        crash = cast("dict[str, object]", dev.state()["crash"])
        assert (crash["number"], crash["runs"], crash["line"]) == (1, [ended["run"]], _LINE)
        assert dev.ask() == "here and well"
        printed = [str(event["text"]) for event in dev.events if event["event"] == "output"]
        assert not any("Fatal" in line or "most recent call" in line for line in printed), printed


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_every_end_of_a_process_is_told_and_the_next_question_answered(tmp_path: Path) -> None:
    with developing(tmp_path / "project", agent=_CRASHING) as dev:
        for prompt, how, line in (
            ("thread", "killed by SIGSEGV", _LINE),
            ("abort", "killed by SIGABRT", None),
            ("exit", "exit code 9", None),
        ):
            died, problem = _crash(dev, prompt)
            assert died["how"] == how
            assert problem["fix"]
            assert line is None or problem["line"] == line
            assert dev.ask() == "here and well"
        assert dev.wait("reloaded", since=dev.write("agent.py", _CRASHING + "\n"))


@pytest.mark.story("20.5")
def test_a_run_that_crashed_before_its_first_event_is_not_waited_for(tmp_path: Path) -> None:
    with developing(tmp_path / "project", agent=_CRASHING) as dev:
        mark = dev.mark()
        refused = httpx.post(f"{dev.url}/assist", json=body("at once"), timeout=PATIENCE)
        assert (refused.status_code, refused.json()["code"]) == (500, "agent-crash")
        assert f"The agent's process ended: killed by SIGSEGV at agent.py:{_LINE}. It" in refused.json()["detail"]
        run = dev.wait("run-ended", since=mark)["run"]
        wait_until(lambda: dev.get(f"/runs/{run}").json().get("status") == "interrupted", "it is recorded")
        assert dev.get(f"/runs/{run}/events").status_code == 204
        assert dev.ask() == "here and well"


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_what_is_no_crash_of_the_process_is_shown_as_it_was_written(tmp_path: Path) -> None:
    with developing(tmp_path / "project", agent=_CRASHING) as dev:
        for prompt, text in (
            ("copy", "Fatal Python error: Segmentation fault"),
            ("traceback", "Current thread 0x"),
            ("words", "Fatal Python error: Segmentation fault"),
        ):
            mark = dev.mark()
            assert dev.ask(prompt) == "here and well"
            dev.wait("output", since=mark, where=_says(text))
        (worker,) = dev.workers()
        mark = dev.mark()
        dev.ask("words")
        os.kill(worker, signal.SIGTERM)
        died = dev.wait("worker-died", since=mark)
        assert cast("dict[str, object]", died["problem"])["file"] is None, "that place was of no crash"


def _says(text: str) -> Callable[[dict[str, object]], bool]:
    return lambda event: text in str(event["text"])


@pytest.mark.story("20.5")
def test_a_crash_while_the_code_is_loaded_is_told_with_its_place(tmp_path: Path) -> None:
    with developing(tmp_path / "project") as dev:
        stream = Stream(dev.url, GO)
        (dev.project / "wörter.py").write_text("import ctypes\n\n\ndef begin():\n    ctypes.string_at(0)\n")
        mark = dev.write("agent.py", "import importlib\nimportlib.import_module('wörter').begin()\n")
        problem = cast("dict[str, object]", dev.wait("broken", since=mark)["problem"])
        assert problem["what"] == "The process ended while the agent was loaded"
        assert (Path(str(problem["file"])).name, problem["line"]) == ("wörter.py", 5)
        assert "agent.py:2 in <module>" in str(problem["detail"])
        assert dev.ask() == "one"
        dev.go()
        assert stream.words() == {"one"}
        assert dev.wait("reloaded", since=dev.write("agent.py", AGENT.format(version="two")))["mended"]
        assert dev.ask() == "two"


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_a_crash_of_old_code_leaves_the_new_alone(tmp_path: Path) -> None:
    waiting = _CRASHING.replace("WAYS.get", "await wait(query.prompt)\n        WAYS.get").replace(
        "@agent",
        "async def wait(prompt):\n"
        "    import asyncio\n"
        "    while prompt and not os.path.exists('go'):\n"
        "        await asyncio.sleep(0.02)\n\n\n@agent",
    )
    with developing(tmp_path / "project", agent=waiting) as dev:
        old = Stream(dev.url, "segv")
        dev.save("two")
        new = Stream(dev.url, GO)
        mark = dev.mark()
        dev.go()
        died = dev.wait("worker-died", since=mark)
        assert (died["generation"], died["runs"]) == (1, 1)
        assert ending(old)[0] == 500
        assert new.words() == {"two"}
        with httpx.Client() as client:
            assert client.get(f"{dev.url}/health").status_code == 200
        wait_until(lambda: len(dev.workers()) == 1, "the new code goes on in its process")


_LINES = st.sampled_from(
    [
        "Fatal Python error: Segmentation fault",
        "said before Fatal Python error: Aborted",
        "Fatal Python error: something of its own",
        "Current thread 0x00007f (most recent call first):",
        "Thread 0x00007e (most recent call first):",
        "Stack (most recent call first):",
        "Current thread's C stack trace (most recent call first):",
        '  File "/a/b.py", line 12 in f',
        '  File "/a/b.py", line ??? in f',
        '  File "/\\xe4/\\U0001f600.py", line 1 in g',
        '  File "/\\Uffffffff.py", line 1 in g',
        '  File "/\\x00/\0.py", line 1 in g',
        "  ...",
        "  Garbage-collecting",
        "  <no Python frame>",
        "Extension modules: a, b (total: 2)",
        "",
        "words",
    ]
)


@given(st.lists(_LINES))
def test_no_line_is_lost_or_told_twice(lines: list[str]) -> None:
    report = FaultReport()
    shown = [each for line in lines for each in report.take(line)]
    shown += report.release()
    assert "".join(shown) == "".join(lines)
    assert (report.places, report.holds) == ((), False)


def test_places_are_those_of_the_thread_that_crashed() -> None:
    report = FaultReport()
    for line in (
        "Fatal Python error: Segmentation fault",
        "",
        "Thread 0x00007e [name] (most recent call first):",
        '  File "/a/other.py", line 3 in other',
        "",
        "Current thread 0x00007f [name] (most recent call first):",
        '  File "/\\xe4/b.py", line 12 in f',
        '  File "/\\Uffffffff.py", line 1 in g',
    ):
        assert report.take(line) == []
    assert report.places == (Place("/ä/b.py", 12, "f"), Place("/\\Uffffffff.py", 1, "g"))


def test_a_report_that_names_odd_files_has_nothing_of_them_read(tmp_path: Path) -> None:
    pipe, huge = tmp_path / "pipe.py", tmp_path / "huge.py"
    os.mkfifo(pipe)
    with huge.open("wb") as file:
        file.truncate(1 << 30)
    for odd in (str(pipe), str(huge), "/dev/zero", str(tmp_path), str(tmp_path / "gone.py"), "a\0b.py", "\ud800.py"):
        report = FaultReport()
        for line in ("Fatal Python error: Aborted", "Stack (most recent call first):", f'  File "{odd}", line 1 in f'):
            assert report.take(line) == []
        problem = Crash(-signal.SIGABRT, report.places).at_work()
        assert problem.excerpt is None
        assert problem.why == "It was killed by SIGABRT: it was aborted"
