"""The terminal, the port, the directories and the limits of this machine."""

from __future__ import annotations

import codecs
import os
import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from sentient_cli import paths
from sentient_cli.errors import AddressInUseError, SentientError
from sentient_cli.scaffold.doctor.finding import Finding, Surroundings

__all__ = ["check_directories", "check_limits", "check_port", "check_terminal"]

MIB = 1024 * 1024
LITTLE_ROOM = 200 * MIB
FEW_FILES = 1024
NARROW = 60


def check_terminal(here: Surroundings) -> Iterator[Finding]:
    """It is one, knows UTF-8 and is wide enough."""
    terminal = here.terminal
    if not _knows_utf_8(terminal.encoding):
        yield Finding(
            "encoding",
            "warn",
            f"Output is {terminal.encoding or 'closed'}, not UTF-8: other characters are shown as escapes",
            "Set LANG to a UTF-8 locale such as C.UTF-8, or PYTHONUTF8=1",
        )
    else:
        yield Finding("encoding", "ok", "UTF-8")
    if not (terminal.reads and terminal.draws):
        yield Finding("terminal", "skip", "Input or output is no terminal: nothing is asked, nothing is drawn")
    elif terminal.columns < NARROW:
        yield Finding("terminal", "warn", f"{terminal.columns} columns are few", "Make the window wider")
    else:
        name = here.environment.get("TERM") or "no TERM"
        color = "with colours" if terminal.color else "without colours"
        yield Finding("terminal", "ok", f"{name}, {terminal.columns} columns, {color}")


def _knows_utf_8(encoding: str | None) -> bool:
    try:
        return codecs.lookup(encoding or "").name == "utf-8"
    except LookupError:
        return False


def check_port(here: Surroundings) -> Iterator[Finding]:
    """The port that `sentient serve` would take is free."""
    from sentient_cli.server.sockets import bind

    if here.settings is None:
        return
    server = here.settings.settings.server
    try:
        bind(server.host, server.port).close()
    except AddressInUseError as error:
        yield Finding("port", "warn", f"{error.what}. {error.why}".rstrip(". "), error.fix)
    except SentientError as error:
        yield Finding("port", "fail", f"{error.what}. {error.why}".rstrip(". "), error.fix)
    else:
        shown = f"{server.port} on {server.host} is free" if server.port else f"Any that is free on {server.host}"
        yield Finding("port", "ok", shown)


def check_directories(here: Surroundings) -> Iterator[Finding]:
    """We may write where we keep things, and there is room."""
    places = _places()
    faults = [(name, path, fault) for name, path in places.items() if (fault := _fault(path))]
    for name, path, fault in faults:
        yield Finding("directories", "fail", f"{path}, for {name}, {fault}", f"Make {path} a directory of yours")
    if not faults:
        yield Finding("directories", "ok", f"Writable; state is in {places['state']}")
    disks = [shutil.disk_usage(_existing(path)) for path in (*places.values(), here.project)]
    free = min((disk.free for disk in disks if disk.total), default=0)
    if free < LITTLE_ROOM:
        yield Finding(
            "disk", "warn", f"{free // MIB} MiB are free", "Make room: a project and its packages need 200 MiB"
        )
    else:
        yield Finding("disk", "ok", f"{free / MIB / 1024:.1f} GiB free")


def _places() -> dict[str, Path]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a system without a place for sockets gets one
        sockets = paths.runtime_dir()
    return {
        "settings": paths.config_dir(),
        "data": paths.data_dir(),
        "state": paths.state_dir(),
        "cache": paths.cache_dir(),
        "sockets": sockets,
    }


def _existing(path: Path) -> Path:
    return next((each for each in (path, *path.parents) if each.exists()), Path(path.anchor))


def _fault(path: Path) -> str:
    found = _existing(path)
    if not found.is_dir():
        return f"cannot be made: {found} is no directory" if found != path else "is no directory"
    if not os.access(found, os.W_OK | os.X_OK):
        return "may not be written to" if found == path else f"cannot be made: {found} may not be written to"
    if found != path and not shutil.disk_usage(found).total:  # of the kernel, where even root makes nothing
        return f"cannot be made: {found} holds no files of ours"
    return ""


def check_limits(_here: Surroundings) -> Iterator[Finding]:
    """A process may open enough files for the connections of a server."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < FEW_FILES:
        more = "" if hard == resource.RLIM_INFINITY or hard >= FEW_FILES else ", as an administrator"
        yield Finding(
            "files", "warn", f"A process may open {soft} files: few connections", f"Run `ulimit -n 4096`{more}"
        )
    else:
        shown = "any number of" if soft == resource.RLIM_INFINITY else f"{soft}"
        yield Finding("files", "ok", f"A process may open {shown} files")
