"""How many connections there are to a provider and for how long: what is set, and what the profiles have."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from sentient_cli.config.llm import ProviderSettings
from sentient_cli.config.pools import Profile
from sentient_cli.llm.compatible import CompatibleConfig
from sentient_cli.llm.providers.factory import provider_factory
from sentient_cli.llm.wire.pooling import PROFILES
from sentient_cli.llm.wire.transport import Transport
from tests.llm.providers.pool_kit import config, opened
from tests.support.llm_server import Answer, LLMServer, as_json

STUCK = Answer([b"1"], how="stall")


@pytest.fixture(name="server")
def _server() -> Iterator[LLMServer]:
    with LLMServer(as_json({"ok": True})) as server:
        yield server


async def several(transport: Transport, url: str, count: int) -> None:
    """Make so many calls at once."""
    await asyncio.gather(*(transport.fetch("GET", url, {}) for _ in range(count)))


@pytest.mark.story("13.2", "13.3")
async def test_a_connection_that_is_too_old_is_replaced(server: LLMServer) -> None:
    async with opened(server.url, lifetime=0.05) as transport:
        for _ in range(3):
            await transport.fetch("GET", server.url, {})
        assert server.accepted == 1
        await asyncio.sleep(0.06)
        for _ in range(2):
            await transport.fetch("GET", server.url, {})
        assert server.accepted == 2
        await asyncio.to_thread(server.wait_open, 1)


@pytest.mark.story("13.2", "13.7")
async def test_one_that_gets_too_old_during_an_answer_cuts_nothing(server: LLMServer) -> None:
    server.answer(Answer([b"1", b"2"], pace=0.02))
    async with opened(server.url, lifetime=0.01) as transport:
        assert (await transport.fetch("GET", server.url, {})).body == b"12"
        await asyncio.to_thread(server.wait_open, 0)
        assert transport.facts.open == 0


@pytest.mark.story("13.2", "13.7")
async def test_no_more_stay_unused_than_may(server: LLMServer) -> None:
    async with opened(server.url, max_idle=2) as transport:
        await several(transport, server.url, 6)
        assert server.accepted == 6
        assert transport.facts.open == 2
        await asyncio.to_thread(server.wait_open, 2)
        await several(transport, server.url, 2)
        assert server.accepted == 6
    async with opened(server.url, max_idle=0) as transport:
        await several(transport, server.url, 2)
        assert transport.facts.open == 0


@pytest.mark.story("13.2")
async def test_those_that_the_server_closed_are_not_counted(server: LLMServer) -> None:
    async with opened(server.url, max_idle=2) as transport:
        await several(transport, server.url, 2)
        server.close_all()
        await asyncio.to_thread(server.wait_open, 0)
        while transport.facts.open:  # noqa: ASYNC110 - until the end of the connections has arrived
            await asyncio.sleep(0)
        await several(transport, server.url, 3)
        await asyncio.to_thread(server.wait_open, 2)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.story("E13.3")
async def test_a_profile_says_what_is_not_set(profile: Profile, server: LLMServer) -> None:
    shape = PROFILES[profile]
    assert config(server.url, pool=profile).pooling == shape
    set_here = config(server.url, pool=profile, max_idle=0, keepalive=1.5).pooling
    assert (set_here.max_idle, set_here.keepalive, set_here.lifetime) == (0, 1.5, shape.lifetime)
    async with opened(server.url, pool=profile) as transport:
        await several(transport, server.url, 120)
        assert transport.facts.limit == shape.max_connections
        assert transport.facts.open == min(120, shape.max_idle)


def test_all_of_it_is_set_in_the_table_of_a_provider() -> None:
    told = {"http2": True, "pool": "bursty", "max_idle": 7, "lifetime": 60.0, "base_url": "http://127.0.0.1:9/v1"}
    made = provider_factory("compatible", ProviderSettings.model_validate(told), {}).config
    assert isinstance(made, CompatibleConfig)
    assert made.http2
    assert (made.pooling.max_idle, made.pooling.lifetime, made.pooling.keepalive) == (7, 60.0, 300.0)


async def test_another_profile_retires_the_pool_and_only_that(server: LLMServer) -> None:
    with_it = Transport("mine", config(server.url))
    assert not with_it.fits(config(server.url, pool="streaming"))
    assert not with_it.fits(config(server.url, http2=True))
    assert with_it.fits(config(server.url, pool_timeout=1.0, max_connections=1000))
    await with_it.aclose()
