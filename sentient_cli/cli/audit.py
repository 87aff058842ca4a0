"""``sentient audit``: whether the audit log is as it was written, and what is in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sentient_cli.cli.commands import CommandRow
from sentient_cli.cli.invocation import Invocation, current

if TYPE_CHECKING:
    from sentient_cli.audit import AuditPlaces
    from sentient_cli.audit.export import Wanted

__all__ = ["audit", "audit_checkpoint", "audit_export", "audit_schema", "audit_tail", "audit_verify"]

_HERE = "sentient_cli.cli.audit"

COMMANDS = (
    CommandRow("verify", _HERE, "Check that nothing was changed since it was written."),
    CommandRow("tail", _HERE, "Show the latest entries, and those that come."),
    CommandRow("export", _HERE, "Write entries to a file, for others to keep."),
    CommandRow("checkpoint", _HERE, "Print the signed checkpoint, to keep it elsewhere."),
    CommandRow("schema", _HERE, "Print the JSON Schema of the entries of a category."),
)

CategoryOption = Annotated[
    list[str] | None, typer.Option("--category", metavar="NAME", help="Only entries of this one; may be repeated.")
]


def audit() -> None:
    """Check and read the audit log.

    Each line of it names the hash of the line before, and a signed checkpoint says how it ends.
    """


def audit_verify(
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint",
            metavar="FILE",
            help="A checkpoint that was kept elsewhere: nothing after it may be missing.",
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option("--key", metavar="FILE", help="The key that was kept elsewhere, to check signatures with."),
    ] = None,
) -> None:
    """Check that nothing was changed, taken out, put in or cut off since it was written.

    Every line is checked against those around it, and the end against the signed checkpoint. Ends with 6 when
    something was found. With --json each finding is one line, and the last one sums up.
    """
    from sentient_cli.audit.verify import verify
    from sentient_cli.cli.audit_shown import show_verified

    here = current()
    places = _places(here)
    verified = verify(places, kept=checkpoint, key=key)
    show_verified(here.console, verified, places)


def audit_tail(
    lines: Annotated[int, typer.Option("-n", "--lines", metavar="N", min=0, help="How many entries.")] = 20,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Show those that come, too.", show_default=False)
    ] = False,
    category: CategoryOption = None,
) -> None:
    """Show the latest entries: number, time in UTC, what was done to what, and by whom.

    With --json each entry is one line, with all that it has.
    """
    from sentient_cli.audit.export import latest
    from sentient_cli.cli.audit_shown import follow_entries, show_entries

    here = current()
    path = _places(here).log
    wanted = _wanted(None, None, category)
    found, unread, size = latest(path, lines, wanted)
    show_entries(here.console, found)
    if unread:
        here.console.warn(f"{unread} lines among them are no entries; see `sentient audit verify`")
    if not found and not follow:
        here.console.say("No entries.")
    if follow:
        follow_entries(here.console, path, size, wanted)


def audit_export(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to; `-` for stdout.", show_default=False)],
    since: Annotated[
        str | None, typer.Option("--since", metavar="WHEN", help="24h, 7d, 4w, today, or a day such as 2026-01-31.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="WHEN", help="The same; not counting that moment.")
    ] = None,
    category: CategoryOption = None,
    form: Annotated[
        Literal["jsonl", "csv"],
        typer.Option("--format", metavar="FORMAT", help="jsonl: the lines as they are; or csv."),
    ] = "jsonl",
) -> None:
    """Write entries to a file, or to stdout, and say which they are and under which checkpoint.

    The file is there whole or not at all. With --json what is said is one line of JSON; not with stdout as FILE.
    """
    from sentient_cli.audit.export import export, export_to
    from sentient_cli.cli.audit_shown import show_exported
    from sentient_cli.errors import UsageError

    here = current()
    if file == "-" and here.console.json:
        raise UsageError("Two things cannot be written to stdout", fix="Leave --json out, or give a file")
    places, wanted = _places(here), _wanted(since, until, category)
    if file == "-":
        exported = export(places.log, wanted, form, lambda data: here.console.script(data.decode()))
    else:
        exported = export_to(places, Path(file), wanted, form)
    show_exported(here.console, exported, places, file)


def audit_checkpoint(
    key: Annotated[
        bool, typer.Option("--key", help="Print the public key instead, which checks signatures.", show_default=False)
    ] = False,
) -> None:
    """Print the signed checkpoint of the log, or its key, to keep them where nobody can change them with the log.

    `sentient audit verify --checkpoint FILE --key FILE` takes both.
    """
    from sentient_cli.audit.verify import signed_checkpoint
    from sentient_cli.errors import AuditError

    here = current()
    places = _places(here)
    found = signed_checkpoint(places)
    if found is None:
        raise AuditError(
            "There is no checkpoint with a right signature",
            why=f"It would be at {places.checkpoint}",
            fix="It is made with the first entry; `sentient audit verify` says what is wrong with one",
        )
    checkpoint, verifying, note = found
    text = verifying.text(checkpoint.origin) + "\n" if key else note.decode()
    if here.console.json:
        here.console.json_line({"key": text.strip()} if key else {**checkpoint._asdict(), "note": text})
    else:
        here.console.script(text)


def audit_schema(
    category: Annotated[
        str | None, typer.Argument(metavar="CATEGORY", help="Of which; else the categories.", show_default=False)
    ] = None,
) -> None:
    """Print the JSON Schema of the entries of a category, or which categories there are."""
    import json

    from sentient_cli.audit.schemas import CATEGORIES, schema_of

    console = current().console
    if category is None:
        for name, about in CATEGORIES.items():
            if console.json:
                console.json_line({"category": name, "about": about})
            else:
                console.data(f"{name:<12}{about}")
    elif console.json:
        console.json_line(schema_of(category))
    else:
        console.data(json.dumps(schema_of(category), indent=2))


def _places(here: Invocation) -> AuditPlaces:
    from sentient_cli.audit.places import AuditPlaces

    settings = here.load(no_env_file=True, tell=False, details=False).settings  # no project has a say in it
    places = AuditPlaces.of_this_user(settings.audit.checkpoint)
    for name, place in places._asdict().items():
        here.console.detail(f"{name.capitalize()}: {place}")
    return places


def _wanted(since: str | None, until: str | None, categories: list[str] | None) -> Wanted:
    from sentient_cli.audit.export import Wanted
    from sentient_cli.audit.schemas import CATEGORIES
    from sentient_cli.errors import UsageError

    for name in categories or ():
        if name not in CATEGORIES:
            raise UsageError(f"There is no category {name!r}", fix=f"Take some of {', '.join(CATEGORIES)}")
    span = Wanted(categories=frozenset(categories or ()))
    if since is not None and since != "all":
        span = span._replace(since=_moment(since))
    return span._replace(until=_moment(until)) if until is not None else span


def _moment(text: str) -> int:
    from datetime import UTC, datetime

    from sentient_cli.llm.usage.report import parse_since

    return parse_since(text, datetime.now(UTC))
