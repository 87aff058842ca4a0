"""Links to files: what happens to the file happens to them."""

from __future__ import annotations

import os

__all__ = ["Links"]


class Links:
    """Which links lead to which file.

    Example:
        >>> links = Links()
        >>> links.put("/project/prompt.md", "/shared/prompt.md")
        >>> links.to("/shared/prompt.md"), links.to("/shared/other.md")
        (['/project/prompt.md'], [])
    """

    def __init__(self) -> None:
        self._targets: dict[str, str] = {}
        self._links: dict[str, set[str]] = {}

    def put(self, link: str, target: str) -> None:
        """A link leads to a file, and to no other any more."""
        self.drop(link)
        self._targets[link] = target
        self._links.setdefault(target, set()).add(link)

    def drop(self, link: str) -> None:
        """It is no link any more."""
        target = self._targets.pop(link, None)
        if target is not None:
            self._links[target].discard(link)
            if not self._links[target]:
                del self._links[target]

    def to(self, target: str) -> list[str]:
        """The links that lead to a file."""
        return sorted(self._links.get(target, ()))

    def all(self) -> list[str]:
        """Every link."""
        return list(self._targets)

    def follow(self, link: str) -> str | None:
        """Note where a link leads to now.

        Returns:
            The directory that its file is in, when it leads to another file than before.
        """
        target = os.path.realpath(link)
        if self._targets.get(link) == target:
            return None
        self.put(link, target)
        return os.path.dirname(target)
