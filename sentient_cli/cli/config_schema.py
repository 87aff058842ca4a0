"""``sentient config schema``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sentient_cli.cli.invocation import current

__all__ = ["config_schema"]


def config_schema(
    pyproject: Annotated[
        bool, typer.Option("--pyproject", help="Of pyproject.toml, with its table [tool.sentient].", show_default=False)
    ] = False,
    user: Annotated[bool, typer.Option("--user", help="Of your own file.", show_default=False)] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it to FILE instead of stdout.")
    ] = None,
) -> None:
    """Print the JSON Schema of settings files, with which editors complete, explain and check them.

    It is of draft 7. In an editor that knows it, `#:schema ./sentient.schema.json` in the first line of a settings file
    names it, for a schema that was written with `-o sentient.schema.json`.
    """
    import json

    from sentient_cli.config.schema import settings_schema
    from sentient_cli.errors import UsageError

    here = current()
    if pyproject and user:
        raise UsageError("Only one file can be meant", fix="Leave --pyproject or --user out")
    made = settings_schema("pyproject" if pyproject else "user" if user else "project")
    if output is None and here.console.json:
        here.console.json_line(made)
        return
    text = json.dumps(made, indent=2, ensure_ascii=False) + "\n"
    if output is None:
        here.console.script(text)
        return
    from sentient_cli.config.disk import replace

    replace(output, text.encode(), mode=0o644)
    if here.console.json:
        here.console.json_line({"file": str(output.absolute())})
    else:
        here.console.say(f"{output} is written.")
