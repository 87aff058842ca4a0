"""``sentient config validate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from sentient_cli.cli.invocation import current
from sentient_cli.cli.options import EnvFileOption, NoEnvFileOption, ProfileOption
from sentient_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sentient_cli.cli.console import Console
    from sentient_cli.config.validation import Fault, Validated

__all__ = ["config_validate"]

_WRONG: Final = 3
_INDENT: Final = "    "


def config_validate(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="One settings file; else all that the project has.", show_default=False),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="What is doubtful is wrong too.", show_default=False)
    ] = False,
    profile: ProfileOption = None,
    env_file: EnvFileOption = None,
    no_env_file: NoEnvFileOption = False,
) -> None:
    """Say everything that is wrong with the settings, each with its file, line and column.

    Every profile is looked at, chosen or not, and every value, also one that another covers. Ends with 3 when
    something is wrong; what is doubtful is a warning.
    """
    from sentient_cli.config.validation import validate, validate_file

    here = current()
    if file is not None:
        if profile is not None or env_file is not None:
            raise UsageError("A file is looked at by itself", fix="Leave out FILE, or --profile and --env-file")
        found = validate_file(file)
    else:
        found = validate(
            project=here.project,
            profile=profile,
            env_file=env_file,
            use_env_file=not no_env_file,
            environment=here.environment,
        )
    faults = [*found.faults, *_doubts(found)]
    _tell(here.console, faults)
    _sum_up(here.console, faults, found.files)
    if any(strict or fault.level == "error" for fault in faults):
        raise typer.Exit(_WRONG)


def _doubts(found: Validated) -> Iterable[Fault]:
    """What settings come to that are each right."""
    if found.loaded is None or not found.is_sound:
        return ()
    from sentient_cli.cli.config_doubts import doubts

    return doubts(found.loaded, found.others)


def _tell(console: Console, faults: Sequence[Fault]) -> None:
    from sentient_cli.cli.config_text import near_path, paragraph
    from sentient_cli.cli.report import redacted
    from sentient_cli.sanitize import sanitize_line

    for fault in faults:
        if console.json:
            console.json_line(_fields(fault))
            continue
        where = f"{near_path(fault.where)}: " if fault.where else ""
        why = f" ({near_path(_reason(fault))})" if _reason(fault) else ""
        what = sanitize_line(redacted(f"{where}{fault.level}: {fault.what}{why}"))
        for line in paragraph(console, what, rest=_INDENT):
            console.data(line)
        if fault.fix:
            for line in paragraph(
                console, sanitize_line(redacted(fault.fix)), first=f"{_INDENT}fix: ", rest=_INDENT * 2
            ):
                console.data(line)


def _reason(fault: Fault) -> str:
    """Why it is wrong, without the place, which stands in front already."""
    reason = fault.why.removesuffix(f", in {fault.where}").removesuffix(f". It stands in {fault.where}")
    only_place = reason.endswith(tuple(f" {word} {fault.where}" for word in ("in", "by", "from")))
    return "" if fault.where and only_place else reason


def _fields(fault: Fault) -> dict[str, object]:
    from sentient_cli.cli.report import redacted

    file, line, column = fault.place()
    return {
        "level": fault.level,
        "what": redacted(fault.what),
        "why": redacted(fault.why) or None,
        "fix": redacted(fault.fix) or None,
        "where": redacted(fault.where) or None,
        "file": file or None,
        "line": line,
        "column": column,
    }


def _sum_up(console: Console, faults: Sequence[Fault], files: Sequence[Path]) -> None:
    from sentient_cli.cli.config_text import near_path

    counts = {level: sum(fault.level == level for fault in faults) for level in ("error", "warning")}
    said = [f"{count} {level}{'' if count == 1 else 's'}" for level, count in counts.items() if count]
    read = ", ".join(near_path(str(file)) for file in files) or "no file, so the defaults hold"
    console.say(f"{', '.join(said) or 'Nothing is wrong'} ({read}).")
