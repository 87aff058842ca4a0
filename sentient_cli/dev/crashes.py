"""What the end of a worker's process means to whoever wrote its code."""

from __future__ import annotations

from typing import Final

import msgspec

from sentient_cli.dev.messages import Problem
from sentient_cli.dev.processes.reaper import ending

__all__ = ["Crash"]

_CODE: Final = "agent-crash"
_BY_SIGKILL: Final = -9
_BY_SIGABRT: Final = -6
_BY_REQUEST: Final = frozenset({-1, -2, -3, -15})
"""SIGHUP, SIGINT, SIGQUIT, SIGTERM: what somebody sends who wants a process to end."""


class Crash(msgspec.Struct, frozen=True):
    """The end of a process that should not have ended.

    Args:
        status: Its exit code; negative: the signal that killed it.
    """

    status: int

    def while_loading(self) -> Problem:
        """It ended before its code was loaded."""
        return Problem(
            _CODE,
            "The process ended while the agent was loaded",
            why=f"It ended with {ending(self.status)}" if self.status >= 0 else f"It was {ending(self.status)}",
            fix=self._fix(),
        )

    def again_and_again(self) -> Problem:
        """It ended for the last of many times."""
        return Problem(
            _CODE,
            "The agent's process ends again and again",
            why=f"The last one ended with {ending(self.status)}" if self.status >= 0 else ending(self.status),
            fix=f"{self._fix()}; it is started again with the next save",
        )

    def _fix(self) -> str:
        if self.status == _BY_SIGKILL:
            return "Look at how much memory it takes: the system kills what takes too much"
        if self.status in _BY_REQUEST:
            return "Look for who sent it that signal: its own code (`os.kill`, `os.killpg`), or another program"
        if self.status == _BY_SIGABRT:
            return "Look at what it wrote last: `os.abort` or a native library found something wrong"
        if self.status < 0:
            return "Look at the native libraries that it uses"
        return "Look for `os._exit` and `os.exec…` in it, and at what it wrote last"
