"""A program that is given keys: its output is masked, and all else is as if it were started without us.

Where stdin and stdout are a terminal, the program has one of its own, whose size and keys are those of ours; elsewhere
its output goes through pipes, and it stays in our process group. Signals are handed on, and so is how it ended.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import stat
import subprocess
import time
from typing import TYPE_CHECKING, Final

from sentient_cli.cli.keys_mask import OutputMask
from sentient_cli.cli.keys_terminal import copy_size, is_behind, open_terminal, raw, take_terminal
from sentient_cli.errors import SentientError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

__all__ = ["run_masked"]

_PIECE: Final = 65536
_HELD: Final = 0.05
"""Seconds for which the beginning of a key waits for the rest of it."""
_LAST: Final = 0.5
_STEP: Final = 0.01
_OF_TERMINAL: Final = frozenset({signal.SIGINT, signal.SIGQUIT})
_ENDING: Final = _OF_TERMINAL | {signal.SIGTERM, signal.SIGHUP}
_HANDED_ON: Final = _ENDING | {signal.SIGUSR1, signal.SIGUSR2}
_BY_SIGNAL: Final = 128
_GONE: Final = frozenset({errno.EPIPE, errno.EIO})
"""How a reader that has left is told, and a terminal that was closed."""


def run_masked(command: Sequence[str], environment: Mapping[str, str], values: Sequence[str]) -> int:
    """Run a program, masking values in all that it writes.

    Args:
        command: The program and its arguments.
        environment: All of its variables.
        values: What is masked.

    Returns:
        Its exit code; 128 and the number of the signal that ended it.

    Raises:
        OSError: it cannot be started.
        SentientError: what it writes cannot be passed on, such as to a full disk. It has ended then.
    """
    with contextlib.ExitStack() as stack:
        child = _Child(values, stack.enter_context(_signals()))
        stack.callback(child.close)
        child.start(command, environment)
        if child.screen is not None:
            stack.enter_context(raw(0))
        return child.until_it_ends()


class _Stream:
    """One stream of the program, and where it goes.

    Args:
        source: What the program writes to.
        target: Where it goes.
        values: What is masked.
        wait: Waits until something can be written there; False once nobody wants that any more.
    """

    def __init__(self, source: int, target: int, values: Sequence[str], wait: Callable[[int], bool]) -> None:
        self._source = source
        self._target = target
        self._wait = wait
        # More might not fit into a pipe at once, and who waits for that hands on no signal.
        self._piece = _PIECE if stat.S_ISREG(os.fstat(target).st_mode) else select.PIPE_BUF
        self._mask = OutputMask(values)
        self._due = 0.0
        self.fault: OSError | None = None

    @property
    def left(self) -> float | None:
        """Seconds for which something may still be held back; None: nothing is."""
        return max(self._due - time.monotonic(), 0.0) if self._mask.waits else None

    def pump(self) -> bool:
        """Pass on what is there; False at its end, or when its reader has left."""
        data = self._read()
        waited = self._mask.waits
        passed = self._mask.feed(data) if data else self._mask.expire()
        if passed or not waited:
            self._due = time.monotonic() + _HELD
        return self._write(passed) and bool(data)

    def expire(self) -> None:
        """Let go of what is held back."""
        self._write(self._mask.expire())

    def _read(self) -> bytes:
        try:
            return os.read(self._source, _PIECE)
        except OSError as error:
            if error.errno != errno.EIO:  # which is how a terminal ends
                raise
            return b""

    def _write(self, data: bytes) -> bool:
        view = memoryview(data)
        try:
            while view:
                if not self._wait(self._target):
                    return False
                view = view[os.write(self._target, view[: self._piece]) :]
        except OSError as error:
            if error.errno not in _GONE:
                self.fault = error
            return False
        return True


class _Child:
    """The program while it runs.

    Args:
        values: What is masked.
        wakeup: Receives the number of each signal.
    """

    def __init__(self, values: Sequence[str], wakeup: socket.socket) -> None:
        self._values = values
        self._wakeup = wakeup
        self._streams: dict[int, _Stream] = {}
        self._typed = b""
        self._reads = True
        self._told_to_end = False
        self._fault: OSError | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.screen: int | None = None

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start it."""
        own = os.isatty(0) and os.isatty(1) and not is_behind(0)
        theirs: int | None = None
        if own:
            self.screen, theirs = open_terminal(1)
            self._streams[self.screen] = _Stream(self.screen, 1, self._values, self._wait_for)
        out = theirs if theirs is not None else self._pipe(1)
        error = theirs if theirs is not None and os.isatty(2) else self._pipe(2)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - what the user typed
                command,
                env=environment,
                stdin=theirs,
                stdout=out,
                stderr=error,
                start_new_session=own,
                preexec_fn=take_terminal if own else None,  # noqa: PLW1509 - there is no other thread
            )
        finally:
            for descriptor in {out, error}:
                os.close(descriptor)

    def until_it_ends(self) -> int:
        """Pass everything on; its exit code."""
        process = self._process
        if process is None:
            return 0
        while (code := process.poll()) is None:
            self._turn(self._patience())
        self._drain()
        for stream in self._streams.values():
            stream.expire()
        fault = next((stream.fault for stream in self._streams.values() if stream.fault is not None), self._fault)
        if fault is not None:
            raise SentientError(
                "What the program wrote could not be passed on", why=fault.strerror or "", fix="Check where it goes"
            ) from fault
        return code if code >= 0 else _BY_SIGNAL - code

    def close(self) -> None:
        """Close what is open; a program that still runs then is ended, since nobody masks what it writes."""
        for source in self._streams:
            os.close(source)
        self._streams.clear()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait()

    def _drain(self) -> None:
        """Pass on what it wrote before it ended; of a terminal the last of it comes a moment later, then its end."""
        give_up = time.monotonic() + _LAST
        while True:
            waits = self.screen in self._streams and time.monotonic() < give_up
            if not self._turn(_STEP if waits else 0.0) and not waits:
                return

    def _pipe(self, target: int) -> int:
        source, end = os.pipe()
        self._streams[source] = _Stream(source, target, self._values, self._wait_for)
        return end

    def _wait_for(self, target: int) -> bool:
        while True:
            # Before it is waited for: that it has ended may have been told already.
            is_over = self._told_to_end and self._process is not None and self._process.poll() is not None
            told, writable, _ = select.select([self._wakeup], [target], [], 0.0 if is_over else None)
            if told:
                self._take_signals()
            if writable:
                return True
            if is_over:
                return False  # whoever reads this has stopped, and all else is over

    def _patience(self) -> float | None:
        return min((left for stream in self._streams.values() if (left := stream.left) is not None), default=None)

    def _turn(self, patience: float | None) -> bool:
        """Wait for something and do it; whether the program had written something."""
        reads = [self._wakeup.fileno(), *self._streams]
        if self._reads and self.screen in self._streams and not self._typed:
            reads.append(0)
        writes = [self.screen] if self.screen in self._streams and self._typed else []
        ready, writable, _ = select.select(reads, writes, [], patience)
        if self._wakeup.fileno() in ready:
            self._take_signals()
        if 0 in ready:
            self._read_typed()
        if writable and self.screen is not None:
            with contextlib.suppress(OSError):  # it has ended
                self._typed = self._typed[os.write(self.screen, self._typed) :]
        for source in self._streams.keys() & set(ready):
            if not self._streams[source].pump():
                fault = self._streams.pop(source).fault
                self._fault = self._fault or fault
                os.close(source)
        for stream in self._streams.values():
            if stream.left == 0:
                stream.expire()
        return not self._streams.keys().isdisjoint(ready)

    def _read_typed(self) -> None:
        try:
            self._typed = os.read(0, _PIECE)
        except OSError:
            self._typed = b""
        if not self._typed:  # our terminal is gone
            self._reads = False
            self._hand_on(signal.SIGHUP)

    def _take_signals(self) -> None:
        for number in self._wakeup.recv(_PIECE):
            if number == signal.SIGWINCH and self.screen in self._streams:
                copy_size(1, self.screen)
            elif number in _HANDED_ON:
                self._hand_on(number)

    def _hand_on(self, number: int) -> None:
        process = self._process
        self._told_to_end = self._told_to_end or number in _ENDING
        if process is None or process.poll() is not None:
            return
        if self.screen is not None:
            os.killpg(process.pid, number)
        elif number not in _OF_TERMINAL or not _in_foreground():
            process.send_signal(number)


def _in_foreground() -> bool:
    """Whether a terminal has us in its foreground: what is typed there, it tells the program itself."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


@contextlib.contextmanager
def _signals() -> Generator[socket.socket]:
    """Have signals written to a socket, in the place of what they do."""
    reader, writer = socket.socketpair()
    for end in (reader, writer):
        end.setblocking(False)
    numbers = (*_HANDED_ON, signal.SIGCHLD, signal.SIGWINCH)
    # Who started us may have SIGCHLD ignored, but then the system would not tell how the program ended.
    ignored = {number for number in _HANDED_ON if signal.getsignal(number) is signal.SIG_IGN}
    before = {number: signal.signal(number, _noted) for number in numbers if number not in ignored}
    old = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(old)
        for number, handler in before.items():
            signal.signal(number, handler)
        reader.close()
        writer.close()


def _noted(number: int, frame: object) -> None:
    """Python calls this once a signal was written to the socket."""
