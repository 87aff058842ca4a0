"""How a lesson looks, and what a learner can type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sentient_cli.cli.wrapped import wrapped
from sentient_cli.errors import SentientError, UsageError
from sentient_cli.sanitize import sanitize_line
from sentient_cli.scaffold.learn.lessons import LESSONS, Lesson
from sentient_cli.scaffold.learn.progress import Progress, remember
from sentient_cli.scaffold.learn.running import COMMANDS, Shell
from sentient_cli.scaffold.learn.workspace import Workspace

if TYPE_CHECKING:
    from sentient_cli.cli.invocation import Invocation
    from sentient_cli.scaffold.learn.checks import Outcome

__all__ = ["look_once", "say_end", "walk"]

_HELP = "Enter: look whether it is done; h: hint; t: text; s: skip; q: leave"
_NEXT = "That was all. Next: `sentient --help`, your project's README, and `sentient create --help`."


def walk(here: Invocation, progress: Progress, lesson: Lesson | None) -> None:
    """Go through the lessons at a terminal, from one on, until the last or until the learner leaves.

    Args:
        here: The invocation.
        progress: How far the learner is.
        lesson: Where to begin.
    """
    workspace = Workspace(progress.base, here.environment)
    with Shell(workspace).open() as shell:
        while lesson is not None:
            _show(here, lesson, workspace)
            after = _attempt(here, lesson, workspace, shell, progress)
            if after is None:
                here.console.say("See you: `sentient learn` goes on here.")
                return
            progress = after
            remember(progress)
            lesson = progress.next
    say_end(here)


def look_once(here: Invocation, progress: Progress, lesson: Lesson) -> bool:
    """Show a lesson and look once whether it was done; for those who cannot be asked.

    Returns:
        Whether it was.
    """
    workspace = Workspace(progress.base, here.environment)
    outcome = lesson.check(workspace)
    after = progress.with_done(lesson) if outcome.done else progress
    remember(after)
    if here.console.json:
        following = after.next
        told = {"lesson": lesson.name, "title": lesson.title, "text": _text(lesson, workspace), "done": outcome.done}
        told |= {"said": _safe(outcome.said), "next": following.name if following else None}
        here.console.json_line(told)
        return outcome.done
    _show(here, lesson, workspace)
    _tell(here, outcome)
    if outcome.done and after.next is None:
        say_end(here)
    return outcome.done


def say_end(here: Invocation) -> None:
    """Say that there are no more lessons."""
    if here.console.json:
        here.console.json_line({"lesson": None, "done": True})
    else:
        here.console.data(_NEXT)


def _attempt(
    here: Invocation, lesson: Lesson, workspace: Workspace, shell: Shell, progress: Progress
) -> Progress | None:
    """What became of a lesson; None when the learner leaves."""
    _say(here, f"({_HELP})")
    while True:
        try:
            line = here.console.ask(f"{lesson.name} >", flag="--step").strip()
        except UsageError:
            return None  # the input ended
        match line.lower():
            case "":
                outcome = lesson.check(workspace)
                _tell(here, outcome)
                _tell_news(here, shell)
                if outcome.done:
                    return progress.with_done(lesson)
            case "s" | "skip":
                return progress.with_skipped(lesson)
            case "q" | "quit" | "exit":
                return None
            case "h" | "hint":
                _say(here, _filled(lesson.hint, workspace))
            case "t" | "text":
                _show(here, lesson, workspace)
            case _:
                _run(here, line, shell)
                _tell_news(here, shell)


def _run(here: Invocation, line: str, shell: Shell) -> None:
    line = line.removeprefix("$").strip()
    if line.partition(" ")[0] not in COMMANDS:
        _say(here, f"Only {', '.join(COMMANDS)} run here; others belong into another terminal.")
        _say(here, f"({_HELP})")
        return
    here.console.flush()
    try:
        _show_said(here, shell.run(line).splitlines())
    except (SentientError, OSError) as error:
        here.console.say(_safe(str(error)))


def _say(here: Invocation, text: str) -> None:
    here.console.say(wrapped(here.console, text))


def _tell_news(here: Invocation, shell: Shell) -> None:
    """What the program behind has said meanwhile."""
    if not here.console.quiet:
        _show_said(here, shell.news(), style="dim")


def _show_said(here: Invocation, lines: list[str], *, style: str = "") -> None:
    """What a program has said. It has masked its secrets itself; the token in the link to its page is to be there."""
    from rich.text import Text

    for line in [] if here.console.quiet else lines:
        here.console.rich(stderr=True).print(Text(sanitize_line(line), style=style), soft_wrap=True)


def _tell(here: Invocation, outcome: Outcome) -> None:
    from rich.text import Text

    if here.console.quiet:
        return
    console = here.console.rich(stderr=True)
    head = ("Done: ", "green") if outcome.done else ("Not yet: ", "yellow")
    text = Text.assemble(head, _safe(outcome.said).removesuffix(".") + ".")
    for line in text.wrap(console, console.width):
        line.rstrip()
        console.print(line, soft_wrap=True)
    for detail in _safe(outcome.detail).splitlines():
        console.print(Text(f"  {detail}", style="dim"), soft_wrap=True)


def _filled(text: str, workspace: Workspace) -> str:
    fields = workspace.fields()
    module = fields["agent"].removeprefix("src/").removesuffix(".py").replace("/", ".")
    return text.format(**fields, module=module)


def _text(lesson: Lesson, workspace: Workspace) -> str:
    return _safe(_filled(lesson.text, workspace))


def _safe(text: str) -> str:
    return "\n".join(sanitize_line(line) for line in text.splitlines())


def _paragraphs(text: str) -> list[str]:
    """The lines of a text, with those of a paragraph as one; commands and code keep theirs."""
    found: list[str] = []
    for line in text.splitlines():
        goes_on = found and _is_prose(found[-1]) and _is_prose(line)
        found[-1:] = [f"{found[-1]} {line}"] if goes_on else [*found[-1:], line]
    return found


def _is_prose(line: str) -> bool:
    return line != "" and not line.startswith(("$ ", "    "))


def _show(here: Invocation, lesson: Lesson, workspace: Workspace) -> None:
    from rich.text import Text

    console = here.console.rich()
    console.print()
    console.print(Text(f"{LESSONS.index(lesson) + 1} of {len(LESSONS)}  {lesson.title}", style="bold"))
    console.print()
    for line in _paragraphs(_text(lesson, workspace)):
        if line.startswith("$ "):
            console.print(Text(f"  {line[2:]}", style="cyan"), soft_wrap=True)
        elif line.startswith("    "):
            console.print(Text(line, style="green"), soft_wrap=True)
        else:
            for part in Text(line).wrap(console, console.width):
                part.rstrip()
                console.print(part, soft_wrap=True)
    console.print()
    here.console.flush()
