"""`sentient update`, as a process, over a template that changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from tests.plugins.isolation import REPOSITORY
from tests.scaffold.update_kit import QUESTIONS, actions, command, make_project, make_template, snapshot, update
from tests.support import commands

pytestmark = pytest.mark.usefixtures("needs_git")

OLD = {
    "README.md": "# Title\n\none\ntwo\nthree\nfour\nfive\n",
    "agent.py": "a = 1\nb = 2\nc = 3\n",
    "gone.txt": "to be removed\n",
    "gone_too.txt": "to be removed\n",
    "never.txt": "deleted by the user\n",
    "run.sh*": "echo old\n",
    "same.txt": "same\n",
}
NEW = {
    "README.md": "# Title\n\none\ntwo\nthree\nfour\nfive, newer\n",
    "agent.py": "a = 1\nb = 200\nc = 3\n",
    "never.txt": "newer\n",
    "new/file.txt": "new\n",
    "run.sh": "echo new\n",
    "same.txt": "same\n",
}


def _edit(project: Path) -> None:
    (project / "README.md").write_text("# My title\n\none\ntwo\nthree\nfour\nfive\n")
    (project / "agent.py").write_text("a = 1\nb = 20\nc = 3\n")
    (project / "gone_too.txt").write_text("to be removed\nmine\n")
    (project / "never.txt").unlink()


def _error(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    fields: dict[str, object] = json.loads(done.stderr.splitlines()[-1])["error"]
    return fields


_END_TO_END = {
    "README.md": "merged",
    "agent.py": "conflict",
    "gone.txt": "removed",
    "gone_too.txt": "kept",
    "never.txt": "left out",
    "new/file.txt": "added",
    "run.sh": "updated",
}


@pytest.mark.story("E20.3")
def test_an_update_from_end_to_end() -> None:
    make_template(OLD)
    project = make_project(OLD)
    _edit(project)
    before = snapshot(project)
    make_template(NEW)

    dry = update("--dry-run", "--json")
    assert dry.returncode == 6
    assert snapshot(project) == before
    assert "-echo old\n+echo new" in "".join(json.loads(line).get("diff", "") for line in dry.stdout.splitlines())

    done = update("--json")
    assert done.returncode == 6
    assert actions(done) == actions(dry) == _END_TO_END
    assert _error(done)["code"] == "update-conflict"
    assert "agent.py" in str(_error(done)["why"])
    assert (project / "README.md").read_text() == "# My title\n\none\ntwo\nthree\nfour\nfive, newer\n"
    assert (project / "agent.py").read_text() == (
        "a = 1\n<<<<<<< yours\nb = 20\n=======\nb = 200\n>>>>>>> template\nc = 3\n"
    )
    assert not (project / "gone.txt").exists()
    assert not (project / "never.txt").exists()
    assert (project / "run.sh").stat().st_mode & 0o111 == 0

    after = snapshot(project)
    again = update("--json")
    assert (again.returncode, actions(again)) == (6, {}), "the marks are still there"
    assert snapshot(project) == after
    (project / "agent.py").write_text("a = 1\nb = 220\nc = 3\n")
    told = json.loads(update("--json").stdout.splitlines()[-1])
    assert (told["changed"], told["written"]) == (0, False)
    again = update()
    assert (again.returncode, again.stdout.startswith("Nothing to do")) == (0, True)

    refused = update("--undo", "--json")
    assert (refused.returncode, _error(refused)["why"]) == (5, "agent.py")
    assert update("--undo", "--force").returncode == 0
    assert snapshot(project) == before
    nothing = update("--undo", "--json")
    assert (nothing.returncode, "no update" in str(_error(nothing)["what"])) == (5, True)


@pytest.mark.slow
@pytest.mark.story("E20.3")
def test_answers_and_questions() -> None:
    questions = "_templates_suffix: .jinja\nname:\n    type: str\n"
    make_template({"a.txt.jinja": "{{ name }}\n"}, questions=questions)
    project = make_project({"a.txt": "mine\n"})
    newer = questions + "color:\n    type: str\n    choices: [red, blue]\n    default: red\n"
    make_template({"a.txt.jinja": "{{ name }} {{ color }}\n"}, questions=newer)
    assert update("-d", "color=green").returncode == 2
    assert "Did you mean color?" in str(_error(update("--data", "colour=blue", "--json"))["fix"])
    assert update("--data", "color").returncode == 2
    assert update().returncode == 0
    assert (project / "a.txt").read_text() == "mine red\n"
    assert update("--data", "color=blue").returncode == 0
    assert (project / "a.txt").read_text() == "mine blue\n"
    assert 'color" = "blue"' in (project / ".sentient/template.toml").read_text()
    assert update("--undo").returncode == update("--undo").returncode == 0
    assert (project / "a.txt").read_text() == "mine\n"


@pytest.mark.slow
@pytest.mark.story("E20.3")
def test_a_new_question_is_asked_at_a_terminal() -> None:
    make_template({"a.txt": "a\n"})
    project = make_project({"a.txt": "a\n"})
    newer = f"{QUESTIONS}color:\n    type: str\n    help: Which colour?\n    choices: [red, blue]\n"
    make_template({"a.txt.jinja": "{{ color }}\n"}, questions=newer)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    program, *arguments = command()
    child: pexpect.spawn[str] = pexpect.spawn(
        program, arguments, cwd=str(project), env=environment, encoding="utf-8", timeout=150
    )
    try:
        child.expect_exact("Which colour?")
        child.sendline("green")
        child.expect_exact("Type a number from 1 to 2.")
        child.sendline("2")
        child.expect(pexpect.EOF)
        child.close()
    finally:
        child.close(force=True)
    assert child.exitstatus == 0
    assert (project / "a.txt").read_text() == "blue\n"


@pytest.mark.story("E20.3")
@pytest.mark.parametrize("wants", ["_tasks: ['touch ../ran']\n", "_jinja_extensions: [antigravity]\n"])
def test_a_template_that_wants_to_run_something_is_refused(wants: str) -> None:
    make_template({"a.txt": "a\n"})
    project = make_project({"a.txt": "a\n"}, foreign=True)
    make_template({"a.txt": "b\n"}, more=wants)
    done = update("--json")
    assert (done.returncode, _error(done)["code"]) == (5, "template-unsafe")
    assert "--trust" in str(_error(done)["fix"])
    assert (project / "a.txt").read_text() == "a\n"
    assert not Path("ran").exists()


@pytest.mark.story("E20.3")
def test_what_cannot_be_updated() -> None:
    Path("mine").mkdir()
    done = update("--json")
    assert (done.returncode, _error(done)["code"]) == (5, "project")
    assert "sentient create" in str(_error(done)["fix"])
    assert list(Path("mine").iterdir()) == []
    make_template({"a.txt": "a\n"})
    project = make_project({"a.txt": "a\n"}, foreign=True)
    Path("template").rename("moved")
    gone = update("--json")
    assert (gone.returncode, _error(gone)["code"]) == (5, "template-not-found")
    assert "--template" in str(_error(gone)["fix"])
    (Path("moved") / "project" / "a.txt").write_text("b\n")
    assert update("--template", "../moved").returncode == 0
    assert (project / "a.txt").read_text() == "b\n"
    (project / ".sentient/pristine.zip").write_bytes(b"no zip")
    damaged = update("--json")
    assert (damaged.returncode, "damaged" in str(_error(damaged)["what"])) == (5, True)
    for wrong in (("--undo", "--dry-run"), ("--force",)):
        assert update(*wrong).returncode == 2


@pytest.mark.slow
@pytest.mark.story("E20.3")
def test_it_works_from_below_and_with_project(tmp_path: Path) -> None:
    make_template({"a.txt": "a\n", "deep/b.txt": "b\n"})
    project = make_project({"a.txt": "a\n", "deep/b.txt": "b\n"})
    make_template({"a.txt": "a2\n", "deep/b.txt": "b\n"})
    assert update(cwd="mine/deep").returncode == 0
    assert (project / "a.txt").read_text() == "a2\n"
    make_template({"a.txt": "a3\n", "deep/b.txt": "b\n"})
    assert update("--project", str(project), cwd=str(tmp_path)).returncode == 0
    assert (project / "a.txt").read_text() == "a3\n"


@pytest.mark.story("E20.3")
def test_two_at_once() -> None:
    make_template({"a.txt": "a\n"})
    project = make_project({"a.txt": "a\n"})
    make_template({"a.txt": "b\n"})
    (project / ".sentient/undo").mkdir()
    holder = (
        "import sys\n"
        "from pathlib import Path\nfrom sentient_cli.scaffold.lock import locked\n"
        "with locked(Path('.sentient/undo/lock'), 'sentient update'):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        done = update("--json")
        assert (done.returncode, _error(done)["why"]) == (5, f"It is sentient update, process {process.pid}")
        assert (project / "a.txt").read_text() == "a\n"
        process.communicate()
    assert update().returncode == 0
    assert (project / "a.txt").read_text() == "b\n"


@pytest.mark.story("E20.3")
def test_text_for_a_reader() -> None:
    make_template({"a.txt": "one\n\x1b[31mtwo\n", "b.bin": b"\0old"})
    make_project({"a.txt": "one\n", "b.bin": b"\0older"})
    dry = update("--dry-run", FORCE_COLOR="1")
    assert dry.returncode == 6
    assert "\x1b[32m    +two" in dry.stdout
    assert "7 bytes become 4" not in dry.stdout
    assert "6 bytes become 4, which are no text" in dry.stdout
    done = update()
    assert done.returncode == 0
    assert "  updated   a.txt" in done.stdout
    assert done.stdout.splitlines()[-1].endswith("2 files changed. Take it back with `sentient update --undo`.")
    assert "\x1b" not in done.stdout


@pytest.mark.slow
@pytest.mark.story("E20.3")
def test_after_an_interruption() -> None:
    make_template({"a.txt": "a\n"})
    project = make_project({"a.txt": "a\n"})
    make_template({"a.txt": "b\n"})
    pending = project / ".sentient/undo/pending.zip"
    for command_ in ((), ("--undo",)):
        assert update().returncode == 0
        (project / ".sentient/undo/000001.zip").rename(pending)
        refused = update("--dry-run", "--json")
        assert (refused.returncode, "was interrupted" in str(_error(refused)["what"])) == (5, True)
        done = update(*command_)
        assert done.returncode == 0
        assert not pending.exists()
        assert (project / "a.txt").read_text() == ("a\n" if command_ else "b\n")
        if not command_:
            assert "An update that was interrupted was put back" in done.stderr
            assert update("--undo").returncode == 0


_INTERRUPTED = """
import os, signal
from sentient_cli.scaffold import undo
def write(*arguments, original=undo._write, left=[{number}]):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.{name})
    original(*arguments)
undo._write = write
"""


@pytest.mark.story("E20.3")
@pytest.mark.parametrize(
    ("number", "name"),
    [
        (1, "SIGINT"),
        (2, "SIGTERM"),
        (3, "SIGINT"),
        *(pytest.param(n, "SIGINT", marks=pytest.mark.slow) for n in (2, 4)),
    ],
)
def test_a_signal_in_the_middle_leaves_all_as_it_was(number: int, name: str) -> None:
    """The first file that is written is the archive to be put back from, the others are those of the project."""
    make_template(OLD)
    project = make_project(OLD)
    _edit(project)
    before = snapshot(project)
    make_template(NEW)
    done = update(prelude=_INTERRUPTED.format(number=number, name=name))
    assert done.returncode == 130, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert snapshot(project) == before
    assert not (project / ".sentient/undo/pending.zip").exists()
    assert actions(update("--json")) == _END_TO_END


@pytest.mark.slow
@pytest.mark.story("E20.3")
@pytest.mark.usefixtures("unmeasured")
def test_a_disk_that_fills_up() -> None:
    """A limit on the size of files stands for it: the new file is the first that does not fit."""
    make_template({"a.txt": "a\n", "b.txt": "b\n"})
    project = make_project({"a.txt": "a\n", "b.txt": "b\n"})
    before = snapshot(project)
    make_template({"a.txt": "a2\n", "b.txt": "b\n" * 200_000})
    limited = ["sh", "-c", 'ulimit -f 200; exec "$@"', "sh", *command("--json")]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(limited, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 5
    assert "b.txt" in str(_error(done)["what"])
    assert snapshot(project) == before
    assert update().returncode == 0


@pytest.mark.slow
@pytest.mark.story("E20.3", "20.1")
def test_a_project_of_a_built_in_template(tmp_path: Path) -> None:
    project, run = Path("mine"), commands.run_text
    assert run("create", "mine", "--yes", "--no-install", "--no-git").returncode == 0
    before = snapshot(project)
    assert run("update", "--project", "mine").returncode == 0
    assert snapshot(project) == before, "nothing changed in the template"
    assert not list((project / ".sentient/undo").glob("*.zip"))
    assert run("update", "--project", "mine", "--data", "license=MIT-0", "--data", "features=ci").returncode == 0
    assert "MIT No Attribution" in (project / "LICENSE").read_text()
    assert not (project / "AGENTS.md").exists()
    assert run("update", "--project", "mine", "--template", "advanced", "--dry-run").returncode == 6
    assert run("update", "--project", "mine", "--undo").returncode == 0
    assert snapshot(project) == before


@pytest.mark.slow
def test_quiet_leaves_the_exit_code() -> None:
    make_template(OLD)
    project = make_project(OLD)
    before = snapshot(project)
    make_template({**OLD, "agent.py": "a = 2\n"})
    for arguments, code in ((["--dry-run"], 6), ([], 0), (["--dry-run"], 0), (["--undo"], 0)):
        done = update("-q", *arguments)
        assert (done.returncode, done.stdout, done.stderr) == (code, "", "")
    assert snapshot(project) == before
    (project / "agent.py").write_text("a = 3\n")
    done = update("-q")
    assert (done.returncode, done.stdout) == (6, "")
    assert "waits for your decision" in done.stderr
