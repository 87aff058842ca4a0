"""`sentient create --force`: into a directory of yours, what is yours stays yours."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.cli.processes import run_sentient
from tests.scaffold.create_kit import HANGING, fake, git, shot, start, template, wait_for

_QUICK = ("--yes", "--no-install", "--force")


def _yours() -> Path:
    folder = Path("my-agent")
    (folder / "src").mkdir(parents=True)
    (folder / "id_rsa").write_text("private")
    (folder / "src" / "notes.txt").write_text("mine")
    (folder / "README.md").write_text("mine")
    (folder / ".sentient-other").write_text("mine")
    return folder


@pytest.mark.slow
@pytest.mark.story("20.1")
def test_only_what_is_ours_is_committed() -> None:
    folder = _yours()
    done = run_sentient("create", "my-agent", *_QUICK)
    assert done.returncode == 0, done.stderr
    committed = set(git(folder, "ls-files").splitlines())
    assert {"README.md", "pyproject.toml", ".sentient/template.toml", "src/my_agent/agent.py"} <= committed
    assert not committed & {"id_rsa", "src/notes.txt", ".sentient-other"}
    assert not [name for name in shot(folder) if "kept" in name]
    assert set(git(folder, "status", "--porcelain").splitlines()) == {
        "?? .sentient-other",
        "?? id_rsa",
        "?? src/notes.txt",
    }


@pytest.mark.story("20.1")
def test_what_is_ignored_is_not_committed_and_no_failure() -> None:
    folder = Path("my-agent")
    (folder / ".github").mkdir(parents=True)
    (folder / ".github" / ".gitignore").write_text("dependabot.yml\n")
    done = run_sentient("create", "my-agent", *_QUICK, "--force")
    assert done.returncode == 0, done.stderr
    assert (folder / ".github" / "dependabot.yml").is_file()
    committed = git(folder, "ls-files").splitlines()
    assert ".github/workflows/ci.yml" in committed
    assert ".github/dependabot.yml" not in committed


@pytest.mark.story("20.1")
def test_a_repository_of_yours_gets_no_commit() -> None:
    folder = _yours()
    git(folder, "init", "--quiet")
    done = run_sentient("create", "my-agent", *_QUICK)
    assert done.returncode == 0, done.stderr
    assert git(folder, "ls-files") == ""
    assert git(folder, "rev-list", "--all", "--count") == "0"


@pytest.mark.slow
@pytest.mark.story("20.1")
@pytest.mark.parametrize("inside", [True, False])
def test_a_folder_that_is_a_link_is_refused(tmp_path: Path, inside: bool) -> None:
    folder = _yours()
    elsewhere = folder / "elsewhere" if inside else tmp_path / "elsewhere"
    (folder / "src").rename(elsewhere)
    (folder / "src").symlink_to(elsewhere.absolute())
    before = shot(folder), shot(elsewhere)
    done = run_sentient("create", "my-agent", *_QUICK, "--json")
    assert done.returncode == 5, done.stderr
    assert "in the way" in json.loads(done.stderr.splitlines()[-1])["error"]["what"]
    assert (shot(folder), shot(elsewhere)) == before


@pytest.mark.story("20.1")
def test_an_environment_of_yours_is_not_installed_into(tmp_path: Path) -> None:
    folder = _yours()
    (tmp_path / "environment").mkdir()
    (folder / ".venv").symlink_to(tmp_path / "environment")
    before = shot(folder)
    done = run_sentient("create", "my-agent", "--yes", "--force", "--json")
    assert done.returncode == 5, done.stderr
    assert "--no-install" in json.loads(done.stderr.splitlines()[-1])["error"]["fix"]
    assert (shot(folder), shot(tmp_path / "environment")) == (before, {})
    assert run_sentient("create", "my-agent", *_QUICK).returncode == 0


@pytest.mark.story("20.1")
def test_what_was_set_aside_is_found_by_its_name(tmp_path: Path) -> None:
    folder = _yours()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    path = fake(tmp_path / "tools", "uv", HANGING)
    with start("create", "my-agent", "--yes", "--force", env={"PATH": path, "TEST_FIFO": str(fifo)}) as process:
        tool = wait_for(fifo)
        process.kill()
        process.wait()
        signal.pidfd_send_signal(tool, signal.SIGKILL)
        os.close(tool)
    (kept,) = folder.glob(".sentient-kept-*")
    assert (kept / "README.md").read_text() == "mine"
    done = run_sentient("create", "my-agent", *_QUICK, "--json")
    assert done.returncode == 5, done.stderr
    assert kept.name in json.loads(done.stderr.splitlines()[-1])["error"]["fix"]


@pytest.mark.slow
@pytest.mark.story("20.1")
def test_what_the_tools_said_is_kept_without_passwords(tmp_path: Path) -> None:
    source = "import sys\nprint('Looking in indexes: https://me:verysecretvalue@host/simple')\nsys.exit(3)\n"
    path = fake(tmp_path / "tools", "uv", source)
    done = run_sentient("create", "my-agent", "--yes", env={"PATH": path, "XDG_STATE_HOME": str(tmp_path / "state")})
    assert done.returncode == 5, done.stderr
    (log,) = (tmp_path / "state").rglob("*.log")
    assert "host/simple" in log.read_text()
    assert "verysecretvalue" not in log.read_text() + done.stderr


@pytest.mark.story("20.1")
def test_where_nothing_can_be_kept_the_logs_of_others_stay(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    others = {f"other-{number}.log" for number in range(12)}
    for name in others:
        (temporary / name).touch()
    path = fake(tmp_path / "tools", "uv", "import sys\nsys.exit(3)\n")
    environment = {"PATH": path, "XDG_STATE_HOME": os.devnull, "TMPDIR": str(temporary)}
    done = run_sentient("create", "my-agent", "--yes", "--json", env=environment)
    assert done.returncode == 5, done.stderr
    (kept,) = {file.name for file in temporary.glob("*.log")} - others
    assert kept in json.loads(done.stderr.splitlines()[-1])["error"]["why"]
    assert others < {file.name for file in temporary.glob("*.log")}


@pytest.mark.slow
@pytest.mark.story("E20.3")
def test_a_project_without_an_agent_is_told_of_no_server(tmp_path: Path) -> None:
    folder = template(tmp_path / "t", {"a.txt": "a"})
    done = run_sentient("create", "x", "--yes", "--no-install", "-t", str(folder))
    assert done.returncode == 0, done.stderr
    assert "cd x" in done.stderr
    assert "sentient dev" not in done.stderr
