"""``sentient chat``."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sentient_cli.cli.invocation import Invocation, current
from sentient_cli.cli.options import EnvFileOption, NoEnvFileOption
from sentient_cli.cli.streams import is_terminal

if TYPE_CHECKING:
    from sentient_cli.chat.app import Terminal
    from sentient_cli.config.envfile import Variables

DEFAULT_URL = "http://127.0.0.1:8000"
TOKEN = "SENTIENT_AGENT_TOKEN"  # noqa: S105 - the name of the variable


def chat(
    url: Annotated[
        str | None,
        typer.Argument(
            metavar="URL",
            help="Where the agent is; else the running `sentient dev` of this project, or the only one that runs, "
            "or http://127.0.0.1:8000.",
            show_default=False,
        ),
    ] = None,
    message: Annotated[
        str | None,
        typer.Option("--message", "-m", metavar="TEXT", help="Ask this and end; `-` reads the question from stdin."),
    ] = None,
    agent_token: Annotated[
        str | None,
        typer.Option("--agent-token", metavar="TOKEN", help="The agent's token; else SENTIENT_AGENT_TOKEN."),
    ] = None,
    env_file: EnvFileOption = None,
    no_env_file: NoEnvFileOption = False,
) -> None:
    """Talk to a running agent.

    Works with every agent of the Sentient Chat protocol. Without a terminal the question is read from stdin:
    `echo hi | sentient chat`. With --json each event is one line of JSON.
    """
    from sentient_cli.chat.app import ChatOptions, run_chat
    from sentient_cli.config.envfile import read_variables
    from sentient_cli.errors import UsageError
    from sentient_cli.paths import state_dir
    from sentient_cli.redact import redactor

    if url and "://" not in url and Path(url).is_file():
        raise UsageError(
            f"{url} is a file, and `sentient chat` talks to an agent that is served",
            fix=f"Serve it with `sentient serve {url}`, and chat with the URL that it says",
        )
    here = current()
    variables = read_variables(here.project or Path(), here.environment, given=env_file, use_file=not no_env_file)
    redactor.register_environment(variables.values)
    token = agent_token or variables.values.get(TOKEN) or None
    if token:
        redactor.register(token)
    address = url if url is not None else _find(here)
    _tell_sources(here, address, variables, typed=bool(agent_token))
    options = ChatOptions(
        address,
        message=message,
        token=token,
        json=here.console.json,
        quiet=here.console.quiet,
        history=state_dir() / "chat_history",
        detail=here.console.detail if here.console.verbose else None,
    )
    code = run_chat(options, _terminal(here))
    if code:
        raise typer.Exit(code)


def _tell_sources(here: Invocation, address: str, variables: Variables, *, typed: bool) -> None:
    """Say, if ``-v`` asks for it, where the agent is and where its token comes from."""
    if not here.console.verbose:
        return
    place = "the shell" if here.environment.get(TOKEN) else variables.file
    by = "by --agent-token" if typed else f"by {TOKEN} of {place}" if variables.values.get(TOKEN) else "without a token"
    here.console.detail(f"Environment read from {variables.file}" if variables.file else "No .env is read")
    here.console.detail(f"Agent: {address}, {by}")


def _find(here: Invocation) -> str:
    """The address of the agent that is meant where none is given."""
    from sentient_cli.config.discovery import nearest

    start = here.project or Path.cwd()
    server = nearest(start)
    if server is None:
        return DEFAULT_URL
    whose = "" if start.resolve().is_relative_to(server.project) else f" in {server.project}"
    here.console.say(f"{server.agent}, served by `sentient dev`{whose} on {server.url}")
    return server.url


def _terminal(here: Invocation) -> Terminal:
    from sentient_cli.chat.app import Terminal
    from sentient_cli.chat.screen import Size

    console = here.console
    stdout = console.stdout or io.StringIO()

    def size() -> Size:
        try:
            rows = os.get_terminal_size(stdout.fileno()).lines
        except (OSError, ValueError):
            rows = 0
        return Size(console.width(), rows or 24)

    return Terminal(
        stdin=sys.stdin or io.StringIO(),
        stdout=stdout,
        stderr=console.stderr or io.StringIO(),
        size=size,
        reads=is_terminal(sys.stdin),
        draws=is_terminal(stdout) and here.environment.get("TERM", "dumb") != "dumb",
        color=console.color(),
    )
