"""The process that loads an agent for `check_agent`: it reads where from stdin and says what it found on stdout."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, cast

from sentient_cli.errors import AgentNotFoundError, SentientError
from sentient_cli.scaffold.doctor.finding import Finding

if TYPE_CHECKING:
    from sentient_cli.config import Loaded

__all__ = ["main"]

_MARK = "sentient-doctor "


def main() -> None:
    """Load, and say what was found."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as told:
        os.dup2(2, 1)  # what the user's code prints is not what we say
        wanted = cast("dict[str, str | None]", json.load(sys.stdin))
        sys.stdin = io.StringIO()
        found = [asdict(finding) for finding in _look(Path(wanted["project"] or ""), wanted["profile"])]
        told.write(_MARK + json.dumps(found))


def _look(start: Path, profile: str | None) -> Iterator[Finding]:
    from sentient_cli.config import export_environment, load

    loaded = load(project=start, profile=profile)
    export_environment(loaded.environment)
    yield _model(loaded)
    yield _agent(loaded, start)


def _model(loaded: Loaded) -> Finding:
    from sentient_cli.clock import SystemClock, SystemIds
    from sentient_cli.host.compose import build_llm

    clock, settings = SystemClock(), loaded.settings
    try:
        manager = build_llm(
            settings.llm, clock, SystemIds(clock), environment=loaded.environment, profile=settings.profile
        )
        manager.check_default()
        provider, model = manager.resolve()
    except SentientError as error:
        return _failure("model", error)
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
