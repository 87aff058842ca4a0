"""What an agent prints goes where it went before, without secrets, and without tricks where a person reads it."""

from __future__ import annotations

import asyncio
import io
import sys

import pytest

from sentient_cli.runtime.request import Query
from sentient_cli.runtime.response import Response
from sentient_cli.runtime.session import Session
from tests.host.host_kit import answer, hosting

_KEY = "sk-proj-" + "Zx9" * 16
_RED = "\x1b[31m"


class Screen(io.StringIO):
    """A terminal, or what is none."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


async def shown(
    monkeypatch: pytest.MonkeyPatch, *writes: str, terminal: bool = False, flush: bool = False
) -> list[str]:
    """What is on the screen after each write, and at the end."""
    screen = Screen(terminal)
    seen: list[str] = []

    async def tell(session: Session, query: Query, response: Response) -> None:
        for text in writes:
            print(text, end="", flush=flush)  # noqa: T201 - what is tested
            seen.append(screen.getvalue())

    monkeypatch.setattr(sys, "stdout", screen)
    async with hosting(tell, capture=True) as host:
        await answer(host, "x")
    return [*seen, screen.getvalue()]


async def test_a_secret_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    *_, last = await shown(monkeypatch, "key ", _KEY[:20], _KEY[20:], "\nand on\n")
    assert _KEY[:20] not in last
    assert last.startswith("key ")
    assert last.endswith("\nand on\n")


@pytest.mark.parametrize(("terminal", "expected"), [(True, "red\n"), (False, f"{_RED}red\n")])
async def test_a_terminal_gets_no_escape_sequences(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, expected: str
) -> None:
    assert (await shown(monkeypatch, f"{_RED}red\n", terminal=terminal))[-1] == expected


async def test_a_line_is_shown_when_it_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await shown(monkeypatch, "a", "b\nc", "d") == ["", "ab\n", "ab\n", "ab\ncd"]


async def test_what_is_flushed_is_shown_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await shown(monkeypatch, "a", "b\nc", "d", flush=True) == ["a", "ab\nc", "ab\ncd", "ab\ncd"]


async def test_a_line_of_any_length_stays_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "ab " * 10_000
    assert (await shown(monkeypatch, text, text, "\n"))[-1] == text * 2 + "\n"


async def test_runs_do_not_write_into_each_others_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(terminal=False)
    monkeypatch.setattr(sys, "stdout", screen)
    turn = asyncio.Event()

    async def tell(session: Session, query: Query, response: Response) -> None:
        print(query.prompt, end="-")  # noqa: T201 - what is tested
        await turn.wait()
        print(query.prompt)  # noqa: T201 - what is tested

    async with hosting(tell, capture=True) as host:
        both = [asyncio.create_task(answer(host, name)) for name in ("a", "b")]
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(turn.set)
        await asyncio.gather(*both)
        print("outside", _KEY)  # noqa: T201 - what is tested
    assert sorted(screen.getvalue().splitlines()) == ["a-a", "b-b", f"outside {_KEY}"]
