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
"""The files that matter wherever they are: code, settings, prompts and templates.

What agents write as they run (`.csv`, `.jsonl`, `.log`, `.db`) is not among them, or each run would bring new code.
"""

IGNORED: Final = (
    *(".git", ".hg", ".svn", ".jj"),
    *(".venv", "venv", "node_modules", "site-packages", "__pypackages__", "*.egg-info", ".eggs", ".tox", ".nox"),
    *("__pycache__", "*_cache", ".cache", ".hypothesis", ".ipynb_checkpoints", ".sentient", ".idea", ".vscode"),
    *("*.pyc", "*.pyo", "*~", ".#*", "#*#", ".*.sw?", "*.swp", "*.swo", "*.bak", "*.orig", "*.rej", "*.tmp", "*.temp"),
    *("*.tmp.*", ".goutputstream-*", "*___jb_tmp___", "*___jb_old___", "*.part", "*.crswap", ".nfs*", ".fuse_hidden*"),
)
"""Files and directories that never matter, beside every directory that is a virtual environment."""
_MAGIC: Final = re.compile(r"[*?\[]")


class Scope:
    """Decides which paths matter.

    A pattern without a slash is about the name of a file or a directory, wherever it is; one with a slash is about the
    path from the root that it lies in. What a directory that does not matter holds does not matter either.

    Args:
        project: The project's directory.
        extra: More directories and files. A file that is named here matters whatever it is called.
        include: Patterns of files, beside `INCLUDED`.
        ignore: Patterns of files and directories, beside `IGNORED`.

    Example:
        >>> from pathlib import Path
        >>> scope = Scope(Path("/project"), include=["*.csv"], ignore=["notes", "data/*.json"])
        >>> [scope.wants(f"/project/{name}", name, "/project") for name in ("agent.py", "a.csv", ".env.local", "a.db")]
        [True, True, True, False]
        >>> scope.wants("/project/data/a.json", "a.json", "/project")
        False
        >>> scope.enters("/project/notes", "notes", "/project")
        False
    """

    def __init__(
        self, project: Path, *, extra: Sequence[Path] = (), include: Iterable[str] = (), ignore: Iterable[str] = ()
    ) -> None:
        self.roots: tuple[str, ...] = tuple(dict.fromkeys(os.path.abspath(path) for path in (project, *extra)))
        self._wanted = _Patterns([*INCLUDED, *include])
        self._ignored = _Patterns([*IGNORED, *ignore])

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
        return self._wanted.match(path, name, root) and not self._ignored.match(path, name, root)

    def enters(self, path: str, name: str, root: str) -> bool:
        """Whether a directory matters that lies in one that does; its arguments are those of `wants`."""
        return not self._ignored.match(path, name, root)


class _Patterns:
    """Patterns, the simple ones of which are looked up: a hundred thousand names are matched at the start."""

    def __init__(self, patterns: list[str]) -> None:
        native = [os.path.normcase(pattern).replace(os.sep, "/").rstrip("/") for pattern in patterns]
        names = [pattern for pattern in native if "/" not in pattern]
        paths = [pattern.lstrip("/") for pattern in native if "/" in pattern]
        self._exact = frozenset(name for name in names if not _MAGIC.search(name))
        self._endings = frozenset(name[1:] for name in names if _is_ending(name))
        rest = [name for name in names if name not in self._exact and not _is_ending(name)]
        self._names = _joined(rest) if rest else None
        self._paths = _joined(paths) if paths else None

    def match(self, path: str, name: str, root: str) -> bool:
        name = os.path.normcase(name)
        if name in self._exact or name[name.rfind(".") :] in self._endings:
            return True
        if self._names is not None and self._names.match(name):
            return True
        if self._paths is None:
            return False
        inner = os.path.normcase(path[len(root) :]).replace(os.sep, "/").strip("/")
        return self._paths.match(inner) is not None


def _is_ending(pattern: str) -> bool:
    return pattern.startswith("*.") and not _MAGIC.search(pattern[1:]) and "." not in pattern[2:]


def _joined(patterns: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(fnmatch.translate, patterns)))
