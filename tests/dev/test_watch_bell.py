"""The bell at watched directories: it answers when something happens, and otherwise lets its thread sleep."""

from __future__ import annotations

import sys
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from sentient_cli.dev.watching.bell import Bell
from tests.dev.watch_kit import PATIENCE, inotify_descriptors

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is of Linux")


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Generator[ThreadPoolExecutor]:
    """A thread that asks, and a bell that nothing but a change or a word makes answer."""
    monkeypatch.setattr("sentient_cli.dev.watching.bell._ATTENTIVE", 0.0)
    monkeypatch.setattr("sentient_cli.dev.watching.bell._LONGEST", int(PATIENCE * 10_000))
    with ThreadPoolExecutor(1) as executor:
        yield executor


def test_it_answers_when_something_happens_and_when_it_is_told_to_stop(
    tmp_path: Path, hands: ThreadPoolExecutor
) -> None:
    file = tmp_path / "agent.py"
    with closing(Bell([str(tmp_path)])) as bell:
        assert bell.rings
        for change in (file.touch, lambda: file.write_text("1"), lambda: file.rename(tmp_path / "b.py")):
            asked: Future[bool] = hands.submit(bell.is_set)
            change()
            assert not asked.result(PATIENCE)
        # What rang while nobody asked is answered at once; then the thread sleeps until it is told.
        answers = [hands.submit(bell.is_set) for _ in range(3)]
        bell.set()
        assert answers[-1].result(PATIENCE)


def test_its_watches_are_given_back(tmp_path: Path, hands: ThreadPoolExecutor) -> None:
    with closing(Bell([str(tmp_path)])) as bell:
        asked = hands.submit(bell.is_set)
        assert inotify_descriptors() == 1
        bell.mute()
        assert not asked.result(PATIENCE)
        assert not bell.rings
        assert not inotify_descriptors()
        assert not bell.is_set()
        bell.set()
        assert bell.is_set()


@pytest.mark.parametrize("directories", [None, ["missing"]])
def test_where_it_cannot_be_hung_it_answers_at_once(tmp_path: Path, directories: list[str] | None) -> None:
    wanted = None if directories is None else [str(tmp_path / name) for name in directories]
    with closing(Bell(wanted)) as bell:
        assert not bell.rings
        assert not bell.is_set()
        bell.set()
        assert bell.is_set()
    assert not inotify_descriptors()
