"""What a generation has imported: the user's own files, to be watched, and installed modules, to be preloaded."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path

from sentient_cli.runtime.loading.frames import is_user_file

__all__ = ["Imports"]

_OURS = frozenset({"sentient_cli", "sentient_agent_framework"})


class Imports:
    """Tells what was imported since it was made, or was asked last.

    Args:
        base: Top-level modules that this package needs itself, which nobody has to be told of.
    """

    def __init__(self, base: Collection[str] = ()) -> None:
        self._base = frozenset(base) | sys.stdlib_module_names | _OURS
        self._known = set(sys.modules)

    def fresh(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The files of the user's own modules, absolute, and the names of installed modules."""
        new = set(sys.modules) - self._known
        self._known |= new
        files: set[str] = set()
        installed: list[str] = []
        for name in new:
            file = getattr(sys.modules.get(name), "__file__", None)
            if not isinstance(file, str):
                continue
            if is_user_file(file):
                files.add(str(Path(file).resolve()))
            elif name.partition(".")[0] not in self._base:
                installed.append(name)
        return tuple(sorted(files)), tuple(sorted(installed))
