"""What the learner's `sentient dev` says of itself: where it answers, and with which save."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from sentient_cli.config.discovery import find
from sentient_cli.errors import NetworkError

__all__ = ["Standing", "look_again", "served_at", "standing"]

_SECONDS = 20.0
_ON_ITS_WAY = 3.0
"""Seconds after a save in which it may not have been noticed yet."""
_OFTEN = 0.1


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand.

    Args:
        generation: Which save answers, counted from 1; None while there is no agent.
        loading: Whether a later one is being loaded.
        problem: What keeps the last save from being loaded; empty when nothing does.
        place: Where that is, as file and line; may be empty.
    """

    generation: int | None
    loading: bool
    problem: str = ""
    place: str = ""


def served_at(project: Path) -> str | None:
    """The address of the project's `sentient dev`; None when none runs."""
    found = find(project)
    return found[0].url if found else None


def standing(project: Path) -> Standing:
    """Ask the project's `sentient dev` how things stand.

    Raises:
        NetworkError: none runs, or it does not say.
    """
    import httpx

    found = find(project)
    if not found or found[0].token_file is None:
        raise NetworkError(f"`sentient dev` does not run in {project.name}", fix="Start it with `sentient dev &`")
    server = found[0]
    try:
        token = found[0].token_file.read_text("ascii")
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(timeout=_SECONDS, trust_env=False, verify=False) as client:  # noqa: S501 - it speaks no TLS
            answer = client.get(f"{server.url}/_sentient/state", headers=headers)
        return _standing(answer.raise_for_status().json(), project)
    except (OSError, ValueError, httpx.HTTPError) as error:
        raise NetworkError(f"`sentient dev` on {server.url} does not say how things stand", why=str(error)) from error


def _standing(told: object, project: Path) -> Standing:
    if not isinstance(told, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - what was said is wrong, and not a type of ours
    state = cast("dict[str, object]", told)
    generation, fault = state.get("generation"), state.get("error")
    problem = place = ""
    if isinstance(fault, dict):
        known = cast("dict[str, object]", fault)
        what, why, file = (str(known.get(name) or "") for name in ("what", "why", "file"))
        problem = f"{what}: {why}" if why else what
        place = f"{_below(file, project)}:{known.get('line')}" if file else ""
    number = generation if isinstance(generation, int) else None
    return Standing(number, state.get("loading") is not None, problem, place)


def _below(file: str, project: Path) -> str:
    path = Path(file)
    return str(path.relative_to(project)) if path.is_relative_to(project) else file


def look_again(project: Path, file: Path, look: Callable[[], bool]) -> bool:
    """Look until something is so, as long as the save of a file may be on its way into the server.

    Args:
        project: The directory of the project.
        file: What was saved.
        look: Whether it is so.

    Returns:
        Whether it was so in the end.

    Raises:
        NetworkError: the server does not say how things stand.
    """
    until = time.monotonic() + _SECONDS
    while True:
        before = standing(project) if find(project) else None
        if look():
            return True
        if before is None or not _arrives(project, file, before, until):
            return False


def _arrives(project: Path, file: Path, before: Standing, until: float) -> bool:
    """Wait for a save as long as one may come; whether one came."""
    while time.monotonic() < until:
        now = standing(project)
        if (now.generation, now.problem) != (before.generation, before.problem):
            return True
        if not now.loading and not 0 <= time.time() - file.stat().st_mtime < _ON_ITS_WAY:
            return False
        time.sleep(_OFTEN)
    return False
