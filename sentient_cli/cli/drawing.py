"""Rich's console, without its way to end the process."""

from __future__ import annotations

import rich.console
from typing_extensions import override

__all__ = ["RichConsole"]


class RichConsole(rich.console.Console):
    """Rich's console. When the reader has left it raises, where Rich exits with a code of its own."""

    @override
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError
