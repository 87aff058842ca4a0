"""What is known of the watched files: which there are, and whether one is another than before."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final, NamedTuple

from sentient_cli.dev.watching import stamps
from sentient_cli.dev.watching.digests import Digests
from sentient_cli.dev.watching.links import Links
from sentient_cli.dev.watching.walk import MARK, entries, is_directory, unnameable, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sentient_cli.dev.watching.scope import Scope

__all__ = ["Found", "Tree"]

_MOST: Final = 20_000
"""Directories: more is no project, but somebody's home."""
_FEWER: Final = "Start in the project's own directory, or name what does not matter in `dev.ignore`"


class Found(NamedTuple):
    """What a look found.

    Args:
        changed: Files that hold something else than before, are new, or are gone.
        doubtful: What may be halfway through being saved: new, gone or empty. To be looked at again, and then believed.
    """

    changed: set[str]
    doubtful: set[str]


class _Directory:
    __slots__ = ("children", "files", "inode", "named", "root")

    def __init__(self, root: str | None) -> None:
        # The root whose scope decides; None where only named files matter.
        self.root = root
        self.named: set[str] = set()
        self.files: dict[str, int] = {}
        self.children: set[str] = set()
        self.inode = 0


class Tree:
    """The watched files; for one thread at a time.

    Args:
        scope: Which matter.
        watch: Has directories watched; returns those that cannot be.
        notice: Told what the user should know, and what to do about it.
        stopped: Whether to give up a long look.
    """

    def __init__(
        self,
        scope: Scope,
        watch: Callable[[list[str]], list[str]],
        notice: Callable[[str, str], None],
        stopped: Callable[[], bool],
    ) -> None:
        self._scope = scope
        self._watch = watch
        self._notice = notice
        self._stopped = stopped
        self._directories: dict[str, _Directory] = {}
        self._digests = Digests()
        self._links = Links()
        self._beside: set[str] = set()
        self._roots: set[str] = set()
        self._said: set[str] = set()
        self._found = Found(set(), set())
        self._since: int | None = None
        self._sure = False
        self.blind: set[str] = set()
        """Directories that the system does not watch, or that are not there: to be looked at from time to time."""

    def directories(self) -> list[str]:
        """Every directory that is looked at."""
        return list(self._directories)

    def links(self) -> list[str]:
        """Every link that leads to a file."""
        return self._links.all()

    def count(self) -> int:
        """How many files are known."""
        return sum(len(directory.files) for directory in self._directories.values())

    def take(self) -> Found:
        """What was found since the last time."""
        found, self._found = self._found, Found(set(), set())
        return Found(found.changed, found.doubtful - found.changed)

    # -- from outside ------------------------------------------------------------------------------------------------

    def add(self, path: str, since: int, *, asked: bool = False) -> None:
        """Look at a file, or at a directory and all below it, from now on.

        Args:
            path: Which, without links on the way to it.
            since: Nanoseconds since the epoch; what changed after that counts as changed.
            asked: Whether it may become a file although it is a directory now.
        """
        self._since, self._sure = since, False
        known = self._directories.get(path)
        is_directory = os.path.isdir(path)
        if asked or not is_directory:
            self._name(path)
            if self._directories[os.path.dirname(path)].root is not None and stamps.gone_since(path, since):
                self._changed(path)
        if is_directory and (known is None or known.root is None):
            self._roots.add(path)
            self._enter(path, path)
        self._since = None

    def expect(self, path: str) -> None:
        """A directory that matters once it is there."""
        self._roots.add(path)

    def examine(self, path: str, *, anew: bool = False, sure: bool = False) -> None:
        """Look at a path that something happened to.

        Args:
            path: A file or a directory.
            anew: Whether it was made, moved or removed, so that a directory may be another one.
            sure: Whether to believe what may be halfway through being saved.
        """
        self._sure = sure
        for link in self._links.to(path):
            self._touch(link)
        found = stamps.status(path, follow=False)
        if found is not None and stat.S_ISDIR(found.st_mode):
            self._directory(path, anew=anew)
        elif path in self._directories:
            self._vanished(path)
        self._touch(path)

    def look(self, path: str) -> None:
        """Compare a directory that is known with what it holds now, its own files and the names of its directories."""
        self._sure = False
        directory = self._directories.get(path)
        if directory is None:
            return
        if stamps.inode(path) != directory.inode:
            self._again(path)
        else:
            self._list(path, directory)

    def glance(self, link: str) -> None:
        """See whether a link leads to something else."""
        self._sure = False
        self._touch(link, explicit=False)

    def rewatch(self, paths: Iterable[str]) -> None:
        """Watch directories again that nobody watches any more, because of a name in one of them that is no text."""
        known = [path for path in paths if path in self._directories]
        named = {path for path in known if unnameable(path)}
        self._watched([path for path in known if path not in named])
        self.blind |= named

    def again(self) -> None:
        """Watch everything once more, and compare all of it."""
        self._sure = False
        for path, directory in list(self._directories.items()):
            if directory.root in {None, path}:
                self._again(path)

    def _again(self, path: str) -> None:
        directory = self._directories.get(path)
        if directory is None:
            return
        if directory.root is not None and os.path.isdir(path):
            self._enter(path, directory.root)
        else:
            self._watched([path])
            self._list(path, directory)

    # -- directories -------------------------------------------------------------------------------------------------

    def _directory(self, path: str, *, anew: bool) -> None:
        parent, name = os.path.split(path)
        above = self._directories.get(parent)
        known = self._directories.get(path)
        if known is not None and not anew:
            self._list(path, known)
        elif known is not None:
            self._again(path)
        elif path in self._roots:
            self._enter(path, path)
        elif above is not None and above.root is not None and self._scope.enters(path, name, above.root):
            self._enter(path, above.root)

    def _enter(self, path: str, root: str) -> None:
        """Watch a directory and all below it, then list them: what happens in between is noticed twice, not never."""
        room = max(1, _MOST - len(self._directories))
        inner = walk(path, root, self._scope, self._stopped, room)
        if len(inner) >= room:
            self._say("", f"There are more than {_MOST:,} directories; not all are watched", _FEWER)
        for below in inner:
            directory = self._directories.setdefault(below, _Directory(root))
            directory.root = root
        self._watched(inner)
        for below in inner:
            if self._stopped():
                return
            if below in self._directories:  # looking at another one may have shown that it does not matter
                self._list(below, self._directories[below])

    def _watched(self, paths: list[str]) -> None:
        there = [path for path in paths if os.path.isdir(path)]
        for path in there:
            if path in self._directories:
                self._directories[path].inode = stamps.inode(path)
        self.blind.difference_update(there)
        self.blind.update(path for path in paths if not os.access(path, os.R_OK | os.X_OK))
        self.blind.update(self._watch(there))

    def _list(self, path: str, directory: _Directory) -> None:
        try:
            inner = entries(path)
        except (FileNotFoundError, NotADirectoryError):
            self._vanished(path)
            return
        except OSError:
            self._say(path, f"{path} cannot be read, and is not watched", "Change its permissions")
            self.blind.add(path)
            return
        if directory.root not in {None, path} and any(entry.name == MARK for entry in inner):
            self._drop(path)
            return
        files, children = self._sorted(directory, inner)
        for entry in files:
            self._entry(directory, entry)
        for name in directory.files.keys() - {entry.name for entry in files}:
            self._gone(directory, os.path.join(path, name), name)
        for name in directory.children - children:
            self._vanished(os.path.join(path, name))
        for name in children - directory.children:
            below = os.path.join(path, name)
            if directory.root is not None and below not in self._directories:
                self._enter(below, directory.root)
        directory.children = {name for name in children | directory.children if self._known(path, name)}

    def _sorted(self, directory: _Directory, inner: list[os.DirEntry[str]]) -> tuple[list[os.DirEntry[str]], set[str]]:
        """The files that matter of what a directory holds, and the names of the directories."""
        files: list[os.DirEntry[str]] = []
        children: set[str] = set()
        for entry in inner:
            if is_directory(entry):
                if directory.root is not None and self._scope.enters(entry.path, entry.name, directory.root):
                    children.add(entry.name)
            elif entry.name in directory.files or self._wants(directory, entry.path, entry.name):
                files.append(entry)
            elif entry.is_symlink() and self._leads_away(directory, entry):
                self._elsewhere(entry.path)
        return files, children

    def _leads_away(self, directory: _Directory, entry: os.DirEntry[str]) -> bool:
        root = directory.root
        return root is not None and self._scope.enters(entry.path, entry.name, root) and os.path.isdir(entry.path)

    def _known(self, path: str, name: str) -> bool:
        return os.path.join(path, name) in self._directories

    def _vanished(self, path: str) -> None:
        directory = self._directories.get(path)
        if directory is None:
            return
        if not self._sure and (directory.files or directory.children or directory.inode):
            self._found.doubtful.add(path)
            return
        for name in list(directory.files):
            self._gone(directory, os.path.join(path, name), name)
        for name in list(directory.children):
            self._vanished(os.path.join(path, name))
        directory.children.clear()
        if directory.root in {None, path} or directory.named:
            directory.inode = 0
            self.blind.add(path)
        else:
            del self._directories[path]
            self.blind.discard(path)

    def _drop(self, path: str) -> None:
        """A directory turned out not to matter."""
        directory = self._directories.pop(path, None)
        if directory is not None:
            self.blind.discard(path)
            for name in directory.children:
                self._drop(os.path.join(path, name))

    # -- files -------------------------------------------------------------------------------------------------------

    def _name(self, path: str) -> None:
        parent, name = os.path.split(path)
        directory = self._directories.get(parent)
        if directory is None:
            directory = self._directories[parent] = _Directory(None)
            self._watched([parent])
        if name not in directory.files:
            directory.named.add(name)
            self._touch(path)

    def _wants(self, directory: _Directory, path: str, name: str) -> bool:
        if name in directory.named:
            return True
        return directory.root is not None and self._scope.wants(path, name, directory.root)

    def _entry(self, directory: _Directory, entry: os.DirEntry[str]) -> None:
        if entry.is_symlink():
            self._link(entry.path)
        try:
            found = entry.stat()
        except OSError:
            found = None
        self._file(directory, entry.path, entry.name, found, explicit=False)

    def _touch(self, path: str, *, explicit: bool = True) -> None:
        parent, name = os.path.split(path)
        directory = self._directories.get(parent)
        if directory is None:
            return
        if name == MARK and directory.root not in {None, parent} and os.path.exists(path):
            self._drop(parent)
        elif self._wants(directory, path, name):
            if os.path.islink(path):
                self._link(path)
            else:
                self._links.drop(path)
            self._file(directory, path, name, stamps.status(path, follow=True), explicit=explicit)

    def _file(
        self, directory: _Directory, path: str, name: str, found: os.stat_result | None, *, explicit: bool
    ) -> None:
        if found is None or not stat.S_ISREG(found.st_mode):
            self._gone(directory, path, name)
            return
        old, new = directory.files.get(name), stamps.stamp(found)
        if self._since is not None and old is None:
            directory.files[name] = new
            if stamps.changed_after(found, self._since):
                self._changed(path)
            elif new == stamps.UNSETTLED:
                self._digests.differs(path)
            return
        if self._halfway(path, found, old):
            self._found.doubtful.add(path)
            return
        directory.files[name] = new
        same = old == new != stamps.UNSETTLED
        if same and not (explicit and path in self._digests):
            return
        self._changed(path)

    def _halfway(self, path: str, found: os.stat_result, old: int | None) -> bool:
        return not self._sure and (old is None or (found.st_size == 0 and not self._digests.is_empty(path)))

    def _changed(self, path: str) -> None:
        if self._digests.differs(path):
            self._found.changed.add(path)

    def _gone(self, directory: _Directory, path: str, name: str) -> None:
        if name not in directory.files:
            return
        if not self._sure:
            self._found.doubtful.add(path)
            return
        del directory.files[name]
        self._digests.forget(path)
        self._links.drop(path)
        self._found.changed.add(path)

    def _link(self, path: str) -> None:
        if os.path.isdir(path):
            self._elsewhere(path)
            return
        parent = self._links.follow(path)
        if parent is not None and parent not in self._directories and parent not in self._beside:
            self._beside.add(parent)
            self._watch([parent])

    def _elsewhere(self, link: str) -> None:
        """Say that a link to a directory is not followed, unless that is looked at anyway."""
        target = os.path.realpath(link) + os.sep
        if not target.startswith(tuple(root + os.sep for root in self._roots)):
            what = f"{link} is a link to a directory elsewhere, and is not watched"
            self._say(link, what, "Add that directory to `dev.watch`")

    def _say(self, key: str, what: str, fix: str) -> None:
        if key not in self._said:
            self._said.add(key)
            self._notice(what, fix)
