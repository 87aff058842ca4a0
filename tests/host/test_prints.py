"""What an agent prints goes where it went before, without secrets, and without tricks where a person reads it."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import secrets
import sys

import pytest

from sentient_cli.redact import redactor
from sentient_cli.runtime.request import Query
from sentient_cli.runtime.response import Response
from sentient_cli.runtime.session import Session
from tests.host.host_kit import answer, hosting
from tests.support.wire import dig

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


def _known() -> str:
    """A secret that is told by its value alone, made anew since the redactor forgets none."""
    value = secrets.token_urlsafe(24)
    redactor.register(value)
    return value


async def test_a_secret_that_is_flushed_bit_by_bit_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    for secret in (_known(), _KEY):
        seen = await shown(monkeypatch, "It is ", *secret, " indeed", "\n", flush=True)
        assert seen[0] == "It is "
        assert seen[-1].startswith("It is ")
        assert seen[-1].endswith("[redacted] indeed\n")
        longest = max(len(secret[:size]) for size in range(len(secret)) if secret[:size] in seen[-1])
        assert longest <= 3


async def test_what_may_be_a_secret_comes_when_it_turns_out_to_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = _known()
    seen = await shown(monkeypatch, f"It is {secret[:10]}", "…", flush=True)
    assert seen == ["It is ", f"It is {secret[:10]}…", f"It is {secret[:10]}…"]
    assert (await shown(monkeypatch, secret[:10], flush=True))[-1] == secret[:10]


@pytest.mark.slow
@pytest.mark.parametrize("place", [8_150, 8_184, 8_190, 8_193, 16_374, 16_380])
async def test_a_secret_where_a_long_line_is_cut_is_masked(monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    for secret in (_known(), _KEY):
        screen = Screen(terminal=False)
        monkeypatch.setattr(sys, "stdout", screen)

        async def tell(session: Session, query: Query, response: Response, secret: str = secret) -> None:
            print("b" * place + " " + secret[:8], end="")  # noqa: T201 - what is tested
            print(secret[8:] + " and on")  # noqa: T201 - what is tested

        async with hosting(tell, capture=True) as host:
            run = await answer(host, "x")
        texts = [str(dig(json.loads(entry.data), "text")) for entry in run.log.read(0, 1000) if entry.type == "log"]
        assert screen.getvalue() == "b" * place + " [redacted] and on\n"
        assert "".join(texts) == "b" * place + " [redacted] and on"


@pytest.mark.slow
async def test_what_is_logged_is_masked_before_it_is_cut() -> None:
    secret = _known()

    async def tell(session: Session, query: Query, response: Response) -> None:
        for size in range(16_360, 16_390):
            logging.getLogger("agent").warning("%s%s%s", "a" * size, secret, " b" * 10_000)

    async with hosting(tell, capture=True) as host:
        run = await answer(host, "x")
    texts = [str(dig(json.loads(entry.data), "text")) for entry in run.log.read(0, 1000) if entry.type == "log"]
    assert len(texts) == 30
    for text in texts:
        assert len(text) <= 16_384
        assert secret[:6] not in text
