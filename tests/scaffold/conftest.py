"""Templates that are not ours, in processes that are forked: to start one takes a second, nearly all of it imports."""

from __future__ import annotations

import pytest

from tests.support import commands


@pytest.fixture(autouse=True)
def templates_are_forked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for every command that is forked; what a start itself does, tests with the mark ``measured`` show."""
    if request.node.get_closest_marker("measured") is None:
        monkeypatch.setattr("sentient_cli.scaffold.sandbox.sys", commands.templates_forked())
