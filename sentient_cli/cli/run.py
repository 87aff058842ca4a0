"""``sentient run``: a file as it is, with agents of the public framework served by us."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sentient_cli.cli.invocation import Invocation, current
from sentient_cli.cli.options import (
    EnvFileOption,
    HostOption,
    InsecureOption,
    LogLevelOption,
    ModelOption,
    NoEnvFileOption,
    PortOption,
    ProfileOption,
    ScriptOption,
    StoreOption,
)
from sentient_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sentient_cli.config import FlagValue
    from sentient_cli.config.settings import Settings
    from sentient_cli.llm.hooks import CallHook
    from sentient_cli.llm.manager import LLMManager

_OF_MODELS = frozenset({"model", "script"})


def run(  # noqa: PLR0917 - one parameter an option
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The Python file.", show_default=False)],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="ARGS", help="Arguments for the file: all that follows it.", show_default=False),
    ] = None,
    host: HostOption = None,
    port: PortOption = None,
    insecure: InsecureOption = None,
    store: StoreOption = None,
    model: ModelOption = None,
    script: ScriptOption = None,
    log_level: LogLevelOption = None,
    profile: ProfileOption = None,
    env_file: EnvFileOption = None,
    no_env_file: NoEnvFileOption = False,
) -> None:
    """Execute an agent file as it is.

    A file that was written for sentient-agent-framework runs without an edit. Where that package is not installed, a
    DefaultServer in it serves with our server, on the address of --host and --port if they are given; where it is
    installed these two are refused, and so are --store, --insecure and --log-level. --model and --script hold for the
    server, and for what else asks `sentient_cli.llm`. A flag without an effect is exit code 2. Options stand before
    the file; what stands after it is for the file.
    """
    flags: dict[str, FlagValue] = {
        "server.host": host,
        "server.port": port,
        "server.insecure": insecure,
        "store.url": store,
        "llm.model": model,
        "llm.script": script,
        "log.level": log_level,
    }
    given = arguments or []
    from sentient_cli.cli.details import CallTeller
    from sentient_cli.cli.streams import is_terminal
    from sentient_cli.compat import ScriptModels, ServeOptions, run_script, serve_with
    from sentient_cli.config import export_environment

    here = current()
    loaded = here.load(flags, profile=profile, env_file=env_file, no_env_file=no_env_file)
    export_environment(loaded.environment)
    typed = {_name_of(key) for key in flags if loaded.sources[key].layer == "flag"}
    options = ServeOptions(
        loaded.settings,
        fixed=frozenset(typed),
        log_style="text" if is_terminal(here.console.stderr) else loaded.settings.log.format,
        on_ready=lambda name, url: here.console.say(f"Serving {name} on {url}"),
    )
    hooks = [CallTeller(here.console.detail)] if here.console.verbose else []
    models = ScriptModels(lambda: _models_of(loaded.settings, hooks))
    if typed & _OF_MODELS:
        models.prepare()  # what is wrong with them is said before anything is executed
    with serve_with(options), models.given():
        code = run_script(
            file,
            given[given[:1] == ["--"] :],
            project_dir=loaded.project_dir or here.project,
            for_our_server=[f"--{name}" for name in sorted(typed - _OF_MODELS)],
        )
    heeded = options.heeded | _OF_MODELS if models.used else options.heeded
    _require_heeded(here, file, typed - heeded, code)
    if code:
        raise typer.Exit(code)


def _models_of(settings: Settings, hooks: Sequence[CallHook]) -> LLMManager:
    from sentient_cli.clock import SystemClock, SystemIds
    from sentient_cli.host.key_stores import stored_keys
    from sentient_cli.host.llm import build_llm

    clock = SystemClock()
    keys = stored_keys(settings)
    return build_llm(settings.llm, clock, SystemIds(clock), profile=settings.profile, hooks=hooks, stores=keys)


def _name_of(key: str) -> str:
    """The flag of a setting, without its dashes."""
    return "store" if key == "store.url" else key.rpartition(".")[2] if key != "log.level" else "log-level"


def _require_heeded(here: Invocation, file: Path, passed_over: set[str], code: int) -> None:
    """Whoever gives a flag means it, so one without an effect is an error, unless the file has one of its own."""
    if not passed_over:
        return
    models, server = sorted(passed_over & _OF_MODELS), sorted(passed_over - _OF_MODELS)
    missing = [("starts no server of ours", server), ("asks no model through `sentient_cli.llm`", models)]
    why = ", and ".join(f"it {what} ({', '.join(f'--{name}' for name in names)})" for what, names in missing if names)
    error = UsageError(
        f"{' and '.join(f'--{name}' for name in server + models)} had no effect on {file}",
        why=f"The file was executed, and {why}",
        fix="Leave the flags out, or serve the agent that is in the file with `sentient serve`",
    )
    if code == 0:
        raise error
    here.console.warn(str(error))
