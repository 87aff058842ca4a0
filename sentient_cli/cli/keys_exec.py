"""``sentient keys exec``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from sentient_cli.cli.invocation import current
from sentient_cli.cli.keys_options import KeyProfileOption
from sentient_cli.cli.options import EnvFileOption, NoEnvFileOption
from sentient_cli.errors import CredentialNotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sentient_cli.cli.keys_door import Door
    from sentient_cli.credentials.leases import Lease

__all__ = ["keys_exec"]

_NOT_FOUND: Final = 127
_NOT_EXECUTABLE: Final = 126


def keys_exec(
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- CMD [ARGS]", help="The program: all that follows.", show_default=False),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAMES", help="Only these keys: with commas, or repeated.")
    ] = None,
    profile: KeyProfileOption = None,
    env_file: EnvFileOption = None,
    no_env_file: NoEnvFileOption = False,
) -> None:
    """Run a program with keys in its environment, and mask them in what it writes.

    Each key is in the variables that its provider is known by, such as OPENAI_API_KEY, and nowhere else. With --only
    the program gets no variable of another provider. Signals, the size of the terminal and the exit code are handed
    on; 127 and 126 say that there is no such program, or that it cannot be executed.
    """
    from sentient_cli.cli.keys_door import names_of, open_door

    here = current()
    program = command or []
    if not program:
        raise UsageError("There is no program to run", fix="Name it behind two dashes: `sentient keys exec -- CMD`")
    if sys.platform == "win32":  # pragma: no cover - another operating system
        raise UsageError("This command needs Unix", fix="Use `sentient dev` or `sentient run`, which look keys up")
    with open_door(here, profile, env_file=env_file, no_env_file=no_env_file) as door:
        given = _variables(door, names_of(only))
        kept_back = {*door.loaded.settings.credentials.passphrase_env, *(_known() if only is not None else ())}
    environment = {name: value for name, value in here.environment.items() if name not in kept_back}
    environment |= {name: lease.secret.reveal() for name, lease in given.items()}
    here.console.flush()
    code = _run(program, environment, sorted({lease.secret.reveal() for lease in given.values()}))
    if code:
        raise typer.Exit(code)


def _run(program: Sequence[str], environment: dict[str, str], values: Sequence[str]) -> int:
    from sentient_cli.cli.keys_child import run_masked

    try:
        return run_masked(program, environment, values)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        current().console.error(
            UsageError(
                f"{program[0]} cannot be run",
                why=error.strerror or "",
                fix="Check its name, and the PATH it is looked for",
            )
        )
        raise typer.Exit(_NOT_FOUND if missing else _NOT_EXECUTABLE) from error


def _known() -> frozenset[str]:
    """The variables that providers are known by."""
    from sentient_cli.llm.providers.kinds import KINDS

    return frozenset(name for kind in KINDS.values() for name in kind.variables)


def _variables(door: Door, names: Sequence[str] | None) -> dict[str, Lease]:
    """The variables that a program gets."""
    wanted = names or sorted({card.name for card in door.manager.list(profile=door.profile)})
    found: dict[str, Lease] = {}
    for name in wanted:
        find = door.manager.find if names is None else door.manager.get
        lease = find(name, purpose="keys exec")
        if lease is None:
            door.here.console.warn(f"{name} is left out: storing it was not finished")
            continue
        provider = lease.provider or door.provider_of(name, None)
        variables = door.variables_of(provider)
        if not variables:
            door.here.console.warn(f"{name} is left out: there is no variable for it")
        for variable in variables:
            if variable in found and provider != name:
                door.here.console.warn(f"{name} is left out: {variable} has another key already")
            else:
                found[variable] = lease
    if found:
        return found
    raise CredentialNotFoundError(
        f"There is no key for a program in the profile {door.profile!r}",
        fix=f"Store one with `sentient keys set NAME --profile {door.profile}`",
    )
