"""What the end of a worker's process means to whoever wrote its code."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from sentient_cli.dev.messages import Problem
from sentient_cli.dev.problems import excerpt
from sentient_cli.dev.processes.reaper import ending
from sentient_cli.redact import redactor
from sentient_cli.runtime.loading.frames import is_user_file

__all__ = ["Crash", "Place"]

_CODE: Final = "agent-crash"
_BY_SIGKILL: Final = -9
_BY_SIGABRT: Final = -6
_MEANINGS: Final = {
    -4: "it ran an instruction that this processor does not have",
    -6: "it was aborted",
    -7: "it used memory that is not there",
    -8: "it divided by zero in native code",
    -11: "it used memory that is not its own",
}
_MOST_PLACES: Final = 12
_LARGEST_FILE: Final = 4 << 20
_BY_REQUEST: Final = frozenset({-1, -2, -3, -15})
"""SIGHUP, SIGINT, SIGQUIT, SIGTERM: what somebody sends who wants a process to end."""


class Place(NamedTuple):
    """Where a process was.

    Args:
        file: The file.
        line: Which line of it, from 1.
        name: The function.
    """

    file: str
    line: int
    name: str


class Crash(msgspec.Struct, frozen=True):
    """The end of a process that should not have ended.

    Args:
        status: Its exit code; negative: the signal that killed it.
        places: Where it was, the innermost function first, as far as that is known.
        is_ours: Whether `dev` has killed it.
    """

    status: int
    places: tuple[Place, ...] = ()
    is_ours: bool = False

    @property
    def how(self) -> str:
        """How it ended, and where: ``killed by SIGSEGV at agent.py:6``, with the whole path."""
        place = self._own_place()
        return ending(self.status) if place is None else f"{ending(self.status)} at {place.file}:{place.line}"

    @property
    def meaning(self) -> str:
        """What a signal means; empty where there is nothing to explain."""
        meaning = "" if self.is_ours else _MEANINGS.get(self.status, "")
        return meaning[:1].upper() + meaning[1:]

    def at_work(self) -> Problem:
        """It ended while it answered, or waited for questions."""
        return self._problem("The agent's process ended", self._why(), self.fix)

    def while_loading(self) -> Problem:
        """It ended before its code was loaded."""
        return self._problem("The process ended while the agent was loaded", self._why(), self.fix)

    def again_and_again(self) -> Problem:
        """It ended for the last of many times."""
        fix = f"{self.fix}; it is started again with the next save" if self.fix else "Save to start it again"
        return self._problem("The agent's process ends again and again", self._why("The last one"), fix)

    def _problem(self, what: str, why: str, fix: str) -> Problem:
        frames = "\n".join(f"{place.file}:{place.line} in {place.name}" for place in self._own_places())
        place = self._own_place()
        if place is None:
            return Problem(_CODE, what, why, fix)
        code = excerpt(place.file, place.line) if _is_code(place.file) else None
        shown = None if code is None else redactor.redact(code)
        return Problem(_CODE, what, why, fix, redactor.redact(frames), place.file, place.line, shown)

    def _own_places(self) -> list[Place]:
        return [place for place in self.places if is_user_file(place.file)][:_MOST_PLACES]

    def _own_place(self) -> Place | None:
        return next(iter(self._own_places()), None)

    def _why(self, who: str = "It") -> str:
        if self.is_ours:
            return f"{who} was ended, since it said nothing any more, or what nobody understands"
        if self.status >= 0:
            return f"{who} ended with {ending(self.status)}"
        meaning = _MEANINGS.get(self.status)
        return f"{who} was {ending(self.status)}{f': {meaning}' if meaning else ''}"

    @property
    def fix(self) -> str:
        """What to do about it; empty where that is not known."""
        if self.is_ours:
            return ""
        if self.status == _BY_SIGKILL:
            return "Look at how much memory it takes: the system kills what takes too much"
        if self.status in _BY_REQUEST:
            return "Look for who sent it that signal: its own code (`os.kill`, `os.killpg`), or another program"
        if self.status == _BY_SIGABRT:
            return "Look at what it wrote last: `os.abort` or a native library found something wrong"
        if self.status < 0:
            return "Look at the native libraries that it uses there" if self.places else "Look at its native libraries"
        return "Look for `os._exit` and `os.exec…` in it, and at what it wrote last"


def _is_code(file: str) -> bool:
    """Whether a file can be read without a doubt: anybody may have written its name into a report."""
    try:
        found = Path(file).stat()
    except (OSError, ValueError):
        return False
    return file.endswith(".py") and stat.S_ISREG(found.st_mode) and found.st_size <= _LARGEST_FILE
