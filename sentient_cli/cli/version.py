"""`sentient --version`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sentient_cli import __version__

if TYPE_CHECKING:
    from sentient_cli.cli.console import Console

__all__ = ["print_version"]


def print_version(console: Console) -> None:
    """Print the version, as JSON when that is wanted."""
    if console.json:
        console.json_line({"version": __version__})
    else:
        console.script(f"sentient {__version__}\n")
