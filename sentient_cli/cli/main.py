"""The only way in and the only way out of the command line."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import sys
import time
from typing import TYPE_CHECKING, cast

from sentient_cli.cli.console import Console
from sentient_cli.cli.invocation import PROGRAMS, Invocation, start
from sentient_cli.cli.secrets import know_secrets
from sentient_cli.cli.streams import open_closed
from sentient_cli.cli.version import print_version
from sentient_cli.config.environ import process_environment
from sentient_cli.errors import CredentialNotFoundError, SentientError, UsageError, UserInterruptError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_VERSION_WITH = frozenset({"--version", "--json", "--no-color", "-q", "--quiet", "-v", "--verbose"})
_VERBOSE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: The arguments after the program's name; those of the process unless given.

    Returns:
        The exit code: 0 ok, 1 failed, 2 usage, 3 configuration or credentials, 4 provider or network, 5 project or
        template, 6 a difference was found, 130 interrupted.
    """
    began = time.monotonic()
    open_closed()
    arguments = list(sys.argv[1:] if argv is None else argv)
    environment = process_environment()
    invocation = Invocation(Console(environment=environment), environment, program=_program())
    start(invocation)
    know_secrets(invocation, arguments)
    try:
        code = _dispatch(invocation, arguments)
        _tell_time(invocation.console, began)
        invocation.console.flush()
    except (SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 - here, and only here, every error ends
        code = _fail(invocation.console, arguments, error)
        with contextlib.suppress(OSError, SentientError):
            _tell_time(invocation.console, began)
    return code


def _tell_time(console: Console, began: float) -> None:
    if console.verbose:
        console.detail(f"Took {time.monotonic() - began:.2f} s")
        console.flush()


def _program() -> str:
    name = os.path.splitext(os.path.basename(sys.argv[0]))[0]  # noqa: PTH119, PTH122 - pathlib would cost half of --version
    return name if name in PROGRAMS else PROGRAMS[0]


def _dispatch(invocation: Invocation, arguments: list[str]) -> int:
    console = invocation.console
    if "--version" in arguments and _VERSION_WITH.issuperset(arguments):
        # The common case, without importing Typer.
        console.json = "--json" in arguments
        print_version(console)
        return 0
    from sentient_cli.cli.shells import complete

    code = complete(invocation.program, invocation.environment)
    if code is not None:
        return code
    gc.disable()  # what is imported stays, so looking through it again and again finds nothing; a command has it back
    try:
        if arguments[:1] == ["dev"]:
            from sentient_cli.cli.dev_quick import run_quickly

            done = run_quickly(invocation, arguments[1:])
            if done is not None:
                return done
        from sentient_cli.cli.app import run

        return run(invocation.program, arguments or ["--help"], width=console.width())
    finally:
        gc.enable()


def _fail(console: Console, arguments: list[str], error: BaseException) -> int:
    if isinstance(error, BrokenPipeError):
        _abandon(console)
        return 1
    shown = _shown(error)
    if isinstance(shown, UsageError):
        _settle(console, arguments)
    if shown is None:
        from sentient_cli.cli.crash import report_crash

        shown = report_crash(error, arguments, whole=console.verbose >= _VERBOSE)
    if isinstance(shown, CredentialNotFoundError):
        from sentient_cli.cli.local_models import name_local_models

        name_local_models(shown)
    try:
        if isinstance(shown, UserInterruptError) and not console.json:
            console.say("Interrupted.")
        else:
            console.error(shown)
        console.flush()
    except (OSError, SentientError):
        _abandon(console)
    return shown.exit_code


def _settle(console: Console, arguments: list[str]) -> None:
    # When the arguments themselves are at fault, their parsing ended before it saw all of the global options.
    before = arguments[: arguments.index("--")] if "--" in arguments else arguments
    console.json = console.json or "--json" in before
    console.no_color = console.no_color or "--no-color" in before


def _shown(error: BaseException) -> SentientError | None:
    if isinstance(error, SentientError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return UserInterruptError("Interrupted")
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return SentientError("No space is left", why=str(error.filename or "The output is not whole"))
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        found = [_shown(inner) for inner in group.exceptions]
        return found[0] if all(found) else None
    return None


def _abandon(console: Console) -> None:
    from sentient_cli.cli.streams import abandon

    for stream in (console.stdout, console.stderr):
        abandon(stream)
