"""What an update does to each file, and how it is taken back."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.errors import ProjectError
from sentient_cli.scaffold import undo
from sentient_cli.scaffold.changes import Change, decide, writes
from sentient_cli.scaffold.merge import marked, merge_text
from sentient_cli.scaffold.update import open_conflicts
from tests.plugins.isolation import REPOSITORY
from tests.scaffold.update_kit import Files, rendering, snapshot, write

pytestmark = pytest.mark.usefixtures("needs_git")


def _decide(old: Files, new: Files, project: Path) -> dict[str, Change]:
    return {str(change.path): change for change in decide(rendering(old), rendering(new), project)}


def _carry_out(changes: Mapping[str, Change], project: Path) -> None:
    found = list(changes.values())
    conflicts = [change.path for change in found if change.conflicts]
    undo.carry_out(project, writes(found), title="a test", conflicts=conflicts)


@pytest.fixture
def project() -> Path:
    folder = Path("mine").absolute()
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    ("old", "mine", "new", "action", "content"),
    [
        ("a\n", "a\n", "b\n", "updated", "b\n"),
        ("a\n", "b\n", "b\n", None, "b\n"),
        ("a\n", "b\n", "a\n", None, "b\n"),
        ("a\n", None, "b\n", "left out", None),
        ("a\n", None, None, None, None),
        ("a\n", "a\n", None, "removed", None),
        ("a\n", "b\n", None, "kept", "b\n"),
        (None, None, "b\n", "added", "b\n"),
        (None, "b\n", "b\n", None, "b\n"),
        (None, "c\n", "b\n", "conflict", "<<<<<<< yours\nc\n=======\nb\n>>>>>>> template\n"),
        ("a\n1\n2\n3\n4\n", "b\n1\n2\n3\n4\n", "a\n1\n2\n3\n5\n", "merged", "b\n1\n2\n3\n5\n"),
        ("a\r\n1\r\n", "a\r\n1\r\n", "b\r\n1\r\n", "updated", "b\r\n1\r\n"),
        ("a\n1\n", "a\r\n1\r\n", "b\n1\n", "updated", "b\r\n1\r\n"),
        ("a\n1\n2\n3\n4\n", "b\r\n1\r\n2\r\n3\r\n4\r\n", "a\n1\n2\n3\n5\n", "merged", "b\r\n1\r\n2\r\n3\r\n5\r\n"),
        ("a", "a", "b", "updated", "b"),
        ("\0a", "\0a", "\0b", "updated", "\0b"),
        ("\0a", "\0c", "\0b", "conflict", "\0c"),
    ],
)
def test_one_file(
    old: str | None, mine: str | None, new: str | None, action: str | None, content: str | None, project: Path
) -> None:
    versions: list[dict[str, str | bytes]] = [{} if each is None else {"d/a": each} for each in (old, mine, new)]
    write(project, versions[1])
    before = snapshot(project)
    changes = _decide(versions[0], versions[2], project)
    _carry_out(changes, project)
    found = project / "d" / "a"
    assert (found.read_bytes().decode() if found.exists() else None) == content
    assert (changes["d/a"].action if changes else None) == action
    again = _decide(versions[2], versions[2], project)
    assert again == {}
    undo.undo(project)
    assert snapshot(project) == before


def test_a_binary_conflict_leaves_the_templates_beside(project: Path) -> None:
    write(project, {"logo.png": b"\0mine", "logo.png.template": b"taken"})
    changes = _decide({"logo.png": b"\0old"}, {"logo.png": b"\0new"}, project)
    _carry_out(changes, project)
    assert (project / "logo.png").read_bytes() == b"\0mine"
    assert (project / "logo.png.template").read_bytes() == b"taken"
    assert (project / "logo.png.template-2").read_bytes() == b"\0new"
    assert open_conflicts(project) == (PurePosixPath("logo.png"),)
    (project / "logo.png.template-2").unlink()
    assert open_conflicts(project) == ()


@pytest.mark.parametrize(
    ("old", "mine", "new", "executable"),
    [
        ("run", "run", "run*", True),
        ("run*", "run*", "run", False),
        ("run", "run*", "run", True),
        ("run*", "run", "run*", False),
    ],
)
def test_permissions_are_merged_too(old: str, mine: str, new: str, executable: bool, project: Path) -> None:
    write(project, {mine: "echo 1\n2\n3\n4\nmine\n"})
    (project / "run").chmod(0o700 if mine.endswith("*") else 0o600)
    before = snapshot(project)
    _carry_out(_decide({old: "echo 1\n2\n3\n4\n5\n"}, {new: "echo one\n2\n3\n4\n5\n"}, project), project)
    assert (project / "run").read_text() == "echo one\n2\n3\n4\nmine\n"
    assert (project / "run").stat().st_mode & 0o777 == (0o700 if executable else 0o600)
    undo.undo(project)
    assert snapshot(project) == before


def test_what_is_no_file_is_left_alone(project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "b").write_text("old\n")
    (project / "link").symlink_to(outside)
    (project / "a").symlink_to(outside / "b")
    (project / "folder").mkdir()
    (project / "file").write_text("x\n")
    old = {"link/b": "old\n", "a": "old\n", "folder": "old\n", "file/b": "old\n"}
    changes = _decide(old, {**dict.fromkeys(old, "new\n"), "link/c": "new\n"}, project)
    assert {change.action for change in changes.values()} == {"left out"}
    assert "link is a link" in changes["link/c"].note
    _carry_out(changes, project)
    assert sorted(path.name for path in outside.iterdir()) == ["b"]
    assert (outside / "b").read_text() == "old\n"


def test_nothing_is_written_through_a_link_when_it_is_taken_back(project: Path, tmp_path: Path) -> None:
    write(project, {"d/a": "old\n"})
    _carry_out(_decide({"d/a": "old\n"}, {}, project), project)
    outside = tmp_path / "outside"
    outside.mkdir()
    (project / "d").symlink_to(outside)
    with pytest.raises(ProjectError, match="changed since"):
        undo.undo(project)
    assert undo.undo(project, force=True).left == (PurePosixPath("d/a"),)
    assert list(outside.iterdir()) == []


def test_marks_can_be_told_from_those_that_are_there(project: Path) -> None:
    mine = "a\n<<<<<<< yours\nb\n=======\nc\n>>>>>>> template\n"
    merged = merge_text(b"a\nx\n", mine.encode(), b"a\ny\n")
    assert merged.conflicts == 1
    assert b"\n<<<<<<<< yours\n<<<<<<< yours\n" in merged.content
    assert marked(merged.content)
    assert not marked(b"<<<<<<< HEAD\n=======\n>>>>>>> main\n")


def test_settings_of_git_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(os.environ["HOME"], ".gitconfig").write_text("[merge]\nconflictStyle = diff3\n")
    monkeypatch.setenv("GIT_DIR", "nowhere")
    assert b"|||||||" not in merge_text(b"a\n", b"b\n", b"c\n").content


def test_git_is_needed_only_to_merge(project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    write(project, {"a": "a\n", "b": "mine\n"})
    assert _decide({"a": "a\n"}, {"a": "b\n"}, project)["a"].action == "updated"
    with pytest.raises(ProjectError, match="git is needed"):
        _decide({"b": "a\n"}, {"b": "b\n"}, project)
    broken = tmp_path / "git"
    broken.write_text("#!/bin/sh\necho broken >&2\nexit 200\n")
    broken.chmod(0o755)
    with pytest.raises(ProjectError, match="broken"):
        _decide({"b": "a\n"}, {"b": "b\n"}, project)


_CRASH = """
import os, sys
from pathlib import Path
from sentient_cli.scaffold import undo
from sentient_cli.scaffold.changes import decide, writes
from tests.scaffold.update_kit import rendering

left = int(sys.argv[1])
def crash():
    global left
    if left == 0:
        os.kill(os.getpid(), 9)
    left -= 1

project = Path("mine").absolute()
changes = decide(rendering({"a": "a", "b": "b", "c": "c"}), rendering({"a": "1", "b": "2", "new/d": "3"}), project)
undo.carry_out(project, writes(changes), title="a crash", check=crash)
"""


def _crashed(project: Path, after: int) -> None:
    write(project, {"a": "a", "b": "b", "c": "c"})
    command = [sys.executable, "-c", _CRASH, str(after)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    assert subprocess.run(command, env=environment, check=False).returncode == -9


@pytest.mark.slow
@pytest.mark.parametrize("after", [0, 2, 3])
def test_a_crash_in_the_middle_is_healed(project: Path, after: int) -> None:
    _crashed(project, after)
    before = {"a": (0o644, b"a"), "b": (0o644, b"b"), "c": (0o644, b"c")}
    assert (snapshot(project) == before) is (after == 0)
    assert undo.is_pending(project)
    healed = undo.heal(project)
    assert healed is not None
    assert (len(healed.paths), healed.left) == (after, ())
    assert snapshot(project) == before
    assert not (project / "new").exists()
    assert undo.heal(project) is None


@pytest.mark.slow
def test_what_was_edited_after_a_crash_is_left_alone(project: Path) -> None:
    _crashed(project, 2)
    (project / "a").write_text("mine now")
    healed = undo.heal(project)
    assert healed is not None
    assert healed.left == (PurePosixPath("a"),)
    assert (project / "a").read_text() == "mine now"
    assert (project / "b").read_text() == "b"


def test_a_failure_in_the_middle_takes_everything_back(project: Path) -> None:
    write(project, {"a": "a", "b": "b"})
    before = snapshot(project)
    changes = _decide({"a": "a", "b": "b"}, {"a": "1", "b": "2", "c/d": "3"}, project)
    calls: list[None] = []

    def stop() -> None:
        calls.append(None)
        if len(calls) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        undo.carry_out(project, writes(changes.values()), title="", check=stop)
    assert snapshot(project) == before
    (project / "b").write_text("meanwhile")
    with pytest.raises(ProjectError, match="b was changed while"):
        undo.carry_out(project, writes(changes.values()), title="")
    assert (project / "a").read_text() == "a"
    assert (project / "b").read_text() == "meanwhile"
    assert not undo.is_pending(project)


def test_only_so_many_are_kept(project: Path) -> None:
    write(project, {"a": "0"})
    for number in range(undo.KEPT + 3):
        _carry_out(_decide({"a": str(number)}, {"a": str(number + 1)}, project), project)
    for _ in range(undo.KEPT):
        undo.undo(project)
    assert (project / "a").read_text() == "3"
    with pytest.raises(ProjectError, match="no update"):
        undo.undo(project)


@pytest.mark.parametrize("content", [b"no zip", b""])
def test_a_damaged_archive(project: Path, content: bytes) -> None:
    folder = undo.folder_of(project)
    (folder / "000001.zip").write_bytes(content)
    with pytest.raises(ProjectError, match="damaged"):
        undo.undo(project)


_LINES = st.lists(st.sampled_from(["a", "b", "c", "", "=======", "<<<<<<< yours"]), max_size=8)
_ENDS = st.sampled_from(["\n", "\r\n"])
_NAMES = ("a", "d/b", "d/e/c")


def _text(lines: list[str], end: str) -> str:
    return "".join(line + end for line in lines)


_FILES = st.dictionaries(st.sampled_from(_NAMES), st.builds(_text, _LINES, _ENDS))


@contextmanager
def _folder() -> Generator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.slow
@given(old=_FILES, new=_FILES, mine=_FILES, own=st.dictionaries(st.sampled_from(_NAMES), _LINES))
def test_nothing_of_the_users_is_lost(
    old: dict[str, str], new: dict[str, str], mine: dict[str, str], own: dict[str, list[str]]
) -> None:
    """Whatever user and template did: their lines stay, it can be taken back, and a second time nothing happens."""
    for number, (name, lines) in enumerate(own.items()):
        kept = f"the user's own line {number}\n"
        mine[name] = _text(lines, "\n") + kept + mine.get(name, "")
    with _folder() as project:
        write(project, mine)
        before = snapshot(project)
        changes = _decide(old, new, project)
        _carry_out(changes, project)
        after = snapshot(project)
        for number, name in enumerate(own):
            assert f"the user's own line {number}".encode() in after[name][1]
        for name in set(old) - set(mine):
            assert name not in after, "what the user deleted stays deleted"
        for name in set(new) - set(old) - set(mine):
            assert after[name][1] == new[name].encode()
        assert _decide(new, new, project) == {}
        undo.undo(project)
        assert snapshot(project) == before
