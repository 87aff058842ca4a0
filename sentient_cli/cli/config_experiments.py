"""``sentient config experiments``: what is on trial, what was found, and stopping it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from sentient_cli.cli.invocation import current
from sentient_cli.cli.options import EnvFileOption, NoEnvFileOption, ProfileOption, StoreOption

if TYPE_CHECKING:
    from sentient_cli.cli.invocation import Invocation
    from sentient_cli.config.settings import Settings
    from sentient_cli.experiments.standing import Change

__all__ = ["config_experiments"]

_LONGEST_REASON: Final = 500


def _names(incomplete: str) -> list[str]:
    """The experiments of the settings, for a shell that completes their names."""
    from sentient_cli.config import load
    from sentient_cli.errors import SentientError

    try:
        known = load(project=current().project, use_env_file=False).settings.experiments
    except SentientError:
        return []
    return [name for name in known if name.startswith(incomplete)]


def config_experiments(
    action: Annotated[
        Literal["list", "show", "stop", "resume"],
        typer.Argument(metavar="ACTION", help="list, show, stop or resume.", show_default=False),
    ] = "list",
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="The experiment.", show_default=False, autocompletion=_names),
    ] = None,
    variant: Annotated[
        str | None, typer.Option("--variant", metavar="NAME", help="Stop or resume this variant alone.")
    ] = None,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, for who reads it later.")] = "",
    store: StoreOption = None,
    dev: Annotated[bool, typer.Option("--dev", help="Those of `sentient dev`.", show_default=False)] = False,
    profile: ProfileOption = None,
    env_file: EnvFileOption = None,
    no_env_file: NoEnvFileOption = False,
) -> None:
    """Show what is on trial and what was found, or stop it.

    `show NAME` compares each variant with the control. An interval "at any time" holds however often you look; the
    other only if you look once. `stop NAME` ends an experiment, and a server that runs obeys within two seconds;
    `resume NAME` lets it go on. With --json each experiment is one line.
    """
    import asyncio

    from sentient_cli.cli.config_experiments_shown import show_list, show_results
    from sentient_cli.clock import SystemClock
    from sentient_cli.errors import UsageError
    from sentient_cli.host.experiment_results import experiment_history, experiment_results

    here = current()
    settings = _settings(here, store, profile, env_file, no_env_file=no_env_file, dev=dev)
    if action == "list":
        if name is not None or variant is not None:
            raise UsageError("All experiments are listed", fix="Use `show NAME`, or leave the name out")
        show_list(here.console, asyncio.run(experiment_results(settings, SystemClock())), settings)
        return
    if name is None:
        raise UsageError(
            f"Which experiment to {action} is missing", fix=f"Use `sentient config experiments {action} NAME`"
        )
    if action == "show":
        if variant is not None:
            raise UsageError("All variants are shown", fix="Leave --variant out")
        (results,) = asyncio.run(experiment_results(settings, SystemClock(), name))
        show_results(here.console, results, asyncio.run(experiment_history(settings, name)), settings)
        return
    _change(here, settings, name, action, variant or "", why)


def _settings(
    here: Invocation,
    store: str | None,
    profile: str | None,
    env_file: EnvFileOption,
    *,
    no_env_file: bool,
    dev: bool,
) -> Settings:
    from pathlib import Path

    from sentient_cli.errors import UsageError

    if dev and store is not None:
        raise UsageError("Both --dev and --store say where the results are", fix="Leave one of them out")
    loaded = here.load({"store.url": store}, profile=profile, env_file=env_file, no_env_file=no_env_file, tell=False)
    if not dev:
        return loaded.settings
    from sentient_cli.dev.serving import recordings_directory

    place = recordings_directory(loaded.project_dir or here.project or Path.cwd())
    where = loaded.settings.store.model_copy(update={"url": f"file:{place}"})
    return loaded.settings.model_copy(update={"store": where})


def _change(
    here: Invocation, settings: Settings, name: str, action: Literal["stop", "resume"], variant: str, why: str
) -> None:
    import asyncio

    from sentient_cli.cli.report import redacted
    from sentient_cli.clock import SystemClock
    from sentient_cli.config.versions import who
    from sentient_cli.experiments.standing import Change
    from sentient_cli.host.experiment_results import resume_experiment, stop_experiment
    from sentient_cli.sanitize import sanitize_line

    reason = redacted(sanitize_line(why)).strip()[:_LONGEST_REASON] or "no reason was given"
    change = Change(action, SystemClock().now_ns(), who(), reason, variant)
    work = stop_experiment if action == "stop" else resume_experiment
    changed = asyncio.run(work(settings, name, change))
    if here.console.json:
        here.console.json_line({"name": name, "variant": variant or None, "action": action, "changed": changed})
        return
    here.console.data(_said(name, change, changed=changed))


def _said(name: str, change: Change, *, changed: bool) -> str:
    what = f"The variant {change.variant} of {name}" if change.variant else f"The experiment {name}"
    if change.kind == "stop":
        return f"{what} is stopped." if changed else f"{what} was stopped already."
    return f"{what} goes on." if changed else f"{what} was not stopped."
