"""Asking the process that keeps passphrases, and starting it."""

from __future__ import annotations

import os
import socket
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from sentient_cli import paths
from sentient_cli.config.secret import Secret
from sentient_cli.credentials.agent.messages import Order, Reply, receive, send
from sentient_cli.credentials.agent.peers import LONGEST_PATH, is_ours, is_supported, named
from sentient_cli.credentials.stores.passphrases import PassphraseSource
from sentient_cli.credentials.stores.places import require_folder
from sentient_cli.errors import CredentialStoreError
from sentient_cli.redact import redactor

__all__ = ["forget", "from_agent", "keep", "socket_path"]

_PATIENCE: Final = 5.0
_TRIES: Final = 5
_HANDED_ON: Final = ("PATH", "PYTHONPATH", "PYTHONHOME", "LANG", "SYSTEMROOT")
_PROGRAM: Final = (
    "import sys; from sentient_cli.credentials.agent.keeper import keep_passphrases; keep_passphrases(sys.argv[1])"
)
_replies: Final = msgspec.json.Decoder(Reply)


def socket_path() -> Path:
    """Where the process is asked: in a folder of this user alone.

    Example:
        >>> socket_path().name
        'agent.sock'
    """
    return paths.runtime_dir() / "passphrases" / "agent.sock"


def from_agent(file: Path, otherwise: PassphraseSource) -> PassphraseSource:
    """The passphrase that is kept for a file; where none is, or a new one is wanted, another source is asked.

    Args:
        file: The encrypted file.
        otherwise: The other source.
    """

    def read(new: bool) -> Secret:
        reply = None if new else _asked(Order("get", _name_of(file)))
        if reply is None or not reply.ok:
            return otherwise(new)
        redactor.register(reply.passphrase)
        return Secret(reply.passphrase)

    return read


def keep(file: Path, passphrase: Secret, seconds: float, environment: Mapping[str, str]) -> None:
    """Have the passphrase of a file kept for a while, by a process that is started for it unless there is one.

    Args:
        file: The encrypted file.
        passphrase: Its passphrase.
        seconds: How long.
        environment: The variables, of which the process gets those that an interpreter needs.

    Raises:
        CredentialStoreError: it cannot be started, or keeps too many already.
    """
    path = socket_path()
    if not is_supported():  # pragma: no cover - another operating system
        raise _failed("This system does not tell which user asks", "Name a file with `passphrase_file`")
    if len(os.fsencode(path)) > LONGEST_PATH and sys.platform != "linux":
        raise _failed(f"The path of its socket is too long: {path}", "Set XDG_RUNTIME_DIR to a shorter path")
    _make_folder(path.parent)
    order = Order("keep", _name_of(file), passphrase.reveal(), seconds)
    for _ in range(_TRIES):
        reply = _asked(order)
        if reply is not None and reply.ok:
            return
        if reply is not None:
            raise _failed("It keeps as many as it may", "Run `sentient keys lock` first")
        _start(path, environment)
    raise _failed("The process that keeps it did not start", "Run `sentient doctor`, and try again")


def _make_folder(folder: Path) -> None:
    """Make the folder with those above it: one that others can enter is no runtime directory."""
    try:
        for each in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
            each.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise _failed(f"{folder}: {error.strerror}", "Check the rights of XDG_RUNTIME_DIR") from error
    require_folder(folder)


def forget() -> int:
    """Have all passphrases forgotten; how many were kept."""
    reply = _asked(Order("forget"))
    return reply.kept if reply is not None else 0


def _asked(order: Order) -> Reply | None:
    """The answer; None: nobody is there, or nobody of ours."""
    path = socket_path()
    try:
        status = path.lstat()
        if not stat.S_ISSOCK(status.st_mode) or status.st_uid != os.geteuid() or not is_supported():
            return None
        require_folder(path.parent)
        with socket.socket(socket.AF_UNIX) as connection, named(path) as name:
            connection.settimeout(_PATIENCE)
            connection.connect(name)
            if not is_ours(connection):
                return None
            send(connection, order)
            return _replies.decode(receive(connection))
    except (OSError, msgspec.MsgspecError, UnicodeError, CredentialStoreError):
        return None


def _start(path: Path, environment: Mapping[str, str]) -> None:
    """Start the process, and wait until it can be asked."""
    import subprocess  # noqa: PLC0415 - most never start one

    command = [sys.executable, "-c", _PROGRAM, str(path)]
    try:
        process = subprocess.Popen(  # noqa: S603 - this interpreter
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={name: environment[name] for name in _HANDED_ON if name in environment},
            start_new_session=True,
        )
    except OSError as error:
        raise _failed(error.strerror or type(error).__name__, "Check that processes can be started") from error
    if process.stdout is not None:
        with process.stdout as told:
            told.readline()
    process.returncode = 0  # it goes on without us; nobody waits for it


def _name_of(file: Path) -> str:
    return os.path.realpath(file)


def _failed(why: str, fix: str) -> CredentialStoreError:
    return CredentialStoreError("The passphrase cannot be kept", why=why, fix=fix)
