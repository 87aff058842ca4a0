"""How things stand, for the page and for tools."""

from __future__ import annotations

from msgspec.structs import asdict

import sentient_cli
from sentient_cli.config.names import readable
from sentient_cli.dev.assignment import Assignment
from sentient_cli.dev.generations import Generations
from sentient_cli.dev.messages import Problem

__all__ = ["standing"]


def standing(
    generations: Generations,
    problem: Problem | None,
    agent: str | None,
    assignment: Assignment,
    *,
    profile: str,
    seconds: float | None = None,
) -> dict[str, object]:
    """Where a hub stands, as a JSON object.

    Args:
        generations: Who answers, and what is broken.
        problem: Why that is broken.
        agent: What the agent is called, once that is known.
        assignment: Whose code it is.
        profile: That of the settings that were loaded last.
        seconds: From the first change to the promotion of the current generation.
    """
    broken = generations.broken
    status = "broken" if broken is not None else "loading" if generations.current is None else "ready"
    error: dict[str, object] | None = None
    if problem is not None and broken is not None:
        fields: dict[str, object] = asdict(problem)
        error = {"generation": broken, **{name: _text(value) for name, value in fields.items()}}
    return {
        "agent": agent,
        "generation": generations.current,
        "status": status,
        "error": error,
        "project": readable(assignment.home.name),
        "environment": profile,
        "version": sentient_cli.__version__,
        "url": assignment.url,
        "seconds": seconds,
        "loading": generations.loading,
    }


def _text(value: object) -> object:
    return readable(value) if isinstance(value, str) else value
