"""``sentient keys sync``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from sentient_cli.cli.invocation import current
from sentient_cli.cli.keys_options import YesOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sentient_cli.cli.console import Console
    from sentient_cli.credentials.moving import Drift

__all__ = ["keys_sync"]

_DRIFT: Final = 6
_COLUMNS: Final = ("name", "is", "from", "to", "done")
_IS: Final = {"missing": "missing there", "differs": "different", "same": "the same", "extra": "only there"}


def keys_sync(
    source: Annotated[
        str, typer.Option("--from", metavar="PROFILE", help="The profile to copy from.", show_default=False)
    ],
    target: Annotated[str, typer.Option("--to", metavar="PROFILE", help="The profile to copy to.", show_default=False)],
    from_store: Annotated[
        str | None, typer.Option("--from-store", metavar="STORE", help="The store to copy from, else the first.")
    ] = None,
    to_store: Annotated[
        str | None, typer.Option("--to-store", metavar="STORE", help="The store to copy to, else the same.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAMES", help="Only these: with commas, or repeated.")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only say what differs; ends with 6 when something does.", show_default=False),
    ] = False,
    yes: YesOption = False,
) -> None:
    """Copy the keys of one profile to another, or to another store.

    What differs there is replaced after a question, and what is only there stays. Each line says how the two compared;
    keys are told apart by their fingerprints.
    """
    from sentient_cli.cli.keys_door import names_of, open_door

    here = current()
    with open_door(here, source) as door:
        door.require_profile(source)
        names = names_of(only)

        def compare(*, dry: bool) -> tuple[Drift, ...]:
            return door.manager.sync(
                from_profile=source,
                to_profile=target,
                from_store=from_store,
                to_store=to_store,
                names=names,
                dry_run=dry,
            )

        drifts = compare(dry=True)
        differing = [drift.name for drift in drifts if drift.difference == "differs"]
        if differing and not dry_run and not yes:
            from sentient_cli.cli.keys_ask import require_yes

            require_yes(
                here,
                f"Replace {', '.join(differing)} in {target}?",
                missing=f"In {target} there are other keys: {', '.join(differing)}",
            )
        if not dry_run:
            drifts = compare(dry=False)
    _show(here.console, drifts)
    if dry_run and any(drift.difference in {"missing", "differs"} for drift in drifts):
        raise typer.Exit(_DRIFT)


def _show(console: Console, drifts: Sequence[Drift]) -> None:
    from sentient_cli.cli.keys_table import columns

    if console.json:
        for drift in drifts:
            console.json_line({**drift._asdict(), "source": drift.source or None, "target": drift.target or None})
        return
    if not drifts:
        console.data("Nothing is stored in either.")
        return
    rows = [
        {
            "name": drift.name,
            "is": _IS[drift.difference],
            "from": drift.source or "-",
            "to": drift.target or "-",
            "done": "copied" if drift.copied else "-",
        }
        for drift in drifts
    ]
    for line in columns(_COLUMNS, rows, console.width()):
        console.data(line)
