"""The server's own log: one JSON object a line, or text for people. Secrets are masked in both."""

from __future__ import annotations

import json
import logging
import sys
import warnings
from datetime import UTC, datetime
from typing import Literal, TextIO

from sentient_cli.config.names import readable
from sentient_cli.redact import redactor
from sentient_cli.runtime.events import encode_json
from sentient_cli.runtime.run import current_run
from sentient_cli.sanitize import sanitize

__all__ = ["announce", "configure_logging", "set_level"]

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}
_NUMBERS = (int, float)
_OUR_LOGGERS = "sentient_cli."
_OUR_FIELDS = frozenset(
    (
        *("time", "level", "logger", "message", "exception", "stack", "run_id", "session_id", "query_id"),
        *("task", "request_id", "reference", "url"),
    )
)
_UPGRADES = ("Unsupported upgrade request.", "No supported WebSocket library detected.")
_warnings = logging.getLogger("sentient_cli.warnings")


def _clean(text: str) -> str:
    return sanitize(redactor.redact(readable(text)))


def _field(value: object) -> str | float:
    return value if isinstance(value, _NUMBERS) else str(value)


def _broken(record: logging.LogRecord, error: Exception) -> str:
    try:
        why = f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - an error whose own text cannot be had
        why = type(error).__name__
    return f"A log call could not be formatted: {why} ({record.pathname}:{record.lineno})"


class _JsonFormatter(logging.Formatter):
    def __init__(self, *, ascii_only: bool) -> None:
        super().__init__()
        self._ascii_only = ascii_only

    def format(self, record: logging.LogRecord) -> str:
        try:
            return self._encode(self._fields(record))
        except Exception as error:  # noqa: BLE001 - anything can be in a log call of the agent
            return self._encode(self._frame(record, "error", _broken(record, error)))

    @staticmethod
    def _frame(record: logging.LogRecord, level: str, message: str) -> dict[str, object]:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        data: dict[str, object] = {"time": time, "level": level, "logger": record.name, "message": message}
        run = current_run.get()
        if run is not None:
            data["run_id"], data["query_id"] = run.id, str(run.query.id)
            data["session_id"] = str(run.session.activity_id)
        return data

    def _fields(self, record: logging.LogRecord) -> dict[str, object]:
        data = self._frame(record, record.levelname.lower(), record.getMessage())
        ours = record.name.startswith(_OUR_LOGGERS)
        for name, value in vars(record).items():
            if name not in _PLAIN and value is not None and (value or not isinstance(value, str)):
                # Nobody else gives a line another time or level, or says that it belongs to another run.
                data[f"extra_{name}" if name in _OUR_FIELDS and not ours else name] = _field(value)
        if record.exc_info:
            data["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            data["stack"] = self.formatStack(record.stack_info)
        return data

    def _encode(self, data: dict[str, object]) -> str:
        line = encode_json(data)
        # Most lines are harmless, and one look at the whole is much cheaper than cleaning each field.
        if not line.isascii() or b"\\u" in line or redactor.suspects(line.decode()):
            line = encode_json(
                {name: _clean(value) if isinstance(value, str) else value for name, value in data.items()}
            )
        if self._ascii_only and not line.isascii():
            return json.dumps(json.loads(line), separators=(",", ":"))
        return line.decode()


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        try:
            return self._line(record, record.levelname.lower(), record.getMessage())
        except Exception as error:  # noqa: BLE001 - as above
            return self._line(record, "error", _broken(record, error))

    def _line(self, record: logging.LogRecord, level: str, message: str) -> str:
        time = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        parts = [f"{time} {level:<8} {message}"]
        if record.exc_info:
            parts.append(self.formatException(record.exc_info))
        if record.stack_info:
            parts.append(self.formatStack(record.stack_info))
        return _clean("\n".join(parts))


def configure_logging(level: str, style: Literal["json", "text"], stream: TextIO | None = None) -> None:
    """Send everything that is logged in this process to one stream.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.
        style: JSON lines, or text.
        stream: Standard error unless given.
    """
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    # What a stream cannot encode it writes as an escape of Python's, which JSON does not know.
    utf_8 = (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"
    handler.setFormatter(_JsonFormatter(ascii_only=not utf_8) if style == "json" else _TextFormatter())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    warnings.showwarning = _log_warning
    logging.getLogger("uvicorn.error").addFilter(_is_no_upgrade)
    set_level(level)


def set_level(level: str) -> None:
    """Show more or less of what is logged from now on.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.

    Example:
        >>> before = logging.getLevelName(logging.getLogger().level)
        >>> set_level("error")
        >>> logging.getLogger("my.agent").isEnabledFor(logging.WARNING)
        False
        >>> set_level(before)
    """
    root = logging.getLogger()
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    for name in ("httpx", "httpcore", "asyncio"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def announce(message: str, **facts: str) -> None:
    """Log what has to be seen whatever the level, such as where a server listens.

    Args:
        message: A sentence.
        facts: The same for programs, by name.
    """
    record = logging.LogRecord(__name__, logging.INFO, __file__, 0, message, (), None)
    vars(record).update(facts)
    for handler in logging.getLogger().handlers:
        handler.handle(record)


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """What `warnings.showwarning` is here; the log of a run has its warnings by other means."""
    if file is not None:
        file.write(warnings.formatwarning(message, category, filename, lineno, line))
        return
    _warnings.warning("%s: %s", category.__name__, message, extra={"where": f"{filename}:{lineno}"})


def _is_no_upgrade(record: logging.LogRecord) -> bool:
    """A client that asks for a WebSocket is answered over HTTP, and no concern of the operator's."""
    return not str(record.msg).startswith(_UPGRADES)
