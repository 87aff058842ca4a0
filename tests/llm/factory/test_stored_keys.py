"""A key of a store is found after those of variables, on record, and only for whom it is meant."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from sentient_cli.clock import SystemClock, SystemIds
from sentient_cli.config.credentials import CredentialSettings, LookUpPlace
from sentient_cli.config.llm import LlmSettings, ProviderSettings
from sentient_cli.config.secret import Secret
from sentient_cli.credentials.destinations import host_of
from sentient_cli.credentials.manager import CredentialManager, Policy
from sentient_cli.errors import AuthenticationError, CredentialHostError, CredentialNotFoundError, CredentialStoreError
from sentient_cli.host.key_stores import StoredKeys
from sentient_cli.host.llm import build_llm
from sentient_cli.llm import LLMManager
from sentient_cli.llm.anthropic import AnthropicConfig
from sentient_cli.llm.compatible.vendors import VENDORS
from sentient_cli.llm.openai import OpenAIConfig
from sentient_cli.llm.providers.factory import provider_factory
from sentient_cli.llm.providers.kinds import KINDS
from sentient_cli.llm.types import Message
from sentient_cli.testing import MemoryCredentialStore
from tests.cli.llm_command_kit import chat_answer
from tests.support.llm_server import LLMServer, as_json

_STORED = "sk-stored-0123456789"
_DEFAULT: tuple[LookUpPlace, ...] = ("given", "variable", "environment", "env-file", "stores")


class _Stores:
    """Stores in memory, with catalogue and log where this user has them."""

    def __init__(self, order: tuple[LookUpPlace, ...] = _DEFAULT) -> None:
        self.opened = 0
        self.store = MemoryCredentialStore()
        self._policy = Policy(order=order)
        self.keys = StoredKeys(CredentialSettings(order=order), self._open)

    def _open(self) -> CredentialManager:
        self.opened += 1
        return CredentialManager([self.store], policy=self._policy)

    def put(self, name: str, value: str, *hosts: str) -> None:
        self._open().store(name, Secret(value), hosts=hosts)
        self.opened = 0


@pytest.mark.parametrize(
    ("order", "environment", "given", "key"),
    [
        (_DEFAULT, {}, None, _STORED),
        (_DEFAULT, {"OPENAI_API_KEY": "sk-env-0123456789"}, None, "sk-env-0123456789"),
        (_DEFAULT, {}, "sk-given-0123456789", "sk-given-0123456789"),
        (("stores", "environment"), {"OPENAI_API_KEY": "sk-env-0123456789"}, None, _STORED),
        (("stores", "environment"), {}, "sk-given-0123456789", "sk-given-0123456789"),
    ],
)
def test_a_stored_key_has_its_place_in_the_order(
    order: tuple[LookUpPlace, ...], environment: Mapping[str, str], given: str | None, key: str
) -> None:
    stores = _Stores(order)
    stores.put("openai", _STORED)
    provider = provider_factory(
        "openai", None, environment, api_key=Secret(given) if given else None, stores=stores.keys
    )
    assert stores.opened == 0, "nothing is looked for before it is needed"
    found = getattr(provider.config, "api_key", None)
    assert isinstance(found, Secret)
    assert found.reveal() == key
    asyncio.run(provider.aclose())


def test_a_key_is_sent_only_where_it_may_go() -> None:
    stores = _Stores()
    stores.put("openai", _STORED)
    stores.put("proxy", "sk-proxy-0123456789", "127.0.0.1:9")
    elsewhere = ProviderSettings(kind="openai", base_url="http://127.0.0.1:9/v1")
    with pytest.raises(CredentialHostError, match=r"api\.openai\.com alone"):
        provider_factory("openai", elsewhere, {}, stores=stores.keys).made  # noqa: B018 - that it is made
    found = getattr(provider_factory("proxy", elsewhere, {}, stores=stores.keys).config, "api_key", None)
    assert isinstance(found, Secret)
    assert found.reveal() == "sk-proxy-0123456789"
    with pytest.raises(CredentialHostError, match=r"127\.0\.0\.1:9 alone"):
        provider_factory("proxy", ProviderSettings(kind="openai"), {}, stores=stores.keys).made  # noqa: B018 - the same
    with pytest.raises(CredentialNotFoundError, match="sentient keys set other"):
        provider_factory("other", elsewhere, {}, stores=stores.keys).made  # noqa: B018 - that it is made


def test_who_needs_no_key_is_asked_without_one_elsewhere() -> None:
    stores = _Stores()
    stores.put("ollama", _STORED)
    elsewhere = ProviderSettings(base_url="http://127.0.0.1:9/v1")
    assert getattr(provider_factory("ollama", elsewhere, {}, stores=stores.keys).config, "api_key", 1) is None


def test_the_host_of_each_kind_is_where_it_is() -> None:
    base_urls = {"openai": OpenAIConfig().base_url, "anthropic": AnthropicConfig().base_url}
    for name, kind in KINDS.items():
        base_url = base_urls.get(name) or (VENDORS[name].base_url if name in VENDORS else "")
        assert kind.host == host_of(base_url), name


def test_a_missing_key_names_the_command_and_opens_no_store() -> None:
    stores = _Stores()
    with pytest.raises(CredentialNotFoundError, match=r"GROQ_API_KEY.*sentient keys set groq"):
        provider_factory("groq", None, {}, stores=stores.keys).made  # noqa: B018 - that it is made
    assert stores.opened == 0


def test_a_store_that_is_down_is_told_and_asked_again() -> None:
    stores = _Stores()
    stores.put("groq", _STORED)
    stores.store.down = CredentialStoreError("The keyring is locked")
    provider = provider_factory("groq", None, {}, stores=stores.keys)
    stores.keys.prepare(["groq"])
    with pytest.raises(CredentialStoreError, match="locked"):
        provider.made  # noqa: B018 - that it is made
    stores.store.down = None
    assert provider.made.provider_id == "groq"
    asyncio.run(stores.keys.aclose())


def _lab(server: LLMServer) -> LlmSettings:
    table = ProviderSettings(kind="compatible", base_url=f"{server.url}/v1")
    return LlmSettings(model="lab:small", providers={"lab": table}, usage=False)


_VARIABLE = {"LAB_KEY": "sk-variable-0123456789"}


@pytest.mark.story("1.4")
@pytest.mark.parametrize(
    ("given", "environment", "key"),
    [
        ("sk-given-0123456789", _VARIABLE, "sk-given-0123456789"),
        (None, _VARIABLE, "sk-variable-0123456789"),
        (None, {}, _STORED),
    ],
)
async def test_the_key_that_is_sent_is_the_first_that_was_declared(
    given: str | None, environment: Mapping[str, str], key: str
) -> None:
    stores = _Stores()
    with LLMServer(chat_answer("Hi")) as server:
        stores.put("lab", _STORED, server.url)
        table = ProviderSettings(kind="compatible", base_url=f"{server.url}/v1", api_key_env=("LAB_KEY",))
        given_key = Secret(given) if given else None
        provider = provider_factory("lab", table, environment, api_key=given_key, stores=stores.keys)
        manager = LLMManager([provider], default_model="lab:small")
        assert (await manager.generate("Hello")).text == "Hi"
        await manager.aclose()
        assert [request.headers["authorization"] for request in server.requests] == [f"Bearer {key}"]


async def test_a_refused_key_names_the_credential_that_it_is() -> None:
    stores = _Stores()
    clock = SystemClock()
    with LLMServer(as_json({"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}, 401)) as server:
        stores.put("lab", _STORED, server.url)
        manager = build_llm(_lab(server), clock, SystemIds(clock), environment={}, stores=stores.keys)
        await manager.warm()
        assert stores.opened == 1, "it is looked for before there is a call"
        with pytest.raises(AuthenticationError) as caught:
            await manager.generate([Message.user("Hi")])
        await manager.aclose()
        assert server.requests[-1].headers["authorization"] == f"Bearer {_STORED}"
    assert "The key is that of the credential default/lab in the store memory (profile 'default')" in caught.value.why
    assert "sentient keys set lab --profile default" in caught.value.fix
    assert _STORED not in str(caught.value)
