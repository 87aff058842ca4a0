"""``sentient create``."""

from __future__ import annotations

from typing import Annotated

import typer

from sentient_cli.cli.invocation import current


def _templates(incomplete: str) -> list[tuple[str, str]]:
    from sentient_cli.scaffold.builtin import BUILTIN

    return [(each.name, each.summary) for each in BUILTIN if each.name.startswith(incomplete)]


def create(  # noqa: PLR0917 - one parameter an option
    directory: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="The project's name, or the directory to make.", show_default=False),
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(
            "--template",
            "-t",
            metavar="TEMPLATE",
            help="basic, advanced, production, a directory, or a git address, with @REF (basic).",
            autocompletion=_templates,
        ),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option("--data", "-d", metavar="NAME=VALUE", help="The answer to a question; may be repeated."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing; take the defaults.", show_default=False)
    ] = False,
    defaults: Annotated[
        bool, typer.Option("--defaults", help="Take the template's defaults; confirm the rest.", show_default=False)
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be made, and make nothing.", show_default=False)
    ] = False,
    no_git: Annotated[bool, typer.Option("--no-git", help="Make no git repository.", show_default=False)] = False,
    no_install: Annotated[
        bool, typer.Option("--no-install", help="Install nothing and run no tests.", show_default=False)
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Write into a directory that is not empty; delete nothing in it.", show_default=False
        ),
    ] = False,
    trust: Annotated[
        bool, typer.Option("--trust", help="Allow what the template wants to run.", show_default=False)
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", metavar="SECONDS", min=0.1, help="How long one program may run (600; templates 30)."),
    ] = None,
) -> None:
    """Make a new project: set up, tested, ready to run.

    Without options it asks a few questions. When a step fails, or on Ctrl-C, everything is taken back.
    """
    from sentient_cli.cli.creating import Wishes, run_create

    wishes = Wishes(
        directory,
        template=template,
        data=tuple(data or ()),
        yes=yes,
        defaults=defaults,
        dry_run=dry_run,
        git=not no_git,
        install=not no_install,
        force=force,
        trust=trust,
        timeout=timeout,
    )
    run_create(current(), wishes)
