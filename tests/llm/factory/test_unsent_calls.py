"""A call that is given up, or left, before its request went out has taken nothing; after that it has."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Generator

import pytest

from sentient_cli.errors import ProviderTimeoutError
from sentient_cli.llm import CallOptions
from tests.llm.factory.socket_kit import Records, configured, table
from tests.support.llm_server import Answer, LLMServer

KINDS = {"openai": "gpt-5.4", "anthropic": "claude-sonnet-5", "compatible": "large"}


@contextlib.contextmanager
def _deaf() -> Generator[str]:
    """An address where nobody accepts a connection, and there is no room to wait for it."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def _settings(kind: str, url: str, **more: object) -> dict[str, object]:
    provider = {"kind": kind, "base_url": f"{url}/v1", "api_key_env": "ONE_KEY", **more}
    return {"model": f"one:{KINDS[kind]}", "providers": {"one": provider}, "retry": {"attempts": 1}}


async def _wasted(told: dict[str, object], *, leaves: bool) -> tuple[object, object]:
    """What the usage and the waste of a call are that has no time, or whose caller leaves."""
    records = Records()
    async with configured(told, records, keys=["ONE_KEY"]) as manager:
        call = asyncio.create_task(manager.generate("Hello", options=CallOptions(timeout=None if leaves else 0.3)))
        if leaves:
            await asyncio.wait([call], timeout=0.3)
            call.cancel()
        with pytest.raises(asyncio.CancelledError if leaves else ProviderTimeoutError):
            await call
    (usage,), (finished,) = records.of("llm.usage"), records.of("llm.finished")
    return usage.get("input"), finished.get("wasted")


@pytest.mark.story("2.7")
@pytest.mark.parametrize("leaves", [True, False])
@pytest.mark.parametrize("kind", KINDS)
async def test_who_was_not_reached_is_not_paid(kind: str, leaves: bool) -> None:
    with _deaf() as url:
        assert await _wasted(_settings(kind, url), leaves=leaves) == (None, None)


@pytest.mark.story("2.7")
@pytest.mark.parametrize("kind", KINDS)
async def test_who_has_the_request_is_paid(kind: str) -> None:
    records = Records()
    with LLMServer(Answer(how="stall")) as server:
        async with configured(_settings(kind, server.url, timeout=0.2), records, keys=["ONE_KEY"]) as manager:
            with pytest.raises(ProviderTimeoutError):
                await manager.generate("Hello")
            (finished,) = records.of("llm.finished")
    assert len(server.requests) == 1
    assert isinstance(wasted := finished["wasted"], dict)
    assert (wasted["input"], wasted["output"], wasted["estimated"]) == (6, 0, True)


@pytest.mark.story("2.7")
async def test_who_waits_for_a_connection_has_taken_nothing() -> None:
    records = Records()
    with LLMServer(Answer(how="stall")) as server:
        told = {"model": "one:large", "providers": {"one": {**table(server), "max_connections": 1}}}
        async with configured(told, records) as manager:
            first = asyncio.create_task(manager.generate("Hello"))
            while not server.requests:  # noqa: ASYNC110 - another thread has them
                await asyncio.sleep(0.005)
            with pytest.raises(ProviderTimeoutError):
                await manager.generate("Hello again", options=CallOptions(timeout=0.1))
            first.cancel()
            await asyncio.wait([first])
    assert [finished.get("wasted") for finished in records.of("llm.finished")] == [None, None]
    assert [usage.get("input") is None for usage in records.of("llm.usage")] == [True, False]
