"""The lessons, as data: a text, and a check that looks whether it was done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sentient_cli.scaffold.learn import checks
from sentient_cli.scaffold.learn.checks import Outcome
from sentient_cli.scaffold.learn.workspace import Workspace

__all__ = ["LESSONS", "Lesson", "find_lesson"]


@dataclass(frozen=True, slots=True)
class Lesson:
    """One lesson.

    Args:
        name: What it is called.
        title: Its heading.
        text: What to do, with ``{project}``, ``{agent}``, ``{url}`` and ``{base}``; lines that begin with ``$`` are
            commands.
        hint: More help.
        check: Looks whether it was done.
    """

    name: str
    title: str
    text: str
    hint: str
    check: Callable[[Workspace], Outcome]


LESSONS: tuple[Lesson, ...] = (
    Lesson(
        "create",
        "Make a project",
        """One command makes a small real project: an agent, its tests, its settings. It needs no key and no network.

$ sentient create {project} --template basic

It installs what the project needs and runs its tests, which takes a minute. `--no-install` leaves that out.""",
        "Type the command right here. Press Enter at each question to take what it suggests, or add `--yes`.",
        checks.created,
    ),
    Lesson(
        "talk",
        "Talk to your agent",
        """Serve it, and ask it something. `&` at the end keeps it running while you go on.

$ sentient serve &
$ sentient chat {url} -m "What can you do?"

It answers as the offline model, which is part of this program, does as it is told in answers.toml.""",
        "If the port is taken, choose another in {project}/sentient.toml: `port = 8100` under [server].",
        checks.talked,
    ),
    Lesson(
        "edit",
        "Change what it says",
        """The offline model says what {project}/answers.toml tells it to. Open it in your editor, and add at its end:

    [[rule]]
    match = '(?i)who are you'
    answer = "I am all yours."

A server reads its files when it starts, so start it anew, and ask:

$ sentient serve &
$ sentient chat {url} -m "Who are you?\"""",
        "The answer is yours to choose. A message about a line that is not understood: look at the quotes.",
        checks.edited,
    ),
    Lesson(
        "tool",
        "Give it a tool",
        '''A tool is a function that your agent calls. Write this one into {project}/{agent}, above `assistant`:

    def count_words(text: str) -> int:
        """How many words a text has."""
        return len(text.split())

and let `assistant` use it, right before its `try:`. What it finds is an event of its own:

    if question.startswith("Count"):
        await response.json("TOOL", {{"words": count_words(question)}})

Start the server anew and look at the events:

$ sentient serve &
$ sentient chat {url} -m "Count these four words" --json''',
        "The line with `if` begins as far right as `try:`, four spaces. If the server does not start, it says why.",
        checks.has_tool,
    ),
    Lesson(
        "test",
        "Write a test",
        """Tests run the agent without a server, on a model that says what you want. Write {project}/tests/test_tool.py:

    from sentient_cli.testing import run_agent_sync, scripted_llm

    from {module} import assistant


    def test_words_are_counted() -> None:
        run = run_agent_sync(assistant, "Count these four words", llm=scripted_llm({{"Count": "Done."}}))
        assert run.json("TOOL") == {{"words": 4}}

$ pytest""",
        "Files and functions of tests have names that begin with `test_`. Break the tool once: the test notices.",
        checks.tested,
    ),
)
"""In the order in which they are learnt."""


def find_lesson(name: str) -> Lesson | None:
    """The lesson of a name, or of its number counted from 1.

    Example:
        >>> [lesson.name for key in ("talk", "1") if (lesson := find_lesson(key))]
        ['talk', 'create']
    """
    if name.isdecimal() and 1 <= int(name) <= len(LESSONS):
        return LESSONS[int(name) - 1]
    return next((lesson for lesson in LESSONS if lesson.name == name), None)
