"""Servers of models on this machine: found, and named to somebody who has no key."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from sentient_cli.cli.main import main
from sentient_cli.llm.compatible import local
from tests.doctor.doctor_kit import one


def test_servers_of_models_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "find_local", _finding())
    assert one("local").status == "skip"
    monkeypatch.setattr(local, "find_local", _finding("a", "b", "c", "d"))
    assert one("local").what == "http://127.0.0.1:11434/v1 has ollama:a, ollama:b, ollama:c and 1 more"


def test_a_missing_key_is_no_end_where_this_machine_has_models(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(local, "find_local", _finding("small", "large"))
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert main(["ask", "Hello", "-m", "openai:gpt-5", "--json"]) == 3
    assert "On this machine `ollama:small`, `ollama:large` can be used without one" in capsys.readouterr().err


def _finding(*models: str) -> Callable[[], Awaitable[tuple[local.LocalServer, ...]]]:
    async def find() -> tuple[local.LocalServer, ...]:
        await asyncio.sleep(0)
        return (local.LocalServer("ollama", "http://127.0.0.1:11434/v1", models),) if models else ()

    return find
