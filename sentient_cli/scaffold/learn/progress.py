"""How far somebody has come, kept between two sittings."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from sentient_cli.paths import state_dir
from sentient_cli.scaffold.learn.lessons import LESSONS, Lesson

__all__ = ["Progress", "forget", "progress_file", "recall", "remember"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far somebody has come.

    Args:
        base: The directory in which their project is made.
        done: The lessons that were done.
        skipped: The lessons that were passed over.
    """

    base: Path
    done: frozenset[str] = frozenset()
    skipped: frozenset[str] = frozenset()

    @property
    def next(self) -> Lesson | None:
        """The first lesson that was neither done nor skipped; None after the last."""
        return next((lesson for lesson in LESSONS if lesson.name not in self.done | self.skipped), None)

    def with_done(self, lesson: Lesson) -> Progress:
        """The same after a lesson was done."""
        return replace(self, done=self.done | {lesson.name}, skipped=self.skipped - {lesson.name})

    def with_skipped(self, lesson: Lesson) -> Progress:
        """The same after a lesson was passed over."""
        return replace(self, skipped=self.skipped | {lesson.name})


def progress_file() -> Path:
    """Where it is kept how far somebody is."""
    return state_dir() / "learn.json"


def recall() -> Progress | None:
    """What was kept; None when nothing was, or when it cannot be read."""
    try:
        told = cast("dict[str, object]", json.loads(progress_file().read_text("utf-8")))
        done, skipped = (frozenset(cast("list[str]", told[name])) for name in ("done", "skipped"))
        return Progress(Path(str(told["base"])), done, skipped)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(progress: Progress) -> None:
    """Keep it, in one step; that it cannot be kept is no failure."""
    file = progress_file()
    beside = file.with_name("learn.json.new")
    told = {"base": str(progress.base), "done": sorted(progress.done), "skipped": sorted(progress.skipped)}
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(told), "utf-8")
        beside.replace(file)


def forget() -> None:
    """Begin anew; the project stays."""
    progress_file().unlink(missing_ok=True)
