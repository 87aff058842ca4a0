"""What a hub and its workers say to each other: small control messages, and frames of entries that pass undecoded.

A frame is its length as four bytes, most significant first, then one byte that says what kind it is, then the payload.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from sentient_cli.errors import SentientError

if TYPE_CHECKING:
    from sentient_cli.config import DevSettings

__all__ = [
    "BLOB",
    "CONTROL",
    "ENTRIES",
    "Begun",
    "BlobHead",
    "Cancel",
    "EntriesHead",
    "Failed",
    "Finished",
    "FromWorker",
    "Idle",
    "Imported",
    "Leave",
    "Loaded",
    "Problem",
    "ReloadError",
    "Retire",
    "Stop",
    "ToWorker",
    "Watched",
    "decode_from_worker",
    "decode_to_worker",
    "encode",
]

CONTROL: Final = 0
"""A control message, as JSON."""
ENTRIES: Final = 1
"""Entries of runs: a list of `EntriesHead` as a line of JSON, then the lines of `sentient_cli.store.jsonl` of each."""
BLOB: Final = 2
"""Large data of an entry: a `BlobHead` as a line of JSON, then the bytes."""


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a generation cannot be used, as its author should read it. All of it is untrusted text.

    Args:
        code: The error's stable name.
        what: What happened.
        why: The reason.
        fix: What to do.
        detail: The frames of the user's own code.
        file: Where it failed.
        line: The line there, from 1.
        excerpt: That line and its neighbours, each with its number.
    """

    code: str
    what: str
    why: str = ""
    fix: str = ""
    detail: str = ""
    file: str | None = None
    line: int | None = None
    excerpt: str | None = None

    @classmethod
    def of(cls, error: SentientError) -> Problem:
        """The problem that an error tells of."""
        return cls(error.code, error.what, error.why, error.fix, error.detail)


# -- from a worker ---------------------------------------------------------------------------------------------------


class Watched(msgspec.Struct, frozen=True):
    """What the settings of `dev` say is to be watched, beside what always is.

    Args:
        watch: Files and directories.
        include: Patterns of files to watch.
        ignore: Patterns of files and directories not to watch.
    """

    watch: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: DevSettings) -> Watched:
        """What these settings say."""
        return cls(tuple(map(str, settings.watch)), settings.include, settings.ignore)


class Loaded(msgspec.Struct, tag="loaded", frozen=True):
    """The code is loaded and set up; the worker can take connections.

    Args:
        agent: What the agent is called.
        files: The user's own files that were imported, absolute.
        installed: The installed modules that were imported and had not been preloaded.
        env_file: The ``.env`` that was read.
        profile: The profile of its settings.
        warnings: What looks wrong in the settings.
        debug_port: Where a debugger can attach, on this machine; None: nowhere.
        address: Where its settings say that the server listens.
        watched: What its settings say is to be watched.
    """

    agent: str
    files: tuple[str, ...] = ()
    installed: tuple[str, ...] = ()
    env_file: str | None = None
    profile: str = "default"
    warnings: tuple[str, ...] = ()
    debug_port: int | None = None
    address: str = ""
    watched: Watched = Watched()


class Failed(msgspec.Struct, tag="failed", frozen=True):
    """The code cannot be used.

    Args:
        problem: Why.
        files: The user's own files that were read before that, absolute.
    """

    problem: Problem
    files: tuple[str, ...] = ()


class Begun(msgspec.Struct, tag="begun", frozen=True):
    """A run has begun.

    Args:
        run: Its id.
        prompt: The beginning of what was asked, masked.
        session: The chat.
        query: Its id.
        at: Nanoseconds since the epoch.
        process: The one that it is in, as `sentient_cli.config.processes` names it.
    """

    run: str
    prompt: str
    session: str
    query: str
    at: int
    process: str = ""


class Finished(msgspec.Struct, tag="finished", frozen=True):
    """A run has ended.

    Args:
        run: Its id.
        outcome: How.
        events: How many events it had.
        first_ms: Milliseconds to the first event.
        total_ms: Milliseconds to the end.
        error: The text of its last error event, masked.
    """

    run: str
    outcome: str
    events: int
    first_ms: float | None
    total_ms: float
    error: str | None = None


class Imported(msgspec.Struct, tag="imported", frozen=True):
    """More was imported since the worker was loaded.

    Args:
        files: The user's own files, absolute.
        installed: Installed modules.
    """

    files: tuple[str, ...] = ()
    installed: tuple[str, ...] = ()


class Idle(msgspec.Struct, tag="idle", frozen=True):
    """Retired, and nothing is left to do: once no more connections come, the worker leaves."""


FromWorker: TypeAlias = Loaded | Failed | Begun | Finished | Imported | Idle


# -- to a worker -----------------------------------------------------------------------------------------------------


class Retire(msgspec.Struct, tag="retire", frozen=True):
    """A newer generation answers: say when nothing is left to do."""


class Leave(msgspec.Struct, tag="leave", frozen=True):
    """No connection will come any more: answer those that are there, and leave."""


class Cancel(msgspec.Struct, tag="cancel", frozen=True):
    """Cancel the runs, each with a last event.

    Args:
        reason: What their clients are told.
    """

    reason: str


class Stop(msgspec.Struct, tag="stop", frozen=True):
    """Cancel the runs, each with a last event, and leave at once."""


class ReloadError(msgspec.Struct, tag="reload-error", frozen=True):
    """Say with each answer that a newer generation is broken.

    Args:
        generation: Which; None: none is any more.
    """

    generation: int | None


ToWorker: TypeAlias = Retire | Leave | Cancel | Stop | ReloadError


# -- heads of frames that pass undecoded -----------------------------------------------------------------------------


class EntriesHead(msgspec.Struct, frozen=True):
    """Which entries of a run a frame has.

    Args:
        run: Whose.
        first: The first seq.
        last: The last seq.
        finished: Whether the last one is the terminal one.
        size: The bytes of their lines.
    """

    run: str
    first: int
    last: int
    finished: bool
    size: int = 0


class BlobHead(msgspec.Struct, frozen=True):
    """Which data a frame has.

    Args:
        run: Whose.
        digest: The SHA-256 of the data, hexadecimal.
    """

    run: str
    digest: str


_from_worker: msgspec.json.Decoder[FromWorker] = msgspec.json.Decoder(FromWorker)
_to_worker: msgspec.json.Decoder[ToWorker] = msgspec.json.Decoder(ToWorker)
_encoder = msgspec.json.Encoder()


def encode(message: FromWorker | ToWorker) -> bytes:
    """The payload of a control message.

    Example:
        >>> encode(Cancel("Too old"))
        b'{"type":"cancel","reason":"Too old"}'
    """
    try:
        return _encoder.encode(message)
    except UnicodeEncodeError:  # names of files that are no text keep their bytes: they have lone surrogates
        return json.dumps(msgspec.to_builtins(message)).encode()


def decode_from_worker(payload: bytes) -> FromWorker:
    """What a worker says.

    Raises:
        msgspec.DecodeError: it is nothing of the kind.
    """
    try:
        return _from_worker.decode(payload)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError as error:
        return _with_lone_surrogates(payload, error)


def _with_lone_surrogates(payload: bytes, error: msgspec.DecodeError) -> FromWorker:
    try:
        found: object = json.loads(payload)
    except ValueError:
        raise error from None
    message: FromWorker = msgspec.convert(found, FromWorker)
    return message


def decode_to_worker(payload: bytes) -> ToWorker:
    """What a hub says.

    Raises:
        msgspec.DecodeError: it is nothing of the kind.

    Example:
        >>> decode_to_worker(b'{"type":"reload-error","generation":7}')
        ReloadError(generation=7)
    """
    return _to_worker.decode(payload)
