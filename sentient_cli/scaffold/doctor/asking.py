"""Asks another program, for a bounded time, and leaves none of its children behind."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Answer", "ask"]

SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """How a program ended.

    Args:
        code: Its exit code; negative for a signal, None when it was not there or did not end in time.
        out: What it wrote to stdout.
        error: What it wrote to stderr.
        late: Whether it was ended because it took too long.
    """

    code: int | None
    out: str = ""
    error: str = ""
    late: bool = False


def ask(
    command: Sequence[str],
    *,
    where: Path,
    environment: Mapping[str, str],
    given: str = "",
    seconds: float = SECONDS,
    quiet: bool = False,
) -> Answer:
    r"""Run a program to its end.

    Args:
        command: The program and its arguments.
        where: The directory it runs in.
        environment: All of its variables.
        given: What it reads from stdin.
        seconds: When it is ended.
        quiet: Whether what it writes to stderr is thrown away.

    Example:
        >>> import sys
        >>> ask([sys.executable, "-c", "print(6 * 7)"], where=Path(), environment={}).out
        '42\n'
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - our own commands
            list(command),
            cwd=where,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if quiet else subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        return Answer(None, error=error.strerror or str(error))
    try:
        out, said = process.communicate(given.encode(), timeout=seconds)
    except subprocess.TimeoutExpired:
        return Answer(None, late=True)
    finally:
        _end(process)
    return Answer(process.returncode, _text(out), _text(said))


def _text(data: bytes | None) -> str:
    return (data or b"").decode("utf-8", "replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    alive = process.poll() is None
    try:
        if alive and os.name != "nt":
            os.killpg(process.pid, signal.SIGKILL)
        elif alive:
            process.kill()
    except OSError:
        pass
    if alive:
        process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
