"""What a project keeps for updates may come from anybody: nothing is read or written through a link in it."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest

from sentient_cli.errors import ProjectError
from sentient_cli.scaffold import undo
from sentient_cli.scaffold.pristine import load
from tests.scaffold.create_kit import shot
from tests.scaffold.update_kit import make_project, make_template, snapshot, update


def _project() -> Path:
    make_template({"a.txt": "a\n", "deep/b.txt": "b\n"})
    project = make_project({"a.txt": "a\n", "deep/b.txt": "b\n"})
    make_template({"a.txt": "a2\n", "deep/b.txt": "b2\n"})
    return project


def _precious(tmp_path: Path) -> Path:
    folder = tmp_path / "precious"
    folder.mkdir()
    (folder / "lock").write_text("precious")
    return folder


@pytest.mark.slow
@pytest.mark.story("E20.3")
@pytest.mark.parametrize("kind", ["link", "dangling", "hard", "pipe", "folder"])
def test_the_lock_is_a_file_of_ours(tmp_path: Path, kind: str) -> None:
    project, precious = _project(), _precious(tmp_path)
    lock = undo.folder_of(project) / "lock"
    if kind == "link":
        lock.symlink_to(precious / "lock")
    elif kind == "dangling":
        lock.symlink_to(precious / "new")
    elif kind == "hard":
        lock.hardlink_to(precious / "lock")
    elif kind == "pipe":
        os.mkfifo(lock)
    else:
        lock.mkdir()
    before = shot(precious), (project / "a.txt").read_text()
    done = update("--json")
    assert done.returncode == 5, done.stderr
    assert json.loads(done.stderr.splitlines()[-1])["error"]["code"] == "project"
    assert (shot(precious), (project / "a.txt").read_text()) == before


@pytest.mark.story("E20.3")
@pytest.mark.parametrize("place", [".sentient", ".sentient/undo"])
@pytest.mark.parametrize("arguments", [(), ("--undo",)])
def test_the_directories_are_no_links(tmp_path: Path, place: str, arguments: tuple[str, ...]) -> None:
    project, precious = _project(), _precious(tmp_path)
    if place == ".sentient":
        (project / place).rename(tmp_path / "moved")
        (project / place).symlink_to(tmp_path / "moved")
    else:
        (project / place).symlink_to(precious)
    before = shot(precious), shot(project)
    done = update("--json", *arguments)
    assert done.returncode == 5, done.stderr
    assert "is a link" in json.loads(done.stderr.splitlines()[-1])["error"]["what"]
    assert (shot(precious), shot(project)) == before
    assert not (tmp_path / "moved" / "undo").exists()


@pytest.mark.story("E20.3")
@pytest.mark.parametrize("name", ["template.toml", "pristine.zip"])
@pytest.mark.parametrize("target", ["/dev/zero", "pipe"])
def test_what_is_kept_is_read_from_plain_files(name: str, target: str) -> None:
    project = _project()
    kept = project / ".sentient" / name
    kept.unlink()
    os.mkfifo(kept) if target == "pipe" else kept.symlink_to(target)
    done = update("--json", "--dry-run")
    assert done.returncode == 5, done.stderr
    assert name in json.loads(done.stderr.splitlines()[-1])["error"]["what"]


@pytest.mark.story("E20.3")
def test_a_link_beside_a_file_is_not_written_through(tmp_path: Path) -> None:
    project, precious = _project(), _precious(tmp_path)
    before = shot(precious)
    (project / ".a.txt.sentient-new").symlink_to(precious / "lock")
    (undo.folder_of(project) / ".pending.zip.sentient-new").symlink_to(precious / "new")
    assert update().returncode == 0
    assert (project / "a.txt").read_text() == "a2\n"
    (project / ".a.txt.sentient-new").symlink_to(precious / "lock")
    assert update("--undo").returncode == 0
    assert (project / "a.txt").read_text() == "a\n"
    assert shot(precious) == before


@pytest.mark.slow
@pytest.mark.story("E20.3")
def test_links_of_yours_stay_yours(tmp_path: Path) -> None:
    project, precious = _project(), _precious(tmp_path)
    (precious / "b.txt").write_text("b\n")
    (project / "deep/b.txt").unlink()
    (project / "deep").rmdir()
    (project / "deep").symlink_to(precious)
    (project / "a.txt").unlink()
    (project / "a.txt").symlink_to(precious / "lock")
    before = shot(precious)
    done = update()
    assert done.returncode == 0, done.stderr
    assert "is a link" in done.stdout
    assert update("--undo").returncode == 0
    assert shot(precious) == before


@pytest.mark.story("E20.3")
@pytest.mark.parametrize("arguments", [(), ("--undo",)])
def test_nothing_is_left_of_one_who_was_killed(arguments: tuple[str, ...]) -> None:
    project = _project()
    assert update().returncode == 0
    (project / ".sentient/undo/000001.zip").rename(project / ".sentient/undo/pending.zip")
    (project / "deep/.b.txt.sentient-new").write_text("half of i")
    assert update(*arguments).returncode == 0
    assert not list(project.rglob("*.sentient-new"))


@pytest.mark.parametrize(
    "state",
    [
        'sentient = "1"\n[template]\nid = 5\n',
        'sentient = "1"\n[template]\nid = "ours"\nref = []\n',
        'sentient = "1"\ntemplate = "ours"\n',
        'answers = 3\nsentient = "1"\n[template]\nid = "ours"\n',
        '[template]\nid = "ours"\n',
        "\0",
    ],
)
def test_what_is_kept_is_checked(tmp_path: Path, state: str) -> None:
    (tmp_path / ".sentient").mkdir()
    (tmp_path / ".sentient/template.toml").write_text(state)
    with zipfile.ZipFile(tmp_path / ".sentient/pristine.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    with pytest.raises(ProjectError, match="damaged"):
        load(tmp_path)


def test_what_is_kept_lies_within_the_project(tmp_path: Path) -> None:
    (tmp_path / ".sentient").mkdir()
    (tmp_path / ".sentient/template.toml").write_text('sentient = "1"\n[template]\nid = "ours"\n')
    with zipfile.ZipFile(tmp_path / ".sentient/pristine.zip", "w") as archive:
        archive.writestr("../a.txt", "a")
    with pytest.raises(ProjectError, match="damaged"):
        load(tmp_path)


@pytest.mark.story("E20.3")
def test_what_is_kept_and_would_unpack_to_too_much_is_not_unpacked() -> None:
    project = _project()
    packed = project / ".sentient/pristine.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("zeros", "w") as zeros:
        for _ in range(65):
            zeros.write(bytes(1 << 20))
    assert packed.stat().st_size < 1 << 20
    before = snapshot(project)
    done = update("--json")
    assert done.returncode == 5, done.stderr
    assert "64 MiB" in done.stderr
    assert snapshot(project) == before


@pytest.mark.story("E20.3")
def test_an_update_says_that_what_is_kept_is_damaged() -> None:
    project = _project()
    (project / ".sentient/template.toml").write_text('sentient = "1"\n[template]\nid = 5\n')
    done = update("--json")
    assert done.returncode == 5, done.stderr
    assert "damaged" in json.loads(done.stderr.splitlines()[-1])["error"]["what"]
