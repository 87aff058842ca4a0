"""A template out of a git repository, without letting the repository run anything.

Nothing is checked out: the files of one commit are read from the object store, so no hook, filter, attribute, submodule
or large-file extension ever applies. What they add up to is known before the first is written.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import urlsplit, urlunsplit

from sentient_cli.config.environ import process_environment
from sentient_cli.errors import NetworkError, ProjectError, SentientError, TemplateNotFoundError, TemplateUnsafeError
from sentient_cli.redact import redactor
from sentient_cli.sanitize import sanitize
from sentient_cli.scaffold.limits import Limits
from sentient_cli.scaffold.tools import Ended, end_group, run_tool

__all__ = ["Fetched", "fetch"]

_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "protocol.ext.allow=never",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "fetch.fsckObjects=true",
    "maintenance.auto=false",
    "gc.auto=0",
)
_ENTRY = re.compile(rb"(\d{6}) (\w+) ([0-9a-f]{40,64}) +(\d+|-)\t(.+)", re.DOTALL)
_PART, _LONGEST_NAME, _LONGEST_HEAD = 1 << 16, 1 << 14, 200
_LINK, _PROGRAM, _SUBMODULE = "120000", "100755", "160000"
_NETWORK = ("could not resolve", "unable to access", "connection", "timed out", "network", "could not read from remote")


@dataclass(frozen=True, slots=True)
class Fetched:
    """One commit's files.

    Args:
        address: Where they came from, without a password.
        commit: The full id.
        root: The directory they are in.
    """

    address: str
    commit: str
    root: Path


def fetch(address: str, ref: str, folder: Path, limits: Limits) -> Fetched:
    """Bring the files of one commit here.

    Args:
        address: What git fetches from.
        ref: A branch, a tag or a full commit; empty for the default branch.
        folder: An empty directory to work in.
        limits: How large it may be, and how long it may take.

    Raises:
        TemplateNotFoundError: there is no such repository or ref.
        TemplateUnsafeError: it is too large, or holds a name that leads out of it.
        NetworkError: it cannot be reached.
        ProjectError: git is missing.
    """
    shown = _without_password(address)
    repository = folder / "repository"
    repository.mkdir()
    with tempfile.TemporaryFile(dir=folder) as log:
        git = _Git(repository, log, limits, address)
        git.must("init", "--quiet", "--bare", "--template=", ".")
        ended = git.run("fetch", "--quiet", "--depth=1", "--no-tags", "--", address, ref or "HEAD")
        if not ended.ok:
            raise _failure(shown, ref, ended)
        commit = git.must("rev-parse", "--verify", "FETCH_HEAD^{commit}").strip()
        entries = _entries(git, commit, limits)
    root = folder / "files"
    root.mkdir()
    _write(git, entries, root)
    return Fetched(shown, commit, root)


@dataclass(frozen=True, slots=True)
class _Entry:
    mode: str
    id: str
    size: int
    name: PurePosixPath


class _Git:
    def __init__(self, repository: Path, log: IO[bytes], limits: Limits, address: str) -> None:
        self.repository = repository
        self.environment = _environment(process_environment(), _protocol(address))
        self._log = log
        self._limits = limits

    def command(self, arguments: Sequence[str]) -> list[str]:
        return ["git", *(part for setting in _SETTINGS for part in ("-c", setting)), *arguments]

    def run(self, *arguments: str) -> Ended:
        try:
            return run_tool(
                self.command(arguments),
                cwd=self.repository,
                log=self._log,
                environment=self.environment,
                seconds=self._limits.seconds * 4,
                watch=lambda: _size(self.repository) > self._limits.total,
            )
        except FileNotFoundError:
            raise ProjectError(
                "git is missing", why="This template is in a git repository", fix="Install git"
            ) from None

    def must(self, *arguments: str) -> str:
        ended = self.run(*arguments)
        if not ended.ok:
            raise ProjectError(f"`git {arguments[0]}` failed", detail=sanitize(ended.output))
        return ended.output

    @contextlib.contextmanager
    def reading(self, *arguments: str, stdin: IO[bytes] | None = None) -> Generator[IO[bytes]]:
        """Read what git says, as it comes; when the block is left, or its time is over, git is gone.

        Raises:
            TemplateUnsafeError: it took too long.
            ProjectError: git failed.
        """
        process = subprocess.Popen(  # noqa: S603 - git, on object ids
            self.command(arguments),
            cwd=self.repository,
            env=self.environment,
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        late = threading.Event()
        timer = threading.Timer(self._limits.seconds, _end_late, (process, late))
        timer.daemon = True
        try:
            timer.start()
            if process.stdout is None:
                raise ProjectError("git cannot be read from")
            with process.stdout:
                yield process.stdout
            if process.wait() != 0 and not late.is_set():
                raise ProjectError(f"`git {arguments[0]}` failed", fix="Check the repository with `git fsck`")
        finally:
            timer.cancel()
            end_group(process)
            if late.is_set():
                raise TemplateUnsafeError(
                    "The template takes too long to be read",
                    why=f"It may take {self._limits.seconds:g} s",
                    fix="Use a smaller repository, or allow more with `--timeout`",
                )


def _end_late(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    end_group(process)


def _protocol(address: str) -> str:
    """The one protocol that may be used, so that no redirection leads to another."""
    scheme, separator, _ = address.partition("://")
    if separator:
        return scheme
    return "file" if Path(address).is_dir() else "ssh"


def _environment(own: Mapping[str, str], protocol: str) -> dict[str, str]:
    # Another repository's variables (GIT_DIR and the like) would lead git astray when we are called by a hook.
    kept = {name: value for name, value in own.items() if not name.startswith("GIT_") or name.startswith("GIT_SSL")}
    ssh = own.get("GIT_SSH_COMMAND", "ssh -oBatchMode=yes")
    return kept | {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "SSH_ASKPASS_REQUIRE": "never",
        "GIT_SSH_COMMAND": ssh,
        "GIT_ALLOW_PROTOCOL": protocol,
        "GIT_LFS_SKIP_SMUDGE": "1",
        "LC_ALL": "C",
    }


def _size(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118 - called several times a second
            except OSError:
                continue
    return total


def _entries(git: _Git, commit: str, limits: Limits) -> list[_Entry]:
    """The files of a commit, no more of them read than there may be: a few bytes can stand for billions of names."""
    found: list[_Entry] = []
    total = 0
    with git.reading("ls-tree", "-r", "-l", "-z", "--full-tree", commit) as stream:
        for number, line in enumerate(_lines(stream), 1):
            entry = _entry(line)
            if entry is not None:
                found.append(entry)
                total += entry.size
            limits.check("The template", number, total)
    return found


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while part := stream.read(_PART):
        *lines, rest = (rest + part).split(b"\0")
        yield from lines
        if len(rest) > _LONGEST_NAME:
            raise TemplateUnsafeError("The template holds a name that is too long", fix="Rename it in the template")


def _entry(line: bytes) -> _Entry | None:
    found = _ENTRY.fullmatch(line)
    if found is None:
        return None
    mode, _, identity, size, name = (os.fsdecode(part) for part in found.groups())
    return None if mode == _SUBMODULE else _Entry(mode, identity, int(size), _safe(name))


def _safe(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or not path.parts or {"..", ".git"} & {part.lower() for part in path.parts} or "\\" in name:
        raise TemplateUnsafeError(f"The template holds a file called {name!r}", fix="Rename it in the template")
    return path


def _write(git: _Git, entries: Sequence[_Entry], root: Path) -> None:
    """Write the files, read by one process of git in the order in which they are asked for."""
    asked = "".join(f"{entry.id}\n" for entry in entries).encode()
    with tempfile.TemporaryFile(dir=git.repository) as ids:
        ids.write(asked)
        ids.seek(0)
        with git.reading("cat-file", "--batch", stdin=ids) as stream:
            for entry in entries:
                head = stream.readline(_LONGEST_HEAD)  # id, type and size
                content = stream.read(entry.size)
                if stream.read(1) != b"\n" or head.split()[-1:] != [b"%d" % entry.size]:
                    raise TemplateUnsafeError(f"The repository of the template is damaged: {entry.name} is not in it")
                _write_one(entry, content, root)


def _write_one(entry: _Entry, content: bytes, root: Path) -> None:
    target = root / entry.name
    if not target.parent.resolve().is_relative_to(root.resolve()):  # a directory of its path is a link
        raise TemplateUnsafeError(f"The template holds a file behind a link: {entry.name}")
    target.parent.mkdir(parents=True, exist_ok=True)
    if entry.mode == _LINK:
        target.symlink_to(os.fsdecode(content))
        return
    target.write_bytes(content)
    target.chmod(0o755 if entry.mode == _PROGRAM else 0o644)


def _without_password(address: str) -> str:
    if "://" not in address:
        return address
    parts = urlsplit(address)
    user, at, host = parts.netloc.rpartition("@")
    # The user of a web address alone is a token as often as a name; that of ssh belongs to the address.
    if not at or not (parts.password or parts.scheme in {"http", "https"}):
        return address
    redactor.register(parts.password or user)
    return urlunsplit(parts._replace(netloc=host))


def _failure(address: str, ref: str, ended: Ended) -> SentientError:
    said = sanitize(ended.output).strip()
    if ended.late:
        return TemplateUnsafeError(
            f"The template at {address} took too long, or is too large", fix="Use a smaller repository, or a path"
        )
    lower = said.lower()
    if any(sign in lower for sign in _NETWORK) and "not found" not in lower:
        return NetworkError(
            f"The template at {address} cannot be reached", fix="Check the address and the network", detail=said
        )
    which = f"branch, tag or commit {ref!r} at {address}" if ref else f"repository at {address}"
    return TemplateNotFoundError(
        f"There is no {which}", fix="Check the address; a commit needs all of its digits", detail=said
    )
