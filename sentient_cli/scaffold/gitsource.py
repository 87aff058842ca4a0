"""A template out of a git repository, without letting the repository run anything.

Nothing is checked out: the files of one commit are read from the object store, so no hook, filter, attribute, submodule
or large-file extension ever applies. What they add up to is known before the first is written.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import urlsplit, urlunsplit

from sentient_cli.config.environ import process_environment
from sentient_cli.errors import NetworkError, ProjectError, SentientError, TemplateNotFoundError, TemplateUnsafeError
from sentient_cli.redact import redactor
from sentient_cli.sanitize import sanitize
from sentient_cli.scaffold.limits import Limits
from sentient_cli.scaffold.tools import Ended, run_tool

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
        entries = list(_entries(git, commit))
    limits.check("The template", len(entries), sum(entry.size for entry in entries))
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


def _entries(git: _Git, commit: str) -> Iterator[_Entry]:
    listed = subprocess.run(  # noqa: S603 - git, on an object id
        git.command(["ls-tree", "-r", "-l", "-z", "--full-tree", commit]),
        cwd=git.repository,
        env=git.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    for line in listed.stdout.split(b"\0"):
        found = _ENTRY.fullmatch(line)
        if found is None:
            continue
        mode, _, identity, size, name = (os.fsdecode(part) for part in found.groups())
        if mode != _SUBMODULE:
            yield _Entry(mode, identity, int(size), _safe(name))


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
        process = subprocess.Popen(  # noqa: S603 - git, on object ids
            git.command(["cat-file", "--batch"]),
            cwd=git.repository,
            env=git.environment,
            stdin=ids,
            stdout=subprocess.PIPE,
        )
    with process:
        if process.stdout is None:
            raise ProjectError("git cannot be read from")
        for entry in entries:
            process.stdout.readline()  # id, type and size
            content = process.stdout.read(entry.size)
            process.stdout.read(1)
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
    if parts.password:
        redactor.register(parts.password)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=host))
    return address


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
