"""How an error looks: a panel for a reader, one JSON line for a program. Both are redacted and safe for a terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sentient_cli.config.names import readable
from sentient_cli.redact import redactor
from sentient_cli.sanitize import sanitize

if TYPE_CHECKING:
    import rich.console

    from sentient_cli.errors import SentientError

__all__ = ["error_line", "json_text", "print_panel", "redacted"]

MAXIMUM_WIDTH = 100
NARROW = 40


def json_text(value: object) -> str:
    r"""``value`` as JSON in one line of printable ASCII.

    Example:
        >>> json_text({"text": "é"})
        '{"text": "\\u00e9"}'
    """
    return json.dumps(value, ensure_ascii=True, default=str).replace("\x7f", "\\u007f")


def error_line(error: SentientError) -> str:
    """An error as one line of JSON: ``{"error": {code, what, why, fix, exit_code}}``, and ``detail`` if it has one."""
    fields: dict[str, str | int] = {
        "code": error.code,
        "what": redacted(error.what),
        "why": redacted(error.why),
        "fix": redacted(error.fix),
        "exit_code": error.exit_code,
    }
    if error.detail:
        fields["detail"] = redacted(error.detail)
    return json_text({"error": fields})


def print_panel(console: rich.console.Console, error: SentientError) -> None:
    """Draw an error for a reader."""
    from rich.console import Group, RenderableType
    from rich.panel import Panel
    from rich.text import Text

    parts: list[RenderableType] = [Text(_safe(console, error.what), style="bold", overflow="fold")]
    parts += [
        _labelled(label, _safe(console, text)) for label, text in (("why", error.why), ("fix", error.fix)) if text
    ]
    if error.detail:
        parts.append(Text("\n" + _safe(console, error.detail).strip("\n"), overflow="fold"))
    panel = Panel(
        Group(*parts),
        title=Text(f"Error: {error.code}", style="bold red"),
        title_align="left",
        border_style="red",
        padding=(0, 0 if console.width < NARROW else 1),
        width=min(console.width, MAXIMUM_WIDTH),
    )
    console.print(panel)


def _labelled(label: str, text: str) -> rich.console.RenderableType:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(label, style="cyan"), Text(text, overflow="fold"))
    return grid


def redacted(text: str) -> str:
    """Text for other eyes: without secrets, and with the characters of the system's names as they are meant."""
    return redactor.redact(readable(text))


def _safe(console: rich.console.Console, text: str) -> str:
    # What the stream cannot encode becomes an escape before the lines are broken, or they would grow.
    shown = sanitize(redacted(text))
    return shown.encode(console.encoding, "backslashreplace").decode(console.encoding)
