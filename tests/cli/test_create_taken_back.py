"""Whatever goes wrong, and whenever the user wants no more: nothing of the project is left, and no program runs on."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sentient_cli.scaffold.create import STEPS
from tests.cli.processes import Sentient
from tests.plugins.isolation import REPOSITORY
from tests.scaffold.create_kit import FAILING, FAKE_UV, HANGING, ends, fake, shot, start, template, wait_for
from tests.support import commands

_BREAKERS = {"install": "uv", "verify": "", "commit": "git"}


def _tools(tmp_path: Path, step: str, source: str) -> dict[str, str]:
    """Programs of which the one that a step needs is broken."""
    folder = tmp_path / "tools"
    path = fake(folder, "uv", FAKE_UV)
    if _BREAKERS[step]:
        fake(folder, _BREAKERS[step], source)
    return {"PATH": path}


def _template(tmp_path: Path, step: str, source: str) -> list[str]:
    """A template whose tests are broken, when that is the step; before the last one nothing needs to be installed."""
    if step != "verify":
        return ["--no-install"] if step == "commit" else []
    files = {
        "pyproject.toml": "[project]\nname = 'x'\nversion = '1'\n",
        "tests/test_x.py": f"def test_x() -> None:\n    exec({source!r})\n",
    }
    return ["--template", str(template(tmp_path / "t", files)), "--trust"]


def test_every_step_is_walked() -> None:
    assert [step.name for step in STEPS] == ["render", "write", *_BREAKERS]


@pytest.mark.slow
@pytest.mark.story("20.1")
@pytest.mark.parametrize(
    ("step", "existing"),
    [("verify", "new"), ("install", "empty"), ("install", "full"), ("commit", "empty")],
)
def test_a_step_that_fails(sentient: Sentient, tmp_path: Path, step: str, existing: str) -> None:
    arguments = ["create", "deep/x", "--yes", "--json", "--force", *_template(tmp_path, step, FAILING)]
    if existing != "new":
        Path("deep/x").mkdir(parents=True)
    if existing == "full":
        Path("deep/x/pyproject.toml").write_text("mine")
    before = shot(Path.cwd())
    done = sentient(*arguments, env=_tools(tmp_path, step, FAILING))
    assert done.returncode == 5, done.stderr
    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert error["code"] == "setup-failed"
    assert "--no-install" in error["fix"] or "--no-git" in error["fix"]
    assert "this tool is broken" in error["detail"]
    assert "sk-very" not in done.stderr + done.stdout
    log = Path(error["why"].removeprefix("All that was said is in ").removesuffix("."))
    assert log.stat().st_mode & 0o077 == 0
    assert "this tool is broken" in log.read_text()
    assert shot(Path.cwd()) == before


@pytest.mark.story("20.1")
@pytest.mark.parametrize(
    ("step", "number"),
    [
        ("install", signal.SIGINT),
        ("install", signal.SIGTERM),
        pytest.param("install", signal.SIGHUP, marks=pytest.mark.slow),
        pytest.param("verify", signal.SIGINT, marks=pytest.mark.slow),
        ("commit", signal.SIGINT),
    ],
)
def test_an_interruption(tmp_path: Path, step: str, number: signal.Signals) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    arguments = ["create", "deep/x", "--yes", *_template(tmp_path, step, HANGING)]
    before = shot(Path.cwd())
    process = start(*arguments, env={**_tools(tmp_path, step, HANGING), "TEST_FIFO": str(fifo)})
    hanging = wait_for(fifo)
    process.send_signal(number)
    _, said = process.communicate(timeout=150)
    assert process.returncode == 130, said
    assert "Interrupted" in said
    assert "Traceback" not in said
    assert shot(Path.cwd()) == before
    assert ends(hanging)


@pytest.mark.slow
@pytest.mark.story("20.1")
def test_an_interruption_while_a_template_is_rendered(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    hang = tmp_path / "hang.py"
    hang.write_text(HANGING)
    questions = f"_tasks:\n  - ['{sys.executable}', '{hang}']\nname: x\n"
    folder = template(tmp_path / "t", {"a.txt": "a"}, questions)
    before = shot(Path.cwd())
    process = start("create", "x", "--yes", "--trust", "-t", str(folder), env={"TEST_FIFO": str(fifo)})
    hanging = wait_for(fifo)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=150)
    assert process.returncode == 130, said
    assert shot(Path.cwd()) == before
    assert ends(hanging)


@pytest.mark.story("20.1")
def test_a_program_that_takes_too_long(sentient: Sentient, tmp_path: Path) -> None:
    env = _tools(tmp_path, "install", "import time\nwhile True: time.sleep(60)\n")
    done = sentient("create", "x", "--yes", "--timeout", "0.5", env=env)
    assert done.returncode == 5
    assert "longer than 0.5 s" in done.stderr
    assert shot(Path.cwd()) == {}


@pytest.mark.slow
@pytest.mark.story("20.1")
@pytest.mark.usefixtures("unmeasured")  # its data would not fit either
def test_no_room_while_it_is_written() -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    done = subprocess.run(
        [sys.executable, "-B", "-m", "sentient_cli", "create", "x", "--yes", "--no-install", "--json"],
        env={key: value for key, value in os.environ.items() if "COVERAGE" not in key}
        | {"PYTHONPATH": str(REPOSITORY)},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 5, done.stderr
    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert error["code"] == "project"
    assert "File too large" in error["why"]
    assert shot(Path.cwd()) == {}


@pytest.mark.story("20.1")
@pytest.mark.parametrize("words", ["fatal: cannot write: No space left on device", "error: Disk quota exceeded"])
def test_no_room_when_it_is_committed(sentient: Sentient, tmp_path: Path, words: str) -> None:
    path = fake(tmp_path / "tools", "git", f"import sys\nprint({words!r})\nsys.exit(128)\n")
    done = sentient("create", "x", "--yes", "--no-install", "--json", env={"PATH": path})
    assert done.returncode == 5, done.stderr
    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert (error["why"], error["fix"]) == ("There is no space left", "Free some space and try again")
    assert words in error["detail"]
    assert shot(Path.cwd()) == {}


@pytest.mark.story("20.1")
def test_an_interruption_while_a_template_is_fetched(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    env = {"PATH": fake(tmp_path / "tools", "git", HANGING), "TEST_FIFO": str(fifo)}
    process = start("create", "x", "--yes", "--no-install", "-t", "https://127.0.0.1:1/templates.git", env=env)
    hanging = wait_for(fifo)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=150)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert shot(Path.cwd()) == {}
    assert ends(hanging)


_INTERRUPTED_WRITING = """
import os, signal
from sentient_cli.scaffold import place
def write(*arguments, original=place._write, left=[{after}]):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGINT)
    original(*arguments)
place._write = write
"""


@pytest.mark.story("20.1")
@pytest.mark.parametrize("after", [1, 7])
@pytest.mark.parametrize("existing", [False, True])
def test_an_interruption_while_it_is_written(after: int, existing: bool) -> None:
    if existing:
        Path("x").mkdir()
        Path("x/README.md").write_text("mine")
    before = shot(Path.cwd())
    arguments = ("create", "x", "--yes", "--no-install", "--no-git", "--force")
    done = commands.run(*arguments, prelude=_INTERRUPTED_WRITING.format(after=after))
    assert done.returncode == 130, done.stderr
    assert b"Traceback" not in done.stderr
    assert shot(Path.cwd()) == before


@pytest.mark.slow
@pytest.mark.story("20.1")
def test_two_at_once(tmp_path: Path) -> None:
    both = [start("create", "x", "--yes", "--no-install", "--no-git", env={}) for _ in range(2)]
    codes = sorted((process.communicate(timeout=150), process.returncode)[1] for process in both)
    assert codes == [0, 5]
    assert set(os.listdir()) == {"x"}  # noqa: PTH208 - names
    assert Path("x/.sentient/pristine.zip").is_file()
