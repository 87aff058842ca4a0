"""Where a template comes from: a built-in name, a directory, or a git repository."""

from __future__ import annotations

import contextlib
import difflib
import re
import shutil
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sentient_cli import __version__
from sentient_cli.errors import TemplateNotFoundError, TemplateUnsafeError
from sentient_cli.scaffold.builtin import BUILTIN, find_builtin
from sentient_cli.scaffold.gitsource import fetch
from sentient_cli.scaffold.limits import Limits, walk

__all__ = ["TemplateSource", "open_source"]

CONFIGURATIONS = ("copier.yml", "copier.yaml")
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]{0,200}")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_SCP = re.compile(r"[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class TemplateSource:
    """A template whose files are in a directory of this machine.

    Args:
        id: What opens it again: the built-in name, the absolute path or the address, without a password.
        ref: The commit that was read, of a git repository; else empty.
        version: What a reader knows it by: the version of the package, or the branch or tag that was asked for.
        root: The directory of its ``copier.yml``, for as long as it is open.
        trusted: Whether it is ours: it is rendered in this process, without limits.
    """

    id: str
    ref: str
    version: str
    root: Path
    trusted: bool


@contextlib.contextmanager
def open_source(spec: str, *, limits: Limits | None = None) -> Generator[TemplateSource]:
    """Open a template for as long as the block lasts.

    Args:
        spec: A built-in name, a path, or a git address (https, ssh or ``git@host:path``), the last two with ``@REF``
            when a branch, tag or full commit is meant.
        limits: How large it may be, and how long fetching it may take.

    Raises:
        TemplateNotFoundError: there is none.
        TemplateUnsafeError: the address is of a kind that is not allowed, or the template is too large or has links
            that lead out of it.

    Example:
        >>> with open_source("basic") as source:
        ...     source.id, source.trusted
        ('basic', True)
    """
    allowed = limits or Limits()
    builtin = find_builtin(spec)
    if builtin is not None:
        yield TemplateSource(builtin.name, "", __version__, builtin.root, trusted=True)
        return
    folder = Path(tempfile.mkdtemp(prefix="sentient-template-"))
    try:
        yield _bring(spec, folder, allowed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _bring(spec: str, folder: Path, limits: Limits) -> TemplateSource:
    if _is_address(spec):
        address, ref = _split(_plain_scheme(spec))
        found = fetch(address, ref, folder, limits)
        source = TemplateSource(found.address, found.commit, ref or found.commit[:12], found.root, trusted=False)
    else:
        source = _local(spec, folder, limits)
    _require_configuration(source)
    for name, entry in walk(source.root, limits, "The template"):
        _require_inside(source.root, name.as_posix(), Path(entry.path))
    return source


def _is_address(spec: str) -> bool:
    if not spec or spec.startswith("-") or "\0" in spec or "\n" in spec:
        raise TemplateNotFoundError(f"{spec!r} names no template", fix="Give a name, a path or an https address")
    if Path(spec).exists():
        return False
    if _SCP.match(spec):
        return True
    if "::" in spec.partition("/")[0]:
        raise _refused(spec)
    if not _URL.match(spec) or (len(spec) > 1 and spec[1] == ":"):  # a drive of Windows
        return False
    parts = urlsplit(spec)
    if parts.scheme in {"https", "ssh"} or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        if (parts.hostname or "-").startswith("-"):
            raise _refused(spec)
        return True
    raise _refused(spec)


def _plain_scheme(spec: str) -> str:
    """The address with its scheme in small letters, as git knows it."""
    scheme, separator, rest = spec.partition("://")
    return f"{scheme.lower()}{separator}{rest}" if separator else spec


def _refused(spec: str) -> TemplateUnsafeError:
    return TemplateUnsafeError(
        f"A template cannot come from {spec!r}",
        why="Allowed are https, ssh and git@host:path, and directories of this machine",
        fix="Use the https address of the repository",
    )


def _split(spec: str) -> tuple[str, str]:
    """An address and the ref behind its last ``@``, which is not the one before the host."""
    start = spec.index(":", spec.index("@")) if _SCP.match(spec) else spec.find("/", spec.find("://") + 3)
    if start < 0 or "@" not in spec[start:]:
        return spec, ""
    address, _, ref = spec.rpartition("@")
    return address, _checked(ref)


def _checked(ref: str) -> str:
    if not _REF.fullmatch(ref) or ".." in ref:
        raise TemplateNotFoundError(
            f"{ref!r} is no branch, tag or commit", fix="Write the name of one behind the `@`, or leave both out"
        )
    return ref


def _local(spec: str, folder: Path, limits: Limits) -> TemplateSource:
    path, at, ref = (spec, "", "") if Path(spec).exists() else spec.rpartition("@")
    place = Path(path or spec).expanduser().absolute()
    if not place.is_dir():
        raise _missing(spec)
    ref = _checked(ref) if at else ""
    bare = (place / "HEAD").is_file() and (place / "objects").is_dir()
    if ref or bare:
        found = fetch(str(place), ref, folder, limits)
        return TemplateSource(str(place), found.commit, ref or found.commit[:12], found.root, trusted=False)
    root = folder / "files"
    root.mkdir()
    # A copy: what was looked at is what is rendered, and Copier takes a directory with `.git` for something else.
    for name, entry in walk(place, limits, "The template"):
        _copy(Path(entry.path), root / name)
    return TemplateSource(str(place), "", "", root, trusted=False)


def _copy(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if file.is_symlink():
        target.symlink_to(file.readlink())
    elif file.is_file():
        shutil.copy(file, target)
    else:
        raise TemplateUnsafeError(
            f"The template holds {file.name!r}, which is neither a file nor a directory",
            fix="Remove it from the template",
        )


def _require_configuration(source: TemplateSource) -> None:
    if not any((source.root / name).is_file() for name in CONFIGURATIONS):
        raise TemplateNotFoundError(
            f"{source.id} holds no template",
            why="A template has a file `copier.yml`",
            fix="Check the path and the branch or tag",
        )


def _require_inside(root: Path, name: str, file: Path) -> None:
    if file.is_symlink():
        target = file.parent.resolve() / file.readlink()
        if not target.resolve().is_relative_to(root.resolve()):
            raise TemplateUnsafeError(
                f"The template holds a link that leads out of it: {name}", fix="Replace it with the file it leads to"
            )


def _missing(spec: str) -> TemplateNotFoundError:
    names = [template.name for template in BUILTIN]
    near = difflib.get_close_matches(spec, names, n=1)
    return TemplateNotFoundError(
        f"There is no template {spec!r}",
        why=f"Did you mean `{near[0]}`?" if near else "It is neither a name nor a directory",
        fix=f"Choose {', '.join(f'`{name}`' for name in names)}, or give a path or a git address",
    )
