"""What the SDKs build is built once and sent with each request, besides what is the request's own."""

from __future__ import annotations

import asyncio
import threading
from contextvars import copy_context
from dataclasses import replace
from typing import cast

import pytest

from sentient_cli.errors import ContextLengthExceededError
from sentient_cli.llm.provider import Request
from sentient_cli.llm.types import Message
from tests.llm.providers.faulty import opened, wires
from tests.llm.providers.wires import KEY, TEXT, WIRES, Wire
from tests.support.llm_server import Answer, LLMServer, Received, as_json

_BUILT = [wire for wire in WIRES if wire.name != "compatible"]
built = pytest.mark.parametrize("wire", _BUILT, ids=lambda wire: wire.name)
_OWN = frozenset({"content-length", "idempotency-key", "x-client-request-id"})


def _common(received: Received) -> dict[str, str]:
    return {name: value for name, value in received.headers.items() if name not in _OWN}


def _asked(wire: Wire, call: str = "") -> Request:
    return Request(model=wire.model, messages=(Message.user("Count."),), call=call)


@built
async def test_every_request_has_what_the_sdk_says_of_itself_and_no_cookie(wire: Wire) -> None:
    cookie = {"set-cookie": "__cf_bm=track-me; Path=/"}
    answer = Answer(wire.events, headers=cookie)
    with LLMServer(answer, answer, answer, as_json({"data": []}, 200, **cookie)) as server:
        async with opened(wire, server.url) as provider:
            for number in range(3):
                assert (await provider.generate(_asked(wire, f"call_{number}"))).text == TEXT
            for _ in range(2):
                await provider.models()
        first, *others = map(_common, server.requests[:3])
        assert "x-stainless-lang" in first
        assert first.get("authorization") == f"Bearer {KEY}" or first.get("x-api-key") == KEY
        assert others == [first, first]
        assert not any("cookie" in received.headers for received in server.requests)


@built
async def test_requests_of_other_settings_are_built_anew(wire: Wire) -> None:
    with LLMServer(wire.handle) as server, LLMServer(wire.handle) as elsewhere:
        async with opened(wire, server.url) as provider:
            await provider.generate(_asked(wire))
            base = elsewhere.url if wire.name == "anthropic" else f"{elsewhere.url}/v1"
            await provider.update_config({"base_url": base, "api_key": "sk-test-another-one-0002"})
            await provider.generate(_asked(wire))
            assert [len(each.requests) for each in (server, elsewhere)] == [1, 1]
            told = elsewhere.requests[0].headers
            assert "sk-test-another-one-0002" in (told.get("authorization") or told["x-api-key"])
            assert KEY not in repr(elsewhere.requests[0].headers)


@wires
async def test_headers_of_the_settings_go_with_each_request(wire: Wire) -> None:
    with LLMServer(wire.handle) as server:
        async with opened(wire, server.url) as provider:
            await provider.generate(_asked(wire))
            await provider.update_config({"headers": {"X-Team": "blue", "Cookie": "gate=open"}})
            await provider.generate(_asked(wire))
            await provider.generate(_asked(wire))
        assert [received.headers.get("x-team") for received in server.requests] == [None, "blue", "blue"]
        assert [received.headers.get("cookie") for received in server.requests] == [None, "gate=open", "gate=open"]


@wires
@pytest.mark.parametrize("status", [401, 429])
async def test_a_key_goes_nowhere_but_where_its_settings_say(wire: Wire, status: int) -> None:
    asked, changed = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def refuse(_: Received) -> Answer:
        loop.call_soon_threadsafe(asked.set)
        return replace(wire.refusal(status), body=[b" ", b"{}"], gate=changed)

    with LLMServer(refuse) as server, LLMServer(wire.handle) as elsewhere:
        async with opened(wire, server.url) as provider:
            await provider.update_config({"api_keys": ["sk-test-of-the-first-0002"]})
            call = asyncio.create_task(provider.generate(_asked(wire)))
            await asked.wait()
            base = elsewhere.url if wire.name == "anthropic" else f"{elsewhere.url}/v1"
            await provider.update_config({"base_url": base, "api_key": "sk-test-of-the-second-0003", "api_keys": []})
            changed.set()
            assert (await call).text == TEXT
        told = [_common(received) for received in elsewhere.requests]
        assert "of-the-second" in repr(told)
        assert "of-the-first" not in repr(told)
        assert "of-the-second" not in repr([_common(received) for received in server.requests])


@wires
@pytest.mark.parametrize("steps", range(4))
async def test_settings_that_change_while_the_first_call_begins_get_no_key_of_others(wire: Wire, steps: int) -> None:
    with LLMServer(wire.handle) as server, LLMServer(wire.handle) as elsewhere:
        async with opened(wire, server.url) as provider:
            call = asyncio.create_task(provider.generate(_asked(wire)))
            for _ in range(steps):
                await asyncio.sleep(0)
            base = elsewhere.url if wire.name == "anthropic" else f"{elsewhere.url}/v1"
            await provider.update_config({"base_url": base, "api_key": "sk-test-another-one-0002"})
            assert (await call).text == TEXT
        told, others = ([repr(_common(each)) for each in one.requests] for one in (server, elsewhere))
        assert len(told) + len(others) == 1
        assert all(KEY in one for one in told)
        assert all("sk-test-another-one-0002" in one for one in others)


@built
async def test_calls_that_share_a_context_share_nothing_else(wire: Wire) -> None:
    models = as_json({"data": [{"id": "one"}], "has_more": False})
    with LLMServer(models) as server, LLMServer(models) as elsewhere, LLMServer(wire.handle) as third:
        async with (
            opened(wire, server.url) as provider,
            opened(wire, elsewhere.url, api_key="sk-test-another-one-0002") as other,
            opened(wire, third.url) as asked,
        ):
            loop, context = asyncio.get_running_loop(), copy_context()
            answer = loop.create_task(asked.generate(_asked(wire)), context=context)
            here = loop.create_task(provider.models(), context=context)
            there = loop.create_task(other.models(), context=context)
            assert [model.id for model in (*await here, *await there)] == ["one", "one"]
            assert (await answer).text == TEXT
        assert all(KEY in repr(received.headers) for received in server.requests)
        assert all("sk-test-another-one-0002" in repr(received.headers) for received in elsewhere.requests)


@wires
async def test_a_refusal_that_repeats_what_was_asked_is_understood(wire: Wire) -> None:
    told = cast("dict[str, object]", wire.too_long)
    with LLMServer(as_json({**told, "input": "word " * 100_000}, 400)) as server:
        async with opened(wire, server.url) as provider:
            with pytest.raises(ContextLengthExceededError):
                await provider.generate(_asked(wire))
