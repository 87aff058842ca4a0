"""The secrets in the file of variables, which may be others with each save, and are masked in what code prints."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from sentient_cli.config.envfile import ENV_FILE, read_env_file
from sentient_cli.dev.watching import stamps
from sentient_cli.errors import SentientError
from sentient_cli.redact import redactor

if TYPE_CHECKING:
    from sentient_cli.dev.assignment import Assignment

__all__ = ["Variables"]

_NOTHING: Final = -1


class Variables:
    """What a generation finds in the file of variables.

    Args:
        assignment: Says which file that is.
    """

    def __init__(self, assignment: Assignment) -> None:
        self._path = (assignment.env_file or assignment.home / ENV_FILE) if assignment.use_env_file else None
        self._stamp = _NOTHING

    def learn(self) -> None:
        """Have the secrets masked that it holds now; costs next to nothing where it is as it was."""
        found = stamps.status(str(self._path), follow=True) if self._path is not None else None
        if self._path is None or found is None:
            return
        before, self._stamp = self._stamp, stamps.stamp(found)
        if self._stamp == before != stamps.UNSETTLED:
            return
        with contextlib.suppress(SentientError):  # whoever loads the code says what is wrong with it
            redactor.register_environment(read_env_file(self._path))
