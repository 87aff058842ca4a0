"""``sentient keys audit``."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["keys_audit"]


def keys_audit(
    lines: Annotated[int, typer.Option("-n", "--lines", metavar="N", min=0, help="How many entries.")] = 20,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Show those that come, too.", show_default=False)
    ] = False,
) -> None:
    """Show the latest entries of the audit log that are about keys.

    Each says when, what was done to which key, and by whom. `sentient audit` has the rest, and checks the log itself.
    """
    from sentient_cli.cli.audit import audit_tail

    audit_tail(lines, follow, ["credential"])
