"""The process that loads an agent for `check_agent`: it reads where from stdin and says what it found on stdout."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sentient_cli.errors import AgentNotFoundError, SentientError
from sentient_cli.scaffold.doctor.finding import Finding

if TYPE_CHECKING:
    from sentient_cli.config import Loaded

__all__ = ["Wanted", "main"]

_MARK = "sentient-doctor "


class Wanted(msgspec.Struct, frozen=True):
    """What is to be loaded.

    Args:
        project: The directory of ``--project``, or the current one.
        profile: The value of ``--profile``.
        env_file: A file of variables in the place of the project's ``.env``.
        use_env_file: Whether one is read at all.
    """

    project: str
    profile: str | None
    env_file: str | None
    use_env_file: bool


def main() -> None:
    """Load, and say what was found."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as told:
        os.dup2(2, 1)  # what the user's code prints is not what we say
        wanted = msgspec.json.decode(sys.stdin.read(), type=Wanted)
        sys.stdin = io.StringIO()
        found = [asdict(finding) for finding in _look(wanted)]
        told.write(_MARK + json.dumps(found))


def _look(wanted: Wanted) -> Iterator[Finding]:
    from sentient_cli.config import export_environment, load

    start, env_file = Path(wanted.project), Path(wanted.env_file) if wanted.env_file else None
    loaded = load(project=start, profile=wanted.profile, env_file=env_file, use_env_file=wanted.use_env_file)
    export_environment(loaded.environment)
    yield _model(loaded)
    yield _agent(loaded, start)


def _model(loaded: Loaded) -> Finding:
    from sentient_cli.clock import SystemClock, SystemIds
    from sentient_cli.host.key_stores import stored_keys
    from sentient_cli.host.llm import build_llm
    from sentient_cli.host.llm_endings import ending_of

    clock, settings = SystemClock(), loaded.settings
    try:
        manager = build_llm(
            settings.llm,
            clock,
            SystemIds(clock),
            environment=loaded.environment,
            profile=settings.profile,
            stores=stored_keys(settings, environment=loaded.environment, project=loaded.project_dir),
        )
        manager.check_default()
        provider, model = manager.resolve()
    except SentientError as error:
        return _failure("model", error)
    if day := ending_of(manager.prices.kind(provider.provider_id), model):
        what = f"{provider.provider_id}:{model} answers no more from {day} on, says its vendor"
        return Finding("model", "warn", what, "Choose another one: `sentient models` has the day of the end of each")
    script = f", script {settings.llm.script}" if settings.llm.script else ""
    return Finding("model", "ok", f"{provider.provider_id}:{model}{script}")


def _agent(loaded: Loaded, start: Path) -> Finding:
    from sentient_cli.compat import load_agent

    try:
        found = load_agent(loaded.settings.agent, project_dir=loaded.project_dir or start)
    except AgentNotFoundError as error:
        if loaded.settings.agent is None and loaded.project_file is None:
            return Finding("agent", "skip", error.what)
        return _failure("agent", error)
    except SentientError as error:
        return _failure("agent", error)
    return Finding("agent", "ok", f"{found.name}, {found.target}")


def _failure(name: str, error: SentientError) -> Finding:
    what = f"{error.what}. {error.why}" if error.why else error.what
    return Finding(name, "fail", what.rstrip("."), error.fix, error.detail)


if __name__ == "__main__":
    main()
