"""Names of files that the locale does not know: they are found, and shown as they are meant."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.support import commands
from tests.support.served import command, environment, serve
from tests.support.wire import PATIENCE, ask_all

pytestmark = pytest.mark.story("14.8")

_QUICK = {"SENTIENT_SERVER_DRAIN_DELAY": "0"}
_LOCALE = {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
_AGENT = """
import sys

async def assist(session, query, response):
    print(__file__)
    if query.prompt == "fail":
        raise RuntimeError(__file__)
    await response.text_block("ANSWER", query.prompt)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with an agent, none of whose names is ASCII."""
    folder = tmp_path / "größer"
    folder.mkdir()
    (folder / "übung.py").write_text(_AGENT)
    (folder / "sentient.toml").write_text('agent = "übung.py"\n[store]\nurl = "sqlite:läufe.db"\n', encoding="utf-8")
    return folder


def _run(home: Path, *arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    env = environment(home, {**_QUICK, **_LOCALE})
    done = commands.run(*map(str, arguments), directory=home, environment=env, stdin=stdin.encode())
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def _start(home: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """The same in an interpreter of its own."""
    return subprocess.run(
        command(*arguments),
        cwd=home,
        env=environment(home, {**_QUICK, **_LOCALE}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=3 * PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_an_agent_is_served(project: Path, workers: int) -> None:
    flags = ["--workers", workers, "--store", "sqlite:runs-ä.db"]
    with serve(project, *flags, agent="übung.py", env={**_QUICK, **_LOCALE}, anew=True) as server:
        assert ask_all(server.address, "é")[0].content == "é"
        assert [frame.event for frame in ask_all(server.address, "fail")] == ["error", "done"]
        assert "übung.py" in str(server.wait_record(logger="sentient_cli.runtime.faults"))
        if workers == 1:
            server.wait_line(r'"Serving \\u00fcbung on ')
    assert (project / "runs-ä.db").exists()


@pytest.mark.slow
def test_names_in_the_settings_file_are_found(project: Path) -> None:
    with serve(project.parent, "--project", project, agent=project / "übung.py", env={**_QUICK, **_LOCALE}) as server:
        assert ask_all(server.address, "x")[0].content == "x"
    assert (project / "läufe.db").exists()
    (project / "übung.py").write_text("raise RuntimeError\n")
    done = _run(project, "serve", "--json", "--port", 0)
    error: dict[str, object] = json.loads(done.stderr)["error"]
    assert (done.returncode, error["code"]) == (5, "agent-import")
    assert error["what"] == "übung.py failed while it was imported"


@pytest.mark.slow
def test_a_name_that_is_nearly_right(project: Path) -> None:
    done = _start(project, "serve", "--json", "übunk.py", "--port", 0)
    error: dict[str, object] = json.loads(done.stderr)["error"]
    assert (done.returncode, error["what"], error["fix"]) == (
        5,
        "There is no file übunk.py",
        "Did you mean übung.py?",
    )
    shown = _run(project, "serve", "übunk.py", "--port", 0).stderr
    assert "There is no file \\xfcbunk.py" in shown


@pytest.mark.slow
def test_a_file_is_run(project: Path) -> None:
    done = _run(project, "run", "übung.py")
    assert (done.returncode, done.stderr) == (0, "")
    (project / "übung.py").write_text("raise SystemExit('nö')\n", encoding="utf-8")
    assert "n\\xf6" in _run(project, "run", "übung.py").stderr


@pytest.mark.slow
def test_a_question_is_asked_as_it_was_typed(project: Path) -> None:
    with serve(project, agent="übung.py", env=_QUICK) as server:
        url = f"http://127.0.0.1:{server.port}"
        for arguments, stdin in ((("-m", "größer"), ""), ((), "größer\n")):
            done = _run(project, "chat", "--json", url, *arguments, stdin=stdin)
            assert json.loads(done.stdout.splitlines()[0])["content"] == "größer"
