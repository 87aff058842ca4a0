"""Putting files in their place, and taking them back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.errors import ProjectError, ProjectExistsError
from sentient_cli.scaffold.place import place
from sentient_cli.scaffold.rendering import RenderedFile
from tests.scaffold.create_kit import shot

_FILES = {
    PurePosixPath("a.txt"): RenderedFile(b"new"),
    PurePosixPath("sub/run"): RenderedFile(b"#!", executable=True),
}
_PARTS = st.sampled_from(["a", "b", "c"])
_NAMES = st.lists(_PARTS, min_size=1, max_size=3).map("/".join)


def _is_tree(files: Mapping[str, bytes]) -> bool:
    return not any(one.startswith(f"{other}/") for one in files for other in files)


def test_a_new_directory_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "er" / "project"
    placed = place(_FILES, target)
    assert (target / "a.txt").read_bytes() == b"new"
    assert os.access(target / "sub" / "run", os.X_OK)
    assert not os.access(target / "a.txt", os.X_OK)
    placed.undo()
    assert not (tmp_path / "deep").exists()


def test_only_our_own_parents_are_removed(tmp_path: Path) -> None:
    placed = place(_FILES, tmp_path / "deep" / "project")
    (tmp_path / "deep" / "yours").touch()
    placed.undo()
    assert set(shot(tmp_path / "deep")) == {"yours"}


def test_a_directory_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "yours").write_text("x")
    before = shot(tmp_path)
    with pytest.raises(ProjectExistsError, match="not empty"):
        place(_FILES, tmp_path / "project")
    assert shot(tmp_path) == before


@pytest.mark.parametrize("kind", ["file", "dangling", "parent", "loop"])
def test_what_is_no_directory_is_refused(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "project"
    if kind == "file":
        target.write_text("x")
    elif kind == "dangling":
        target.symlink_to("nowhere")
    elif kind == "loop":
        target.symlink_to("project")
        target /= "below"
    else:
        target.write_text("x")
        target /= "below"
    with pytest.raises(ProjectError) as caught:
        place(_FILES, target)
    assert "meanwhile" not in (caught.value.why or "")
    assert set(shot(tmp_path)) - {"home", "work"} == {"project"}


def test_with_force_names_are_replaced_and_come_back(tmp_path: Path) -> None:
    target = tmp_path / "project"
    target.mkdir()
    (target / "a.txt").write_text("yours")
    (target / "a.txt").chmod(0o600)
    (target / "other").write_text("yours too")
    before = shot(target)
    placed = place(_FILES, target, force=True)
    assert (target / "a.txt").read_bytes() == b"new"
    placed.adopt("made", "other")
    (target / "made").mkdir()
    (target / "made" / "x").touch()
    placed.undo()
    assert shot(target) == before


def test_what_stays_leaves_no_trace_of_what_was_replaced(tmp_path: Path) -> None:
    target = tmp_path / "project"
    target.mkdir()
    (target / "a.txt").write_text("yours")
    place(_FILES, target, force=True).settle()
    assert set(shot(target)) == {"a.txt", "sub", "sub/run"}


def test_a_link_of_yours_is_not_written_through(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    target = tmp_path / "project"
    target.mkdir()
    (target / "sub").symlink_to(outside)
    with pytest.raises(ProjectExistsError, match="in the way"):
        place(_FILES, target, force=True)
    assert shot(outside) == {}
    assert set(shot(target)) == {"sub"}


def test_a_place_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="cannot be written"):
        place(_FILES, tmp_path / ("x" * 300))


@pytest.mark.slow
@given(
    st.dictionaries(_NAMES, st.binary(max_size=3), max_size=5),
    st.dictionaries(_NAMES, st.binary(max_size=3), max_size=5).filter(_is_tree),
)
def test_taking_back_restores_everything(yours: Mapping[str, bytes], ours: Mapping[str, bytes]) -> None:
    with TemporaryDirectory() as folder:
        target = Path(folder) / "project"
        target.mkdir()
        for name, content in yours.items():
            file = target / name
            if not any(parent.is_file() for parent in file.parents) and not file.is_dir():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
        before = shot(target)
        try:
            placed = place({PurePosixPath(name): RenderedFile(file) for name, file in ours.items()}, target, force=True)
        except ProjectError:
            assert shot(target) == before
            return
        placed.undo()
        assert shot(target) == before
