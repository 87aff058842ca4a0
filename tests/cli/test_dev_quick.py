"""What ``dev`` is told is understood the same, with Typer and without."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentient_cli.cli import app
from sentient_cli.cli.console import Console
from sentient_cli.cli.dev_quick import run_quickly, understand
from sentient_cli.cli.invocation import Invocation, start

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sentient_cli.cli.dev_start import DevOptions

_CODE = 7
_SEVERAL = [
    ["--json"],
    ["-q"],
    ["--quiet"],
    ["-v"],
    ["--verbose"],
    ["--no-color"],
    ["--strict-port"],
    ["--open"],
    ["--no-reload"],
    ["--no-env-file"],
    ["--port", "0"],
    ["--port=8001"],
    ["--port", "65535"],
    ["--host", "::1"],
    ["--host=0.0.0.0"],
    ["--agent", "module:attr"],
    ["--agent=agent.py"],
    ["--model", "offline:echo"],
    ["some folder/agent.py"],
]
_FOR_TYPER = [
    ["--help"],
    ["-qv"],
    ["-v", "-v"],
    ["--"],
    ["--port"],
    ["--port", "65536"],
    ["--port", "many"],
    ["--port", "²"],
    ["--port", "--json"],
    ["--host="],
    ["--agent", "one.py", "two.py"],
    ["one.py", "two.py"],
    ["--json=yes"],
    ["--no-such-option"],
    ["--profile", "local"],
    ["--debugpy"],
    ["--allow-origin", "https://chat.example"],
    [""],
]


class Told:
    """Takes the place of what runs ``dev``, and keeps what it is told."""

    def __init__(self) -> None:
        self.what: list[object] = []

    def run_dev(self, here: Invocation, options: DevOptions) -> int:
        console = here.console
        given = {key: value for key, value in options.flags.items() if value is not None}
        switches = (options.strict_port, options.open_page, options.reload, options.use_env_file)
        rest = (options.profile, options.env_file, options.debugger)
        self.what.append((given, switches, rest, console.json, console.quiet, console.verbose, console.no_color))
        return _CODE


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    told = Told()
    monkeypatch.setattr("sentient_cli.cli.dev_start.run_dev", told.run_dev)
    return told


def invocation() -> Invocation:
    here = Invocation(Console(environment={}), {})
    start(here)
    return here


def with_typer(arguments: Sequence[str]) -> int | None:
    invocation()
    return app.run("sentient", ["dev", *arguments], width=80)


def without(arguments: Sequence[str]) -> int | None:
    return run_quickly(invocation(), arguments)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.sampled_from(_SEVERAL), max_size=5))
def test_usual_arguments_mean_the_same(told: Told, parts: list[list[str]]) -> None:
    arguments = [argument for part in parts for argument in part]
    if understand(arguments) is None:
        return  # something is said twice
    ways: list[Callable[[Sequence[str]], int | None]] = [without, with_typer]
    assert [way(arguments) for way in ways] == [_CODE, _CODE]
    assert told.what[-2] == told.what[-1]


@pytest.mark.slow
@pytest.mark.parametrize("arguments", _SEVERAL)
def test_each_is_understood(arguments: list[str]) -> None:
    assert understand(arguments) is not None


@pytest.mark.slow
@pytest.mark.parametrize("arguments", _FOR_TYPER)
def test_what_is_not_usual_is_left_to_typer(told: Told, arguments: list[str]) -> None:
    assert without(arguments) is None
    assert not told.what
