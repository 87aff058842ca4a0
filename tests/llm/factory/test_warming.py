"""What the first call would import is there before it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest
from typing_extensions import override

from sentient_cli.llm import LLMManager, OfflineProvider
from sentient_cli.llm.providers.kinds import KINDS
from sentient_cli.llm.providers.preloading import modules_of
from tests.cli.llm_command_kit import chat_answer
from tests.llm.factory.socket_kit import configured, table
from tests.plugins.isolation import REPOSITORY
from tests.support.llm_server import LLMServer, as_json

FIRST = """
import asyncio, sys
from sentient_cli.clock import SystemClock, SystemIds
from sentient_cli.config.llm import LlmSettings
from sentient_cli.host.llm import build_llm
async def main() -> None:
    clock = SystemClock()
    table = {"kind": sys.argv[1], "base_url": sys.argv[2], "api_key_env": "K"}
    settings = LlmSettings.model_validate({"model": sys.argv[3], "providers": {"mine": table}})
    manager = build_llm(settings, clock, SystemIds(clock), environment={"K": "sk-key-1234"})
    await manager.warm()
    before = set(sys.modules)
    await manager.generate("Hello")
    await manager.aclose()
    print(sorted({name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)))
asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_modules_of_each_kind_are_there(kind: str) -> None:
    missing = [name for name in modules_of(kind) if importlib.util.find_spec(name) is None]
    assert missing == []


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize(("kind", "model"), [("openai", "mine:gpt-4o"), ("vllm", "mine:small"), ("vllm", "offline")])
def test_the_first_call_imports_nothing_more(kind: str, model: str) -> None:
    with LLMServer(chat_answer("Hello")) as server:
        command = [sys.executable, "-c", FIRST, kind, f"{server.url}/v1", model]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
        assert len(server.requests) == int(model != "offline"), "warming asks nobody"
    assert done.stdout.strip() in {"[]", "['sentient_cli']"}


class _Broken(OfflineProvider):
    """Its SDK is half installed."""

    @override
    async def initialize(self) -> None:
        raise AttributeError("partially initialized module")


async def test_what_breaks_while_warming_is_left_to_the_first_call() -> None:
    manager = LLMManager([_Broken()], default_model="offline:echo")
    await manager.warm()
    await manager.aclose()


@pytest.mark.story("13.6")
async def test_connections_stand_before_there_is_traffic(caplog: pytest.LogCaptureFixture) -> None:
    with LLMServer(as_json({"data": []})) as server:
        gone = {"kind": "compatible", "base_url": "http://127.0.0.1:1/v1", "warm_up": 1}
        providers = {"mine": {**table(server), "warm_up": 3}, "gone": gone}
        async with configured({"usage": False, "providers": providers}) as manager:
            await manager.warm()
            assert server.accepted == 3
    assert "Connections to the provider gone could not be opened" in caplog.text
