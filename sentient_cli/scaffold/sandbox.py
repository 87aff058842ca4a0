"""A template that is not ours, in a process of its own: little environment, limited memory, time and space."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import IO, cast

import msgspec

from sentient_cli.config.environ import process_environment
from sentient_cli.errors import TemplateRenderError, TemplateUnsafeError
from sentient_cli.runtime.events import JsonValue
from sentient_cli.sanitize import sanitize
from sentient_cli.scaffold.limits import Limits, walk
from sentient_cli.scaffold.messages import Ask, Opening, Reply
from sentient_cli.scaffold.questions import Answers, Question
from sentient_cli.scaffold.rendering import Rendering, read_back
from sentient_cli.scaffold.tools import Interruption, end_group

__all__ = ["Sandbox", "open_sandbox"]

_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from sentient_cli.scaffold.sandboxed import main; main()"
)
# Variables that a template may see: language, time zone, what Windows needs to start a program, coverage of our tests.
_KEPT = ("LANG", "LC_", "TZ", "SYSTEMROOT", "COMSPEC", "PATHEXT", "COVERAGE_")
_POLL = 0.05
_START = 20.0
"""Seconds that starting the process may take on top: a busy machine is not the template's fault."""
_LONGEST_REPLY = 32 << 20


@contextlib.contextmanager
def open_sandbox(
    root: Path,
    *,
    context: Answers,
    defaults: Answers,
    limits: Limits,
    trust: bool = False,
    interruption: Interruption | None = None,
) -> Generator[Sandbox]:
    """Open a template in a process of its own, for as long as the block lasts.

    Args:
        root: The directory of its ``copier.yml``.
        context: Further names that a question may refer to.
        defaults: What takes the place of the template's own defaults.
        limits: How much it may take.
        trust: Whether it may run its tasks and extensions, with our environment.
        interruption: Ends it early.

    Raises:
        TemplateError: it cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="sentient-sandbox-") as folder, tempfile.TemporaryFile() as log:
        process = _start(Path(folder), log, trust=trust)
        # A task that was allowed may make a repository, as many do; ours takes its place.
        git = not trust
        try:
            sandbox = Sandbox(process, Path(folder), log, limits, interruption, git=git)
            opening = Opening(
                str(root),
                trust,
                limits.memory,
                int(limits.seconds) + 1,
                limits.total,
                dict(context),
                dict(defaults),
            )
            reply = sandbox.request(opening)
            sandbox.names, sandbox.secrets = reply.names, frozenset(reply.secrets)
            sandbox.programs, sandbox.extensions = reply.programs, reply.extensions
            yield sandbox
        finally:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1)  # its stdin is closed: it leaves by itself
            end_group(process)


def _start(folder: Path, log: IO[bytes], *, trust: bool) -> subprocess.Popen[bytes]:
    own = process_environment()
    environment = dict(own) if trust else {name: value for name, value in own.items() if name.startswith(_KEPT)}
    home = folder / "home"
    home.mkdir()
    if not trust:
        environment |= {"HOME": str(home), "USERPROFILE": str(home), "TMPDIR": str(home), "PATH": os.defpath}
    return subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-I", "-c", _BOOT, json.dumps(sys.path)],
        cwd=home,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        start_new_session=True,
    )


class Sandbox:
    """A template in a process of its own."""

    names: tuple[str, ...] = ()
    secrets: frozenset[str] = frozenset()
    programs: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        folder: Path,
        log: IO[bytes],
        limits: Limits,
        interruption: Interruption | None,
        *,
        git: bool,
    ) -> None:
        self._process = process
        self._folder = folder
        self._log = log
        self._limits = limits
        self._interruption = interruption
        self._git = git

    def next(self, given: Answers) -> Question | None:
        """The first question that is not answered yet and is to be asked."""
        asked = self.request(Ask("next", dict(given))).question
        return None if asked is None else asked.question()

    def complete(self, given: Answers) -> dict[str, JsonValue]:
        """Every answer."""
        return cast("dict[str, JsonValue]", self.request(Ask("complete", dict(given))).answers)

    def settle(self, given: Answers) -> dict[str, JsonValue]:
        """The answers that make a project."""
        return cast("dict[str, JsonValue]", self.request(Ask("settle", dict(given))).answers)

    def render(self, given: Answers, name: str) -> Rendering:
        """Render it.

        Args:
            given: The answers that it did not compute by itself.
            name: What the directory of the project is called.

        Raises:
            TemplateRenderError: it cannot be rendered within the limits.
            TemplateUnsafeError: it renders too much, or what is no plain file.
        """
        into = self._folder / "rendered" / name
        into.mkdir(parents=True)
        self.request(Ask("render", dict(given), str(into)), watched=into)
        return read_back(into, self._limits, git=self._git)

    def request(self, message: Opening | Ask, *, watched: Path | None = None) -> Reply:
        """Send a request and wait for its reply.

        Raises:
            SentientError: the one that the other side raised, or that it is gone or takes too long.
        """
        if self._process.stdin is None or self._process.stdout is None:
            raise TemplateRenderError("The template's process has no pipes")
        try:
            self._process.stdin.write(msgspec.json.encode(message) + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._gone() from None
        seconds = self._limits.seconds + (_START if isinstance(message, Opening) else 0)
        line = self._line(self._process.stdout.fileno(), watched, time.monotonic() + seconds)
        try:
            reply = msgspec.json.decode(line, type=Reply)
        except msgspec.MsgspecError:
            raise TemplateRenderError("The template's process said what is no reply") from None
        if reply.failure is not None:
            raise reply.failure.error()
        return reply

    def _line(self, descriptor: int, watched: Path | None, deadline: float) -> bytes:
        received = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while not received.endswith(b"\n"):
                if selector.select(_POLL):
                    part = os.read(descriptor, 1 << 16)
                    received += part
                    if not part:
                        raise self._gone()
                self._allow(len(received), deadline, watched)
        return bytes(received)

    def _allow(self, received: int, deadline: float, watched: Path | None) -> None:
        if self._interruption is not None:
            self._interruption.check()
        if time.monotonic() > deadline:
            raise TemplateRenderError(
                "The template takes too long",
                why=f"It may take {self._limits.seconds:g} s",
                fix="Look for a loop without end in it, or allow more with `--timeout`",
            )
        if received > _LONGEST_REPLY:
            raise TemplateUnsafeError("The template's process says more than it may")
        if watched is not None:
            with contextlib.suppress(OSError):  # it comes and goes while we look
                for _ in walk(watched, self._limits, "What the template renders", git=self._git):
                    pass

    def _gone(self) -> TemplateRenderError:
        self._process.wait()
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - 4096))
        said = sanitize(self._log.read().decode("utf-8", "replace")).strip()
        return TemplateRenderError(
            "The template could not be rendered",
            why="It took more memory, time or space than it may have, or broke its process",
            fix="Correct the template",
            detail="\n".join(said.splitlines()[-5:]),
        )
