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
        text: What to do, with ``{project}``, ``{agent}``, ``{module}`` and ``{base}``; lines that begin with ``$`` are
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
        """Serve it while you write it, and ask it something. `&` at the end keeps it running while you go on.

$ sentient dev &
$ sentient chat -m "What can you do?"

It answers as the offline model, which is part of this program, does as it is told in answers.toml. The link behind
`Page` opens a chat in your browser that shows everything that happens.""",
        "`sentient chat` finds the server of the project by itself. Where the port is taken, the next one is used.",
        checks.talked,
    ),
    Lesson(
        "edit",
        "Change what it says",
        """The offline model says what {project}/answers.toml tells it to. Open it in your editor, add this at its end,
and save. Leave the server running.

    [[rule]]
    match = '(?i)who are you'
    answer = "I am all yours.\"""",
        "The answer is yours to choose. A message about a line that is not understood: look at the quotes.",
        checks.edited,
    ),
    Lesson(
        "reload",
        "See it reload",
        """`sentient dev` has noticed the save, and the new words are live:

$ sentient chat -m "Who are you?"

Now break it: take away the last quote in {project}/answers.toml, and save. The server says what is wrong, and where;
what you saved before goes on answering. Ask again. Then mend it, perhaps with another answer, and save.

Each save that loads is a generation. An answer that is under way ends on the one that it began with.""",
        "If the server does not run: `sentient dev &`. Then change the answer and save: it is loaded anew.",
        checks.reloaded,
    ),
    Lesson(
        "tool",
        "Give it a tool",
        '''A tool is a typed function that the model may call. Write this one into {project}/{agent}, above `@agent`:

    @tool
    def count_words(text: str) -> int:
        """Count the words of a text."""
        return len(text.split())

`tool` comes from `sentient_cli`: add it to the line at the top that imports `agent`. Then offer the tool to the model:
in `assistant`, the line with `llm.stream` becomes

    await response.stream_llm(ANSWER, llm.stream_tools(conversation(session, question), [count_words]))

Save. The offline model calls a tool that a question names:

$ sentient chat -m 'count_words text="Count these four words"\'''',
        "The line with `await` begins where it did, behind eight spaces. What does not load, the server explains.",
        checks.has_tool,
    ),
    Lesson(
        "test",
        "Write a test",
        """Tests run the agent without a server, on the offline model or one that says what you want. Write
{project}/tests/test_tool.py:

    from sentient_cli.testing import run_agent_sync

    from {module} import assistant, count_words


    def test_words_are_counted() -> None:
        assert count_words("Count these four words") == 4


    def test_the_model_uses_the_tool() -> None:
        run = run_agent_sync(assistant, 'count_words text="one two"')
        assert run.text().endswith("gave: 2")

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
