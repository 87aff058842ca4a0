"""Whether installed packages have changed: what was imported before is then no longer what is there."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final, TypeAlias

__all__ = ["Dependencies"]

_PACKAGES: Final = frozenset({"site-packages", "dist-packages"})

_State: TypeAlias = tuple[int, ...]


class Dependencies:
    """Looks at the directories that packages are installed in.

    Args:
        directories: Which; those of this interpreter unless given.

    Example:
        >>> Dependencies().settled_anew()
        False
    """

    def __init__(self, directories: Iterable[Path] | None = None) -> None:
        places = [Path(place) for place in sys.path if Path(place).name in _PACKAGES]
        self._directories = list(places if directories is None else directories)
        self._known = self._seen = self._look()

    def _look(self) -> _State:
        return tuple(map(_stamp, self._directories))

    def settled_anew(self) -> bool:
        """Whether something was installed or removed since this was last true, and nothing is being installed now.

        To be asked about once a second: an installation is over when two looks in a row see the same.
        """
        now = self._look()
        settled, self._seen = now == self._seen, now
        if not settled or now == self._known:
            return False
        self._known = now
        return True


def _stamp(directory: Path) -> int:
    try:
        return directory.stat().st_mtime_ns
    except OSError:
        return 0
