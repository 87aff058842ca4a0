"""``sentient models``: which models there are, what they can do and what they cost."""

from __future__ import annotations

from typing import Annotated

import typer

from sentient_cli.cli.invocation import current
from sentient_cli.cli.options import EnvFileOption, NoEnvFileOption, ProfileOption


def models(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="A provider, or a part of the names of models; else all with a key.",
            show_default=False,
        ),
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Those of providers without a key too.", show_default=False)
    ] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Ask the providers, and look for local servers.", show_default=False)
    ] = False,
    profile: ProfileOption = None,
    env_file: EnvFileOption = None,
    no_env_file: NoEnvFileOption = False,
) -> None:
    """List models: context, abilities, and US dollars for a million tokens.

    Without --live nothing is contacted: the list is what this version knows, and a model that is not in it works as
    well. Can: t(ools), i(mages), a(udio), d(ocuments), s(tructured output), r(easoning), c(aching). With --json each
    model is one line.
    """
    import asyncio

    from sentient_cli.cli.models_list import known, live_models, pick, show

    here = current()
    loaded = here.load(profile=profile, env_file=env_file, no_env_file=no_env_file, tell=False)
    if live:
        listed, faults = asyncio.run(live_models(loaded, name, tell=here.console.detail))
        if not listed and len(faults) == 1:
            raise next(iter(faults.values()))
        for provider, fault in faults.items():
            here.console.warn(f"{provider}: {fault}")
    else:
        listed, faults = known(loaded, everything=all_ or name is not None), {}
    show(here.console, pick(listed, name), narrowed=name is not None or bool(faults), live=live)
