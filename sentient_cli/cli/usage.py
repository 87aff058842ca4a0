"""``sentient usage``: what models were used for, and what it cost."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from sentient_cli.cli.invocation import current
from sentient_cli.cli.options import EnvFileOption, NoEnvFileOption, ProfileOption


def usage(
    by: Annotated[
        Literal["model", "provider", "agent", "session", "run", "call", "tenant", "profile", "day", "outcome"],
        typer.Option(
            "--by",
            metavar="WHAT",
            help="model, provider, agent, session, run, call, tenant, profile, day or outcome.",
        ),
    ] = "model",
    since: Annotated[
        str, typer.Option("--since", metavar="WHEN", help="24h, 7d, 4w, today, all, or a day such as 2026-01-31.")
    ] = "30d",
    csv: Annotated[bool, typer.Option("--csv", help="As CSV, all numbers in full.", show_default=False)] = False,
    profile: ProfileOption = None,
    env_file: EnvFileOption = None,
    no_env_file: NoEnvFileOption = False,
) -> None:
    """Show the tokens and the cost of all calls on this machine.

    Calls are written down by `ask`, `dev`, `serve` and `run` as they end; the setting `llm.usage` turns that off. A
    cost that is not known is not counted, and said. With --json each group is one line.
    """
    from datetime import UTC, datetime

    from sentient_cli.cli.usage_table import Shown, show, sums_of
    from sentient_cli.errors import UsageError
    from sentient_cli.llm.usage.ledger import ledger_file
    from sentient_cli.llm.usage.report import as_csv, parse_since

    here = current()
    if csv and here.console.json:
        raise UsageError("The output cannot be both CSV and JSON", fix="Leave one of --csv and --json out")
    loaded = here.load(profile=profile, env_file=env_file, no_env_file=no_env_file, tell=False)
    if here.console.verbose:
        here.console.detail(f"Ledger: {ledger_file()}")
    now = datetime.now(UTC)
    rows, today, held = sums_of(by, parse_since(since, now), parse_since("today", now))
    if csv:
        here.console.data(as_csv(rows, by), end="")
        return
    show(here.console, Shown(rows, by, since, today=today, limit=loaded.settings.llm.budget.day, now=now, held=held))
