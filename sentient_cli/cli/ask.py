"""``sentient ask``: one question, one answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sentient_cli.cli.invocation import current
from sentient_cli.cli.options import EnvFileOption, NoEnvFileOption, ProfileOption, ScriptOption


def ask(  # noqa: PLR0917 - one parameter an option
    prompt: Annotated[
        str | None,
        typer.Argument(metavar="PROMPT", help="The question; `-` reads it from stdin.", show_default=False),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", metavar="MODEL", help="`provider:model`, or a provider (offline).")
    ] = None,
    system: Annotated[str | None, typer.Option("--system", metavar="TEXT", help="How the model shall answer.")] = None,
    file: Annotated[
        list[Path] | None,
        typer.Option("--file", metavar="FILE", help="A text, PDF or sound to ask about; may be repeated."),
    ] = None,
    image: Annotated[
        list[Path] | None, typer.Option("--image", metavar="FILE", help="A picture to ask about; may be repeated.")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", metavar="N", min=1, help="Tokens that the answer may have.")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option("--temperature", metavar="T", min=0, max=2, help="Randomness, 0 to 2.")
    ] = None,
    no_stream: Annotated[
        bool, typer.Option("--no-stream", help="Write the answer when it is whole.", show_default=False)
    ] = False,
    script: ScriptOption = None,
    profile: ProfileOption = None,
    env_file: EnvFileOption = None,
    no_env_file: NoEnvFileOption = False,
) -> None:
    """Ask a model one question.

    The answer goes to stdout as it comes; who answered and what it cost, to stderr. What is piped in is asked about:
    `git diff | sentient ask "Write a commit message"`. With --json the whole answer is one line of JSON. Ctrl-C ends
    the call at the provider too.
    """
    import asyncio

    from sentient_cli.cli.ask_question import question
    from sentient_cli.cli.asking import Answerer, Wanted

    here = current()
    messages = question(
        prompt,
        system=system,
        files=file or [],
        images=image or [],
        waits=lambda: here.console.say("Waiting for what is piped in; `</dev/null` says that nothing is"),
    )
    loaded = here.load(
        {"llm.model": model, "llm.script": script},
        profile=profile,
        env_file=env_file,
        no_env_file=no_env_file,
        tell=False,
    )
    for warning in loaded.warnings:
        here.console.warn(warning)
    wanted = Wanted(messages, max_tokens=max_tokens, temperature=temperature, stream=not no_stream)
    asyncio.run(Answerer(here.console, loaded).answer(wanted))
