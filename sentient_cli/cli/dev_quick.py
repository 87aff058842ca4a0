"""The usual arguments of ``dev``, understood without Typer, which takes a tenth of the time to the first answer.

What is not known here, or may be wrong, is left to Typer, so that whoever types it reads the same as ever.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sentient_cli.cli.dev_start import DevOptions
    from sentient_cli.cli.invocation import Invocation

__all__ = ["run_quickly", "understand"]

_GLOBAL: Final = frozenset({"--json", "-q", "--quiet", "--no-color", "-v", "--verbose"})
_SWITCHES: Final = frozenset({"--strict-port", "--open", "--no-reload", "--no-env-file"})
_VALUES: Final = {"--agent": "agent", "--host": "server.host", "--port": "server.port", "--model": "llm.model"}
"""Options with a value, and the settings that they are."""
_HIGHEST_PORT: Final = 65535


def understand(arguments: Sequence[str]) -> dict[str, str] | None:
    """What the arguments after ``dev`` say; None: Typer has to look at them.

    Args:
        arguments: Those of the command line.

    Returns:
        Each option that is given, with its value; empty for one that has none. The agent is always ``--agent``.

    Example:
        >>> understand(["agent.py", "--port=8001", "-q"])
        {'--agent': 'agent.py', '--port': '8001', '-q': ''}
        >>> understand(["--port", "many"]), understand(["--help"])
        (None, None)
    """
    said: dict[str, str] = {}
    rest = iter(arguments)
    for argument in rest:
        name, equals, value = argument.partition("=") if argument.startswith("--") else (argument, "", "")
        if name in _VALUES:
            value = value if equals else next(rest, "")
        elif not argument.startswith("-"):
            name, value = "--agent", argument
        elif equals or name not in _GLOBAL | _SWITCHES:
            return None
        if name in said or (name in _VALUES and not _is_plain(name, value)):
            return None
        said[name] = value
    return said


def _is_plain(name: str, value: str) -> bool:
    if name == "--port":
        return (
            value.isascii()
            and value.isdecimal()
            and len(value) <= len(str(_HIGHEST_PORT))
            and (int(value) <= _HIGHEST_PORT)
        )
    return bool(value) and not value.startswith("-")


def run_quickly(here: Invocation, arguments: Sequence[str]) -> int | None:
    """Run ``dev``, when its arguments are the usual ones.

    Args:
        here: The invocation.
        arguments: Those after ``dev``.

    Returns:
        The exit code; None: nothing was done, and Typer has to look at them.

    Raises:
        SentientError: what `sentient_cli.cli.dev_start.run_dev` raises.
    """
    said = None if sys.platform == "win32" else understand(arguments)
    if said is None:
        return None
    from sentient_cli.cli.dev_start import run_dev

    console = here.console
    console.json = "--json" in said
    console.quiet = not said.keys().isdisjoint(("-q", "--quiet"))
    console.no_color = "--no-color" in said
    console.verbose = len(said.keys() & {"-v", "--verbose"})
    here.introduce()
    return run_dev(here, _options(said))


def _options(said: dict[str, str]) -> DevOptions:
    from sentient_cli.cli.dev_start import DevOptions

    flags = {
        _VALUES[name]: int(value) if name == "--port" else value for name, value in said.items() if name in _VALUES
    }
    return DevOptions(
        flags,
        use_env_file="--no-env-file" not in said,
        strict_port="--strict-port" in said,
        open_page="--open" in said,
        reload="--no-reload" not in said,
    )
