"""A provider that is closed: nothing waits for it, and nothing is sent to it."""

from __future__ import annotations

import asyncio

import pytest

from sentient_cli.errors import ProviderConnectionError, ProviderError, ServerError
from sentient_cli.llm import LLMManager, Message, Request
from sentient_cli.llm.providers.lazy import LazyProvider
from sentient_cli.llm.resilience.policies import ResiliencePolicies
from sentient_cli.llm.resilience.retry import RetryPolicy
from sentient_cli.llm.wire.settings import RemoteConfig
from sentient_cli.llm.wire.transport import Transport
from tests.llm.parts import Records
from tests.llm.providers.wires import WIRES, Wire
from tests.support.llm_server import Answer, LLMServer, as_json

FOREVER = ResiliencePolicies(retry=RetryPolicy(base=10_000, cap=10_000, jitter="none"))


class _Waiting(Records):
    """Knows when a retry is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = asyncio.Event()

    def on_record(self, record: object) -> None:
        if getattr(record, "kind", "") == "llm.retry":
            self.waits.set()


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
async def test_no_retry_is_waited_for_once_its_provider_is_closed(wire: Wire, lazy: bool) -> None:
    with LLMServer(as_json({"error": {"message": "Down"}}, 500), Answer(wire.body)) as server:
        made = wire.make(server.url, 5.0)
        provider = LazyProvider(wire.name, lambda: made) if lazy else made
        hook = _Waiting()
        manager = LLMManager([provider], hooks=[hook], policies=FOREVER)
        asking = asyncio.create_task(manager.generate("Hi", model=f"{provider.provider_id}:{wire.model}"))
        await hook.waits.wait()
        await manager.remove(provider.provider_id).aclose()
        with pytest.raises(ServerError):
            await asking
        assert len(server.requests) == 1
        await asyncio.to_thread(server.wait_open, 0)


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
async def test_a_closed_provider_takes_no_call(wire: Wire) -> None:
    with LLMServer(wire.handle) as server:
        provider = wire.make(server.url, 5.0)
        asked = Request(model=wire.model, messages=(Message.user("Hi"),))
        await provider.generate(asked)
        await provider.aclose()
        with pytest.raises(ProviderError, match="is closed") as caught:
            await provider.generate(asked)
        assert not caught.value.retryable
        with pytest.raises(ProviderError, match="is closed"):
            await provider.models()
        assert len(server.requests) == 1
        await asyncio.to_thread(server.wait_open, 0)


async def test_a_call_that_is_read_or_waits_for_room_ends_with_its_provider() -> None:
    with LLMServer(Answer(b"data", how="stall")) as server:
        transport = Transport("mine", RemoteConfig(default_model="m", base_url=server.url, max_connections=1))
        incoming = await transport.open("GET", server.url, {})
        assert await incoming.read_some() == b"data"
        reading = asyncio.create_task(incoming.read_some())
        waiting = asyncio.create_task(transport.open("GET", server.url, {}))
        await asyncio.sleep(0)
        assert transport.facts.waiting == 1
        await transport.aclose()
        with pytest.raises(ProviderConnectionError):
            await reading
        incoming.close()
        with pytest.raises(ProviderError, match="is closed"):
            await waiting
        assert len(server.requests) == 1
