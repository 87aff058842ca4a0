"""How things stand, for the page and for tools."""

from __future__ import annotations

import sentient_cli
from sentient_cli.dev.assignment import Assignment
from sentient_cli.dev.generations import Generations
from sentient_cli.dev.messages import Problem

__all__ = ["standing"]


def standing(
    generations: Generations,
    problem: Problem | None,
    agent: str | None,
    assignment: Assignment,
    seconds: float | None = None,
) -> dict[str, object]:
    """Where a hub stands, as a JSON object.

    Args:
        generations: Who answers, and what is broken.
        problem: Why that is broken.
        agent: What the agent is called, once that is known.
        assignment: Whose code it is.
        seconds: From the first change to the promotion of the current generation.
    """
    broken = generations.broken
    status = "broken" if broken is not None else "loading" if generations.current is None else "ready"
    error: dict[str, object] | None = None
    if problem is not None and broken is not None:
        fields = {name: getattr(problem, name) for name in problem.__struct_fields__}
        error = {"generation": broken, **fields}
    return {
        "agent": agent,
        "generation": generations.current,
        "status": status,
        "error": error,
        "project": assignment.home.name,
        "environment": assignment.profile or "default",
        "version": sentient_cli.__version__,
        "url": assignment.url,
        "seconds": seconds,
        "loading": generations.loading,
    }
