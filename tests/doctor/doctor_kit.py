"""One check of the doctor, in surroundings of a test's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sentient_cli.scaffold.doctor.diagnosis import CHECKS, look_around
from sentient_cli.scaffold.doctor.finding import Finding, Terminal

__all__ = ["TERMINAL", "check", "one"]

TERMINAL = Terminal("utf-8", reads=True, draws=True, color=True, columns=80)


def check(
    name: str,
    environment: Mapping[str, str] | None = None,
    *,
    terminal: Terminal = TERMINAL,
    online: tuple[str, ...] = (),
    project: Path | None = None,
) -> list[Finding]:
    """What one check finds; the variables given are those of the process and these over them."""
    here = look_around(
        environment={**os.environ, **(environment or {})}, terminal=terminal, online=online, project=project
    )
    (row,) = [row for row in CHECKS if row.name == name]
    return list(row.run(here))


def one(name: str, environment: Mapping[str, str] | None = None) -> Finding:
    """The only finding of a check."""
    (found,) = check(name, environment)
    return found
