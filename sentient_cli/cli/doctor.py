"""``sentient doctor``: what is in the way, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sentient_cli.cli.invocation import Invocation, current
from sentient_cli.cli.options import EnvFileOption, NoEnvFileOption, ProfileOption

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from sentient_cli.scaffold.doctor.finding import Finding, Terminal

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red", "skip": "dim"}
_NARROW = 50
_NAMES = 12


def doctor(
    profile: ProfileOption = None,
    online: Annotated[
        list[str] | None,
        typer.Option("--online", metavar="URL", help="Try to reach this address too; may be repeated."),
    ] = None,
    env_file: EnvFileOption = None,
    no_env_file: NoEnvFileOption = False,
) -> None:
    """Check this machine and this project, and say how to mend what is wrong.

    Nothing is changed, and nothing is contacted without --online. Exit code 1 when something does not work; with
    --json each finding is one line.
    """
    from sentient_cli.scaffold.doctor.diagnosis import diagnose, look_around

    here = current()
    surroundings = look_around(
        environment=here.environment,
        terminal=_terminal(here),
        project=here.project,
        profile=profile,
        online=tuple(online or ()),
        env_file=env_file,
        use_env_file=not no_env_file,
    )
    if surroundings.settings is not None:
        for line in here.details_of(surroundings.settings):
            here.console.detail(line)
    counts = dict.fromkeys(_STYLES, 0)
    drawn = None if here.console.json else here.console.rich()
    area = ""
    for finding in diagnose(surroundings):
        counts[finding.status] += 1
        if drawn is None:
            here.console.json_line(_fields(finding))
        elif not here.console.quiet or finding.status in {"warn", "fail"}:
            if finding.area != area:
                drawn.print(("\n" if area else "") + finding.area, style="bold")
            area = finding.area
            _draw(finding, drawn)
        here.console.flush()
    if drawn is not None and not here.console.quiet:
        drawn.print("\n" + _summary(counts))
    if counts["fail"]:
        raise typer.Exit(1)


def _terminal(here: Invocation) -> Terminal:
    import sys

    from sentient_cli.cli.streams import is_terminal
    from sentient_cli.scaffold.doctor.finding import Terminal

    console = here.console
    stdout = console.stdout
    return Terminal(
        encoding=stdout.encoding if stdout else None,
        reads=is_terminal(sys.stdin),
        draws=is_terminal(stdout),
        color=console.color(),
        columns=console.width(),
    )


def _fields(finding: Finding) -> dict[str, str]:
    told = {"area": finding.area, "name": finding.name, "status": finding.status, "what": finding.what}
    told |= {"fix": finding.fix}
    return {key: _safe(value) for key, value in (told | ({"detail": finding.detail} if finding.detail else {})).items()}


def _safe(text: str) -> str:
    from sentient_cli.config.names import readable
    from sentient_cli.redact import redactor
    from sentient_cli.sanitize import sanitize

    return redactor.redact(sanitize(readable(text)))


def _draw(finding: Finding, console: RichConsole) -> None:
    from rich.text import Text

    shown = Text(_safe(finding.what))
    if finding.detail:
        shown.append("\n" + _safe(finding.detail).strip("\n"), style="dim")
    if finding.fix:
        shown.append("\nfix ", style="cyan").append(_safe(finding.fix))
    status, narrow = Text(finding.status, style=_STYLES[finding.status]), console.width < _NARROW
    head = Text.assemble("  ", status, " " * (5 - len(status)), "" if narrow else f"{finding.name:<{_NAMES}} ")
    indent = " " * len(head)
    if narrow:
        shown = Text(f"{finding.name}\n", style="bold").append_text(shown.copy())
    for line in shown.wrap(console, console.width - len(head), overflow="fold"):
        line.rstrip()
        console.print(Text.assemble(head, line), soft_wrap=True)
        head = Text(indent)


def _summary(counts: dict[str, int]) -> str:
    parts = [f"{counts['ok']} ok"]
    if counts["skip"]:
        parts.append(f"{counts['skip']} skipped")
    if counts["warn"]:
        parts.append(f"{counts['warn']} {'warning' if counts['warn'] == 1 else 'warnings'}")
    if counts["fail"]:
        parts.append(f"{counts['fail']} {'failure' if counts['fail'] == 1 else 'failures'}")
    return ", ".join(parts) + ("" if counts["fail"] or counts["warn"] else ": nothing is in the way")
