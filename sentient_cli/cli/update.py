"""``sentient update``: the template's changes, merged into the project."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sentient_cli.cli.invocation import Invocation, current
from sentient_cli.cli.wizard import Wizard

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from sentient_cli.runtime.events import JsonValue
    from sentient_cli.scaffold.changes import Change
    from sentient_cli.scaffold.planned import Prepared, Wish
    from sentient_cli.scaffold.source import TemplateSource
    from sentient_cli.scaffold.tools import Interruption
    from sentient_cli.scaffold.trust import TemplateFacts
    from sentient_cli.scaffold.undo import Restored

_STYLES = {"added": "green", "updated": "green", "merged": "green", "conflict": "bold red", "removed": "yellow"}
_DIFF_STYLES = {"+": "green", "-": "red", "@": "cyan"}
_ACTIONS = 8
_DIFFERENT = 6


def update(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change and change nothing.", show_default=False)
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take the last update back.", show_default=False)] = False,
    data: Annotated[
        list[str] | None,
        typer.Option("--data", "-d", metavar="NAME=VALUE", help="Another answer to a question; may be repeated."),
    ] = None,
    template: Annotated[
        str | None, typer.Option("--template", "-t", metavar="TEMPLATE", help="Where the template is now.")
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Let the template run its programs.", show_default=False)
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="With --undo: files that were changed since, too.", show_default=False),
    ] = False,
) -> None:
    """Bring the changes of the template into this project.

    What you changed stays. Where you and the template changed the same lines, both are kept between marks, and the
    exit code is 6. Nothing is contacted for the templates that come with this program. --undo takes it back.
    """
    from sentient_cli.errors import UsageError
    from sentient_cli.scaffold.planned import Wish
    from sentient_cli.scaffold.tools import Interruption
    from sentient_cli.scaffold.update import find_project, require_whole

    if undo and (dry_run or data or template or trust):
        raise UsageError("--undo takes no other option but --force", fix="Leave the others out")
    if force and not undo:
        raise UsageError("--force belongs to --undo", fix="An update needs none: what you changed stays")
    here = current()
    project = find_project(here.project or Path())
    here.console.detail(f"Project: {project}")
    wish = Wish(project, template or "", _data(data or []), trust)
    with Interruption().listening() as stop:
        if undo:
            _undo(here, project, force=force)
        elif dry_run:
            require_whole(project)
            _dry_run(here, _prepare(here, wish, stop))
        else:
            _update(here, wish, stop)


def _data(given: list[str]) -> dict[str, JsonValue]:
    from sentient_cli.errors import UsageError

    pairs = [text.partition("=") for text in given]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise UsageError(f"{name!r} is no answer", fix="Write `--data NAME=VALUE`")
    return {name: value for name, _, value in pairs}


def _prepare(here: Invocation, wish: Wish, stop: Interruption) -> Prepared:
    from sentient_cli.scaffold.update import prepare

    began = time.monotonic()
    user = _Reader(here.console, asks=True) if here.console.interactive else None
    prepared = prepare(wish, user=user, interruption=stop)
    versions = f"{prepared.before or 'no version'} to {prepared.now or 'no version'}"
    here.console.detail(f"Template: {prepared.template}, {versions}; compared in {time.monotonic() - began:.2f} s")
    return prepared


def _update(here: Invocation, wish: Wish, stop: Interruption) -> None:
    from sentient_cli.errors import UpdateConflictError
    from sentient_cli.scaffold.update import carry_out, changing, open_conflicts

    with changing(wish.project, "sentient update") as healed:
        if healed is not None:
            _tell_healed(here, healed)
        prepared = _prepare(here, wish, stop)
        with stop.deferred():
            carry_out(prepared, interruption=stop)
        waiting = open_conflicts(wish.project)
    _tell(here, prepared)
    _summarize(here, prepared, done=True)
    here.console.flush()
    files = sorted({*(change.path for change in prepared.conflicts), *waiting})
    if files:
        raise UpdateConflictError(
            f"{_count(len(files), 'file waits', 'files wait')} for your decision",
            why=", ".join(map(str, files)),
            fix="Look for `<<<<<<< yours` in it, keep what is right and remove the marks; of what is no text, keep one"
            " and remove the `.template` beside it; or take the update back: `sentient update --undo`",
        )


def _dry_run(here: Invocation, prepared: Prepared) -> None:
    _tell(here, prepared, diffs=True)
    _summarize(here, prepared, done=False)
    if prepared.writes:
        raise typer.Exit(_DIFFERENT)


def _undo(here: Invocation, project: Path, *, force: bool) -> None:
    from sentient_cli.scaffold.undo import undo
    from sentient_cli.scaffold.update import changing

    with changing(project, "sentient update --undo") as healed:
        restored = healed or undo(project, force=force)
    files = [str(path) for path in restored.paths if path.parts[0] != ".sentient"]
    if here.console.json:
        here.console.json_line({"undone": restored.title, "files": files})
    elif not _is_silent(here):
        here.console.data(f"Taken back: {restored.title}, {_count(len(files), 'file')}")
    for path in restored.left:
        here.console.warn(f"{path} was changed meanwhile and was left alone")


def _tell_healed(here: Invocation, healed: Restored) -> None:
    here.console.say(f"An update that was interrupted was put back: {_count(len(healed.paths), 'file')}")
    for path in healed.left:
        here.console.warn(f"{path} was changed meanwhile and was left alone")


def _tell(here: Invocation, prepared: Prepared, *, diffs: bool = False) -> None:
    for change in () if _is_silent(here) else prepared.changes:
        if here.console.json:
            told = {"path": str(change.path), "action": change.action, "note": change.note}
            shown = {"diff": _safe("".join(_diff(change)))} if diffs else {}
            here.console.json_line({**told, "conflicts": change.conflicts, **shown})
        else:
            _draw(change, here.console.rich(), diffs=diffs)


def _draw(change: Change, console: RichConsole, *, diffs: bool) -> None:
    from rich.text import Text

    style = _STYLES.get(change.action, "dim")
    line = Text.assemble("  ", (f"{change.action:<{_ACTIONS}}", style), "  ", _safe(str(change.path)))
    console.print(line.append(f"  {_safe(change.note)}" if change.note else "", style="dim"), soft_wrap=True)
    for text in _diff(change) if diffs and change.writes else ():
        shown = Text("    " + _safe(text).rstrip("\r\n"), style=_DIFF_STYLES.get(text[:1], ""))
        console.print(shown, soft_wrap=True)


def _diff(change: Change) -> list[str]:
    import difflib

    from sentient_cli.scaffold.merge import is_binary

    before, after = (held.content if held else b"" for held in (change.before, change.after))
    if is_binary(before) or is_binary(after):
        return [f"{len(before)} bytes become {len(after)}, which are no text\n"] if before != after else []
    old, new = (text.decode("utf-8", "replace").splitlines(keepends=True) for text in (before, after))
    lines = difflib.unified_diff(old, new, str(change.path), str(change.path))
    modes = [held.mode for held in (change.before, change.after) if held]
    permissions = [f"permissions {modes[0]:o} become {modes[1]:o}\n"] if len(set(modes)) > 1 else []
    return [*permissions, *(line if line.endswith("\n") else f"{line}\n" for line in lines)]


def _summarize(here: Invocation, prepared: Prepared, *, done: bool) -> None:
    if here.console.json:
        told = {"template": prepared.template, "from": prepared.before, "to": prepared.now}
        counts = {
            "changed": prepared.writes,
            "conflicts": len(prepared.conflicts),
            "written": done and prepared.writes > 0,
        }
        here.console.json_line({**told, **counts})
    elif _is_silent(here):
        return
    elif not prepared.writes:
        here.console.data(f"Nothing to do: the project has what {prepared.template} {prepared.now}".rstrip() + " has.")
    else:
        what = "changed" if done else "would change"
        undo = " Take it back with `sentient update --undo`." if done else ""
        here.console.data(f"{prepared.title}: {_count(prepared.writes, 'file')} {what}.{undo}")


def _is_silent(here: Invocation) -> bool:
    """Whether the exit code is all that is asked for."""
    return here.console.quiet and not here.console.json


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _safe(text: str) -> str:
    from sentient_cli.config.names import readable
    from sentient_cli.sanitize import sanitize

    return sanitize(readable(text))


class _Reader(Wizard):
    """The reader at the terminal, who can be asked."""

    def allows(self, source: TemplateSource, facts: TemplateFacts) -> bool:
        """Whether the template may run what it wants to run."""
        self.show(f"The template {source.id} wants, on this machine and as you:", facts.wants)
        return self.confirm("Allow it?", flag="--trust")
