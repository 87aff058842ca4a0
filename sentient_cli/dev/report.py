"""What happens under ``sentient dev``, told to whoever shows it."""

from __future__ import annotations

from typing import Protocol, TypeAlias

import msgspec

from sentient_cli.dev.messages import Problem

__all__ = [
    "Broken",
    "DevEvent",
    "Listening",
    "Notice",
    "Output",
    "Ready",
    "Reloaded",
    "Reloading",
    "Reporter",
    "Retired",
    "RunEnded",
    "RunStarted",
    "Starting",
    "Stopping",
    "WorkerDied",
]


class Starting(msgspec.Struct, frozen=True):
    """The first generation is being loaded.

    Args:
        agent: How the user named the agent; None: it is being discovered.
    """

    agent: str | None


class Listening(msgspec.Struct, frozen=True):
    """Nothing is loaded that is good so far; the page answers, and says so too.

    Args:
        url: Where.
        inspect_url: The page, with the inspection token in its fragment.
    """

    url: str
    inspect_url: str


class Ready(msgspec.Struct, frozen=True):
    """The first good generation answers, at the URL.

    Args:
        url: Where.
        inspect_url: The page, with the inspection token in its fragment.
        agent: What it is called.
        generation: Its number.
        seconds: Since the command began, or since the save that has mended the code when that was broken at first.
        environment: The profile.
        env_file: The ``.env`` that was read; None: none.
        debugger: Where a debugger can attach; None: nowhere.
    """

    url: str
    inspect_url: str
    agent: str
    generation: int
    seconds: float
    environment: str
    env_file: str | None
    debugger: str | None = None


class Reloading(msgspec.Struct, frozen=True):
    """A generation is being loaded.

    Args:
        generation: Its number.
        changed: The files that changed, as paths for people; none when it was asked for.
    """

    generation: int
    changed: tuple[str, ...]


class Reloaded(msgspec.Struct, frozen=True):
    """A generation answers.

    Args:
        generation: Its number.
        seconds: From the first change to its promotion.
        changed: The files that changed.
        mended: Whether the generation before it was broken.
    """

    generation: int
    seconds: float
    changed: tuple[str, ...]
    mended: bool = False


class Broken(msgspec.Struct, frozen=True):
    """A generation could not be loaded; the last good one, if there is any, goes on answering.

    Args:
        generation: Its number.
        problem: Why.
        changed: The files that changed.
        serving: The generation that goes on answering; None: there is none.
    """

    generation: int
    problem: Problem
    changed: tuple[str, ...]
    serving: int | None


class RunStarted(msgspec.Struct, frozen=True):
    """A run has begun.

    Args:
        run: Its id.
        generation: Who answers.
        prompt: What was asked, in brief, without secrets.
    """

    run: str
    generation: int
    prompt: str


class RunEnded(msgspec.Struct, frozen=True):
    """A run has ended.

    Args:
        run: Its id.
        generation: Who answered.
        prompt: What was asked, in brief, without secrets.
        outcome: ``done``, ``error``, ``cancelled``, ``deadline``; ``lost`` when its process died.
        events: How many were sent; None: nobody counted.
        first_ms: Milliseconds to the first event; None: there was none, or nobody knows.
        total_ms: Milliseconds to the end.
        error: The text of its last error event.
    """

    run: str
    generation: int
    prompt: str
    outcome: str
    events: int | None
    first_ms: float | None
    total_ms: float
    error: str | None = None


class Output(msgspec.Struct, frozen=True):
    """What the agent's code wrote to a standard stream or to the log outside of a run.

    Args:
        generation: Whose.
        text: One line.
        level: ``stdout``, ``stderr``, or the level of a log record.
    """

    generation: int
    text: str
    level: str


class WorkerDied(msgspec.Struct, frozen=True):
    """The process of a generation ended that should not have.

    Args:
        generation: Its number.
        how: Such as ``killed by SIGKILL``.
        runs: How many of its runs were lost.
        problem: What that means, with the place in the code where that is known.
    """

    generation: int
    how: str
    runs: int
    problem: Problem | None = None


class Retired(msgspec.Struct, frozen=True):
    """A generation has finished its runs, and is gone.

    Args:
        generation: Its number.
        cancelled: How many of its runs were cancelled, so that old code does not pile up.
    """

    generation: int
    cancelled: int = 0


class Stopping(msgspec.Struct, frozen=True):
    """Everything is being ended.

    Args:
        runs: How many runs are cancelled for it.
    """

    runs: int


class Notice(msgspec.Struct, frozen=True):
    """Something that the user should know.

    Args:
        text: What.
        fix: What to do about it.
    """

    text: str
    fix: str = ""


DevEvent: TypeAlias = (
    Starting
    | Listening
    | Ready
    | Reloading
    | Reloaded
    | Broken
    | RunStarted
    | RunEnded
    | Output
    | WorkerDied
    | Retired
    | Stopping
    | Notice
)


class Reporter(Protocol):
    """Is told what happens, on the hub's event loop; must return at once."""

    def report(self, event: DevEvent) -> None:
        """Take one event."""
        ...
