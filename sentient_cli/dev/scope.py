"""Which files a running `sentient dev` looks at."""

from __future__ import annotations

import fnmatch
import os
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from sentient_cli.config import DevSettings

__all__ = ["IGNORED", "INCLUDED", "Scope"]

INCLUDED: Final = (
    *("*.py", "*.pyi", "*.toml", ".env", ".env.*", "*.env"),
    *("*.md", "*.txt", "*.prompt", "*.j2", "*.jinja", "*.jinja2", "*.tmpl", "*.tpl", "*.mustache", "*.html", "*.xml"),
    *("*.yaml", "*.yml", "*.json"),
)
"""The files that matter wherever they are: code, settings, prompts and templates. What agents write as they run (`.csv`,
`.jsonl`, `.log`, `.db`) is not among them, or each run would bring new code."""

IGNORED: Final = (
    *(".git", ".hg", ".svn", ".jj"),
    *(".venv", "venv", "node_modules", "site-packages", "__pypackages__", "*.egg-info", ".eggs", ".tox", ".nox"),
    *("__pycache__", "*_cache", ".cache", ".hypothesis", ".ipynb_checkpoints", ".sentient", ".idea", ".vscode"),
    *("*.pyc", "*.pyo", "*~", ".#*", "#*#", ".*.sw?", ".*.sw??", "*.swp", "*.bak", "*.orig", "*.rej", "*.tmp", "*.temp"),
    *("*.tmp.*", ".goutputstream-*", "*___jb_tmp___", "*___jb_old___", "*.part", "*.crswap", ".nfs*", ".fuse_hidden*"),
)
"""Files and directories that never matter, beside every directory that is a virtual environment."""


class Scope:
    """Decides which paths matter.

    A pattern without a slash is about the name of a file or a directory, wherever it is; one with a slash is about the path
    from the root that it lies in. What a directory that does not matter holds does not matter either.

    Args:
        project: The project's directory.
        extra: More directories and files. A file that is named here matters whatever it is called.
        include: Patterns of files, beside `INCLUDED`.
        ignore: Patterns of files and directories, beside `IGNORED`.

    Example:
        >>> from pathlib import Path
        >>> scope = Scope(Path("/project"), include=["*.csv"], ignore=["notes", "data/*.json"])
        >>> [scope.matters(f"/project/{name}") for name in ("agent.py", "a/b.csv", ".env.local", "prompts/system.md")]
        [True, True, True, True]
        >>> [scope.matters(f"/project/{name}") for name in ("notes/a.py", "data/a.json", ".venv/a.py", "a.pyc", "out.log")]
        [False, False, False, False, False]
    """

    def __init__(
        self, project: Path, *, extra: Sequence[Path] = (), include: Iterable[str] = (), ignore: Iterable[str] = ()
    ) -> None:
        self.roots: tuple[str, ...] = tuple(dict.fromkeys(os.path.abspath(path) for path in (project, *extra)))
        self._wanted_names, self._wanted_paths = _patterns([*INCLUDED, *include])
        self._ignored_names, self._ignored_paths = _patterns([*IGNORED, *ignore])

    @classmethod
    def of(cls, project: Path, settings: DevSettings) -> Scope:
        """The scope that the settings describe."""
        return cls(project, extra=settings.watch, include=settings.include, ignore=settings.ignore)

    def wants(self, path: str, name: str, root: str) -> bool:
        """Whether a file matters that lies in a directory that does.

        Args:
            path: Its whole path.
            name: Its last part.
            root: The root that it lies in.
        """
        if not (self._wanted_names.match(name) or _inner(self._wanted_paths, path, root)):
            return False
        return self.enters(path, name, root)

    def enters(self, path: str, name: str, root: str) -> bool:
        """Whether a directory matters that lies in one that does; its arguments are those of `wants`."""
        return not (self._ignored_names.match(name) or _inner(self._ignored_paths, path, root))

    def matters(self, path: str | Path) -> bool:
        """Whether a file matters, by its path alone."""
        text = os.path.abspath(path)
        root = next((root for root in self.roots if text.startswith(root.rstrip(os.sep) + os.sep)), None)
        if root is None:
            return text in self.roots
        *parents, name = os.path.relpath(text, root).split(os.sep)
        above = root
        for parent in parents:
            above = os.path.join(above, parent)
            if not self.enters(above, parent, root):
                return False
        return self.wants(text, name, root)


def _patterns(patterns: list[str]) -> tuple[re.Pattern[str], re.Pattern[str] | None]:
    names = [pattern.rstrip("/") for pattern in patterns if "/" not in pattern.rstrip("/")]
    paths = [pattern.strip("/") for pattern in patterns if "/" in pattern.rstrip("/")]
    return _joined(names), _joined(paths) if paths else None


def _joined(patterns: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(fnmatch.translate(os.path.normcase(pattern)) for pattern in patterns))


def _inner(patterns: re.Pattern[str] | None, path: str, root: str) -> bool:
    return patterns is not None and patterns.match(path[len(root) :].strip(os.sep).replace(os.sep, "/")) is not None
