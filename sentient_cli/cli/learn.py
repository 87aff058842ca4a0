"""``sentient learn``: a walk through the product, each step looked at for real."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sentient_cli.cli.invocation import Invocation, current
from sentient_cli.errors import UsageError

if TYPE_CHECKING:
    from sentient_cli.scaffold.learn.lessons import Lesson
    from sentient_cli.scaffold.learn.progress import Progress


def _lessons(incomplete: str) -> list[tuple[str, str]]:
    from sentient_cli.scaffold.learn.lessons import LESSONS

    return [(each.name, each.title) for each in LESSONS if each.name.startswith(incomplete)]


def learn(
    step: Annotated[
        str | None,
        typer.Option(
            "--step", metavar="LESSON", help="Go to this lesson, by its name or number.", autocompletion=_lessons
        ),
    ] = None,
    skip: Annotated[bool, typer.Option("--skip", help="Pass over the current lesson.", show_default=False)] = False,
    show_list: Annotated[
        bool, typer.Option("--list", help="List the lessons, and how far you are.", show_default=False)
    ] = False,
    reset: Annotated[bool, typer.Option("--reset", help="Begin anew; your project stays.", show_default=False)] = False,
) -> None:
    """Learn to make, serve, change and test an agent, step by step.

    It needs no key and no network. You may leave at any time and go on later. Without a terminal it shows the current
    lesson, looks once whether it was done, and ends with 0 or 1.
    """
    from sentient_cli.scaffold.learn.progress import forget, progress_file

    here = current()
    _require_one({"--skip": skip, "--list": show_list, "--reset": reset})
    _require_one({"--step": step is not None, "--list": show_list, "--reset": reset})
    if reset:
        forget()
        _say(here, {"reset": True}, "Forgotten. `sentient learn` begins with the first lesson.")
        return
    progress = _progress(here)
    if here.console.verbose:
        here.console.detail(f"Progress: {progress_file()}")
        here.console.detail(f"Projects are looked for in {progress.base}")
    if show_list:
        _show_list(here, progress)
        return
    lesson = _lesson(step, progress)
    if lesson is not None and skip:
        progress = progress.with_skipped(lesson)
        _remember(progress)
        passed_over, lesson = lesson, progress.next
        told: dict[str, object] = {"skipped": passed_over.name, "next": lesson.name if lesson is not None else None}
        _say(here, told, f"Passed over: {passed_over.name}.")
        if not here.console.interactive:
            return
    _learn(here, progress, lesson)


def _say(here: Invocation, told: dict[str, object], text: str) -> None:
    if here.console.json:
        here.console.json_line(told)
    else:
        here.console.say(text)


def _require_one(options: dict[str, bool]) -> None:
    given = [name for name, is_given in options.items() if is_given]
    if len(given) > 1:
        raise UsageError(f"{given[0]} and {given[1]} exclude each other", fix="Give one of them")


def _learn(here: Invocation, progress: Progress, lesson: Lesson | None) -> None:
    from sentient_cli.cli.lessons import look_once, say_end, walk

    if lesson is None:
        say_end(here)
    elif here.console.interactive:
        walk(here, progress, lesson)
    elif not look_once(here, progress, lesson):
        raise typer.Exit(1)


def _progress(here: Invocation) -> Progress:
    from sentient_cli.scaffold.learn.progress import Progress, recall

    known = recall()
    if here.project is not None:
        base = here.project.absolute()
        return known if known is not None and known.base == base else Progress(base)
    return known or Progress(Path.cwd())


def _remember(progress: Progress) -> None:
    from sentient_cli.scaffold.learn.progress import remember

    remember(progress)


def _lesson(step: str | None, progress: Progress) -> Lesson | None:
    from sentient_cli.errors import UsageError
    from sentient_cli.scaffold.learn.lessons import LESSONS, find_lesson

    if step is None:
        return progress.next
    found = find_lesson(step)
    if found is None:
        names = ", ".join(lesson.name for lesson in LESSONS)
        raise UsageError(f"There is no lesson {step!r}", fix=f"Name one of {names}, or its number")
    return found


def _show_list(here: Invocation, progress: Progress) -> None:
    from sentient_cli.scaffold.learn.lessons import LESSONS

    for number, lesson in enumerate(LESSONS, 1):
        now = "now" if lesson == progress.next else ""
        state = "done" if lesson.name in progress.done else "skipped" if lesson.name in progress.skipped else now
        if here.console.json:
            here.console.json_line({"lesson": lesson.name, "title": lesson.title, "state": state})
        else:
            here.console.data(f"{number}  {lesson.name:<8} {state:<8} {lesson.title}")
