"""What a check found, and what it may look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sentient_cli.config import Loaded
    from sentient_cli.errors import SentientError

__all__ = ["Check", "Finding", "Status", "Surroundings", "Terminal"]

Status = Literal["ok", "warn", "fail", "skip"]
"""``warn``: works, and probably not as meant. ``fail``: does not work. ``skip``: not needed, or not looked at."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Args:
        name: What was looked at.
        status: How it is.
        what: What was found, one or two sentences without a final full stop.
        fix: What to do about it, an instruction; empty when there is nothing to do.
        detail: Longer material, such as the frames of the user's own code.
        area: The heading that it stands under.
    """

    name: str
    status: Status
    what: str
    fix: str = ""
    detail: str = ""
    area: str = ""


@dataclass(frozen=True, slots=True)
class Terminal:
    """The terminal of the command.

    Args:
        encoding: Of stdout; None without one.
        reads: Whether stdin is a terminal.
        draws: Whether stdout is a terminal.
        color: Whether colours are used.
        columns: Its width.
    """

    encoding: str | None
    reads: bool
    draws: bool
    color: bool
    columns: int


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the checks look at.

    Args:
        environment: The variables of the process.
        start: The directory of ``--project``, or the current one.
        terminal: The terminal.
        settings: The settings with their places; None when they cannot be loaded.
        fault: Why they cannot.
        profile: The value of ``--profile``.
        online: Addresses to reach; nothing is contacted without one.
        env_file: A file of variables in the place of the project's ``.env``.
        use_env_file: Whether one is read at all.
    """

    environment: Mapping[str, str]
    start: Path
    terminal: Terminal
    settings: Loaded | None = None
    fault: SentientError | None = None
    profile: str | None = None
    online: tuple[str, ...] = ()
    env_file: Path | None = None
    use_env_file: bool = True

    @property
    def project(self) -> Path:
        """The directory of the project, or the one where one was looked for."""
        return (self.settings.project_dir if self.settings else None) or self.start


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Args:
        area: The heading for what it finds.
        name: What it looks at.
        run: Looks.
    """

    area: str
    name: str
    run: Callable[[Surroundings], Iterable[Finding]]
