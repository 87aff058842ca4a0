"""What is lost when a worker's process ends that should not have: told, recorded, and kept for the page."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Final

from msgspec.structs import asdict

from sentient_cli.config.names import readable
from sentient_cli.dev import report
from sentient_cli.dev.crashes import Crash
from sentient_cli.dev.processes.reaper import ending
from sentient_cli.redact import redactor

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from sentient_cli.dev.members import Member
    from sentient_cli.dev.parts import Records
    from sentient_cli.dev.report import Reporter

__all__ = ["Losses"]

_NAMED: Final = 100


class Losses:
    """Knows of the processes that have ended, and of the runs that ended with them.

    Args:
        reporter: Is told.
        records: Keeps what there is of these runs.
        home: The project's directory; on the page, paths below it are shown from there.
    """

    def __init__(self, reporter: Reporter, records: Records, home: Path) -> None:
        self.last: dict[str, object] | None = None
        """The last crash, as a JSON object."""
        self._reporter = reporter
        self._records = records
        self._project = f"{home}{os.sep}"
        self._number = 0

    def part(self, member: Member, status: int, *, stopping: bool) -> list[socket.socket]:
        """Bring the answers to an end that a process, which is no more, has left open.

        Args:
            member: It.
            status: What it ended with.
            stopping: Whether everything ends.

        Returns:
            Connections of which nobody has read anything.
        """
        if not member.keeps:
            return []
        from sentient_cli.dev.last_words import LastWords  # noqa: PLC0415 - for few

        why = "The server is shutting down" if stopping else member.told_to_cancel
        if why is not None:
            return member.part(LastWords(why, is_crash=False))
        crash = _crash(member, status)
        told = ". ".join(filter(None, (f"The agent's process ended: {crash.how}", crash.meaning, crash.fix)))
        return member.part(LastWords(redactor.redact(self._readable(told)), is_crash=True))

    def _readable(self, text: str) -> str:
        return readable(text).replace(readable(self._project), "")

    def take(self, member: Member, status: int) -> Crash:
        """Take what a process leaves: its runs are lost."""
        crash = _crash(member, status)
        self._records.abandon(member.runs.values(), member.ended)
        for run, begun in member.runs.items():
            total = max(0.0, (time.time_ns() - begun.at) / 1e6)
            said = f"Its process ended: {crash.how}"
            ended = report.RunEnded(run, member.generation, begun.prompt, "lost", None, None, total, said)
            self._reporter.report(ended)
        return crash

    def tell(self, member: Member, crash: Crash) -> None:
        """Tell of a process that has answered, or could have."""
        problem, lost = crash.at_work(), len(member.runs)
        self._number += 1
        self.last = {
            "number": self._number,
            "at": time.time_ns() // 1_000_000,
            "generation": member.generation,
            "how": self._readable(crash.how),
            "runs": list(member.runs)[:_NAMED],
            **{name: readable(value) if isinstance(value, str) else value for name, value in asdict(problem).items()},
        }
        self._reporter.report(report.WorkerDied(member.generation, ending(crash.status), lost, problem))
        self._records.changed()


def _crash(member: Member, status: int) -> Crash:
    return Crash(status, member.crashed_at, member.is_given_up and status == -signal.SIGKILL)
