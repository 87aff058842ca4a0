"""Which `sentient dev` runs where: one small file for each of them, in the directory for running processes.

A file is ``dev/<project>-<pid>.json`` in `sentient_cli.paths.runtime_dir`, readable by its user alone; ``<project>`` is
the beginning of the SHA-256 of the project's path. It is there from before the first line of user code runs until the
process ends. Where that ended without a chance to take it away, whoever looks next removes it, together with the
directory of its sockets.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, cast

import msgspec

from sentient_cli import paths
from sentient_cli.config.processes import state_of, this_process
from sentient_cli.errors import ProjectError

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Announcement", "RunningServer", "find", "nearest"]

PREFIX: Final = "sentient-dev-"
"""How the name of every directory of sockets begins; nothing else is ever removed."""
_LARGEST: Final = 64 * 1024
_DIGITS: Final = 32
_TOKEN: Final = "token"  # noqa: S105 - the name of its file


class RunningServer(msgspec.Struct, frozen=True):
    """A `sentient dev` that answers.

    Args:
        url: Where.
        project: The directory of its project.
        agent: What its agent is called.
        pid: Its process.
        process: The same, as `sentient_cli.config.processes.this_process` names it.
        token_file: Holds the token of the inspection; None: there is none.
        sockets: Its private directory.
        version: Of this package.
    """

    url: str
    project: Path
    agent: str
    pid: int
    process: str
    token_file: Path | None
    sockets: Path | None
    version: str


class Announcement:
    """Says to others that this process serves a project; a context manager.

    Before it is published nobody finds it, but whoever looks after this process was killed removes what it left.

    Args:
        project: The directory of the project.
        version: Of this package.

    Attributes:
        sockets: A new directory for sockets and the token, private to the user, and removed at the end.
        token_file: Where in it the token belongs.

    Raises:
        ProjectError: there is no place for the directory.
    """

    def __init__(self, project: Path, version: str) -> None:
        self._project = project.resolve()
        self._version = version
        try:
            self._path = _directory() / f"{_digest(self._project)}-{os.getpid()}.json"
        except OSError as error:
            raise _no_place(error) from error
        self.sockets: Path = Path()
        self.token_file: Path = Path()

    def __enter__(self) -> Self:
        try:
            self.sockets = self._make_directory()
            self.token_file = self.sockets / _TOKEN
            self._write("", "")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _make_directory(self) -> Path:
        try:
            return Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
        except OSError:  # that disk may be full
            try:
                _make_private(self._path.parent)
                return Path(tempfile.mkdtemp(prefix=PREFIX, dir=self._path.parent)).resolve()
            except OSError as error:
                raise _no_place(error) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._path.unlink()
        if self.sockets.name:
            shutil.rmtree(self.sockets, ignore_errors=True)

    def publish(self, url: str, agent: str) -> bool:
        """Let others find it.

        Args:
            url: Where it answers.
            agent: What its agent is called.

        Returns:
            Whether that could be written.
        """
        return self._write(url, agent)

    def _write(self, url: str, agent: str) -> bool:
        process = this_process()
        content = {
            "format": 1,
            "pid": os.getpid(),
            "process": process,
            "started": process.rpartition(":")[2],
            "url": url,
            "project": os.fspath(self._project),
            "agent": agent,
            "token_file": os.fspath(self.token_file),
            "sockets": os.fspath(self.sockets),
            "version": self._version,
        }
        try:
            _write_atomically(self._path, json.dumps(content).encode())
        except OSError:
            return False
        return True


def find(project: Path | None = None) -> list[RunningServer]:
    """The `sentient dev` that run and answer, the oldest first. What others left that were killed is removed.

    Args:
        project: Only those of this directory; None: all.
    """
    wanted = None if project is None else project.resolve()
    found: list[tuple[int, RunningServer]] = []
    for path in _files(wanted):
        read = _read(path)
        if read is None:
            continue
        age, server = read
        state = state_of(server.process)
        if state == "gone":
            _heal(path, server)
        elif state == "running" and server.url and wanted in {None, server.project}:
            found.append((age, server))
    return [server for _, server in sorted(found, key=lambda each: (each[0], each[1].pid))]


def nearest(directory: Path) -> RunningServer | None:
    """The one that whoever works in a directory means: of its project, else the only one that runs.

    Args:
        directory: Where they are; a project above it counts, and of several the nearest, and there the oldest.
    """
    running = find()
    here = directory.resolve()
    for folder in (here, *here.parents):
        own = [server for server in running if server.project == folder]
        if own:
            return own[0]
    return running[0] if len(running) == 1 else None


def _directory() -> Path:
    with warnings.catch_warnings():
        # Where the system has no such directory, the one in its place does as well: only files of this user count.
        warnings.simplefilter("ignore")
        return paths.runtime_dir() / "dev"


def _digest(project: Path) -> str:
    return hashlib.sha256(os.fsencode(project)).hexdigest()[:_DIGITS]


def _files(project: Path | None) -> list[Path]:
    pattern = "*.json" if project is None else f"{_digest(project)}-*.json"
    with contextlib.suppress(OSError):
        return sorted(_directory().glob(pattern))
    return []


def _read(path: Path) -> tuple[int, RunningServer] | None:
    """What a file says; None when it is nothing of ours, or was not made by this user."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or not _is_mine(status):
            return None
        server = _server(json.loads(os.read(descriptor, _LARGEST)))
    except (ValueError, RecursionError, OSError):
        return None
    finally:
        os.close(descriptor)
    return None if server is None else (status.st_mtime_ns, server)


def _server(content: object) -> RunningServer | None:
    if not isinstance(content, dict):
        return None
    fields = cast("dict[str, object]", content)
    texts = {name: fields.get(name) for name in ("url", "project", "agent", "process", "version")}
    pid, token, sockets = fields.get("pid"), fields.get("token_file"), fields.get("sockets")
    known = {name: text for name, text in texts.items() if isinstance(text, str)}
    if len(known) != len(texts) or not isinstance(pid, int):
        return None
    return RunningServer(
        url=known["url"],
        project=Path(known["project"]),
        agent=known["agent"],
        pid=pid,
        process=known["process"],
        token_file=Path(token) if isinstance(token, str) else None,
        sockets=Path(sockets) if isinstance(sockets, str) else None,
        version=known["version"],
    )


def _heal(path: Path, server: RunningServer) -> None:
    """Remove what a process left that was killed."""
    folder = server.sockets
    if folder is not None and folder.is_absolute() and folder.name.startswith(PREFIX):
        with contextlib.suppress(OSError):
            status = folder.lstat()
            if stat.S_ISDIR(status.st_mode) and _is_mine(status):
                shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        path.unlink()


def _is_mine(status: os.stat_result) -> bool:
    return os.name == "nt" or status.st_uid == os.geteuid()


def _no_place(error: OSError) -> ProjectError:
    return ProjectError(
        "There is no place for what tells others of this server",
        why=error.strerror or str(error),
        fix="Free some space, or set TMPDIR to a directory that can be written to",
    )


def _make_private(directory: Path) -> None:
    # Each directory on the way that has to be made is private; `mkdir` with parents would leave those as they come.
    missing = [folder for folder in (directory, *directory.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)


def _write_atomically(path: Path, content: bytes) -> None:
    _make_private(path.parent)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".new")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(name, path)  # noqa: PTH105 - its other end is no Path
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(name)  # noqa: PTH108 - see above
        raise
