"""What the SDKs build is built once and sent with each request, besides what is the request's own."""

from __future__ import annotations

import pytest

from sentient_cli.llm.provider import Request
from sentient_cli.llm.types import Message
from tests.llm.providers.faulty import opened
from tests.llm.providers.wires import KEY, TEXT, WIRES, Wire
from tests.support.llm_server import Answer, LLMServer, Received

_BUILT = [wire for wire in WIRES if wire.name != "compatible"]
built = pytest.mark.parametrize("wire", _BUILT, ids=lambda wire: wire.name)
_OWN = frozenset({"content-length", "idempotency-key", "x-client-request-id"})


def _common(received: Received) -> dict[str, str]:
    return {name: value for name, value in received.headers.items() if name not in _OWN}


def _asked(wire: Wire, call: str = "") -> Request:
    return Request(model=wire.model, messages=(Message.user("Count."),), call=call)


@built
async def test_every_request_has_what_the_sdk_says_of_itself_and_no_cookie(wire: Wire) -> None:
    answer = Answer(wire.events, headers={"set-cookie": "__cf_bm=track-me; Path=/"})
    with LLMServer(answer, answer, answer) as server:
        async with opened(wire, server.url) as provider:
            for number in range(3):
                assert (await provider.generate(_asked(wire, f"call_{number}"))).text == TEXT
        first, *others = map(_common, server.requests)
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


@built
async def test_headers_of_the_settings_go_with_each_request(wire: Wire) -> None:
    with LLMServer(wire.handle) as server:
        async with opened(wire, server.url) as provider:
            await provider.generate(_asked(wire))
            await provider.update_config({"headers": {"X-Team": "blue"}})
            await provider.generate(_asked(wire))
            await provider.generate(_asked(wire))
        assert [received.headers.get("x-team") for received in server.requests] == [None, "blue", "blue"]
