"""What a server refuses and what weakens it, told to the audit log: by a thread, and seldom enough to be read."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from sentient_cli.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sentient_cli.audit import AuditLog
    from sentient_cli.config import Loaded

__all__ = ["SecurityLog", "refused_exposure", "security_log", "tell_weaknesses"]

_EVERY: Final = 60.0
_MOST: Final = 256
_OTHERS: Final = "others"
_LOCAL: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_logger = logging.getLogger(__name__)


class SecurityLog:
    """Tells the audit log of a server's refusals: the first of a kind from a peer at once, others as a number a minute.

    So whoever asks a thousand times a second neither fills the disk nor holds the server. A log that cannot be kept is
    said once, and requests are refused all the same.

    Args:
        opened: Opens the log, when there is something to tell.
        subject: The server, such as ``127.0.0.1:8000``.
        every: Seconds between two lines about the same.
        now: Seconds of a clock that never goes back.
    """

    def __init__(
        self,
        opened: Callable[[], AuditLog],
        subject: str,
        *,
        every: float = _EVERY,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open = opened
        self._subject = subject
        self._every = every
        self._now = now
        self._changed = threading.Condition()
        self._counts: dict[tuple[str, str], int] = {}
        self._told: dict[tuple[str, str], float] = {}
        self._thread: threading.Thread | None = None
        self._closed = False
        self._failed = False

    def refused(self, reason: str, peer: str) -> None:
        """A request was refused; returns at once.

        Args:
            reason: The code of the answer, such as ``token-required``.
            peer: The address that it came from.
        """
        key = (reason, peer)
        with self._changed:
            if self._closed:
                return
            if key not in self._counts and len(self._counts) + len(self._told) >= _MOST:
                key = (reason, _OTHERS)
            self._counts[key] = self._counts.get(key, 0) + 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="security-log", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def tell(self, action: str, subject: str, data: Mapping[str, str | int]) -> None:
        """Tell the log of something, now.

        Args:
            action: What was done.
            subject: To what.
            data: More about it.
        """
        from sentient_cli.audit import Event  # noqa: PLC0415 - most servers have nothing to tell

        try:
            self._open().append(Event("security", action, subject, data))
        except AuditError as error:
            if not self._failed:
                _logger.warning("Security events are not on record: %s", error)
            self._failed = True

    def close(self) -> None:
        """Tell what is not told yet. May be called twice."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        closed = False
        while not closed:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or bool(self._due()), timeout=self._next())
                closed = self._closed
                due = list(self._counts) if closed else self._due()
                counted = {key: self._counts.pop(key) for key in due}
                now = self._now()
                self._told = {key: at for key, at in self._told.items() if now - at < self._every}
                self._told.update(dict.fromkeys(due, now))
            for (reason, peer), count in counted.items():
                told: dict[str, str | int] = {"reason": reason, "peer": peer, "count": count}
                self.tell("request-refused", self._subject, told)

    def _due(self) -> list[tuple[str, str]]:
        now = self._now()
        return [key for key in self._counts if now - self._told.get(key, -self._every) >= self._every]

    def _next(self) -> float | None:
        """Seconds until something is due that was counted; None: nothing was."""
        now = self._now()
        return min((max(0.0, self._told.get(key, 0.0) + self._every - now) for key in self._counts), default=None)


def security_log(loaded: Loaded) -> SecurityLog:
    """That of a server with these settings."""
    server = loaded.settings.server

    def opened() -> AuditLog:
        from sentient_cli.audit import AuditLog, AuditPlaces  # noqa: PLC0415 - most servers have nothing to tell

        return AuditLog(AuditPlaces.of_this_user(loaded.settings.audit.checkpoint))

    return SecurityLog(opened, f"{server.host}:{server.port}")


def tell_weaknesses(loaded: Loaded, log: SecurityLog) -> None:
    """Tell what of these settings has a server guarded less than it could be, and who says so."""
    server, credentials = loaded.settings.server, loaded.settings.credentials
    found = {
        "server.insecure": server.insecure and server.host not in _LOCAL,
        "server.allow_origins": "*" in server.allow_origins,
        "credentials.core_dumps": credentials.core_dumps,
    }
    for key, is_weak in found.items():
        if is_weak:
            log.tell("weakened", key, {"by": str(loaded.sources[key])})


def refused_exposure(loaded: Loaded, why: str) -> None:
    """Tell that a server was not started, since nothing would have protected it.

    Args:
        loaded: Its settings.
        why: What was missing.
    """
    server = loaded.settings.server
    security_log(loaded).tell("exposure-refused", f"{server.host}:{server.port}", {"why": why})
