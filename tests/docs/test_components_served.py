"""The components of the table in a server that answers by a model: each name leads somewhere there, and they work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.llm_command_kit import chat_answer
from tests.docs.test_components import CODE, COMPONENTS, rows
from tests.support.llm_server import LLMServer
from tests.support.served import serve
from tests.support.wire import ask_all

_AGENT = """
import gc
import json
from pathlib import Path
from pkgutil import resolve_name

from sentient_cli import agent, llm

NAMES = json.loads(Path(__file__).with_name("names.json").read_text())


def told(name):
    there = resolve_name(name)
    works = any(there in type(each).__mro__ for each in gc.get_objects())
    return [f"{there.__module__}.{there.__qualname__}", works]


@agent
async def asker(session, query, response):
    stream = llm.stream(query.prompt)
    await response.stream_llm("ANSWER", stream)
    await response.respond("COMPONENTS", json.dumps({key: told(name) for key, name in NAMES.items()}))
"""
_SETTINGS = """
[server]
session_memory = true

[metrics]
enabled = true

[llm]
model = "pair"
strategy = "{strategy}"

[llm.groups]
pair = ["one:large", "two:small"]

[llm.cache]
enabled = true

[llm.safety]
words = ["a word that nobody says"]

[llm.providers.one]
kind = "compatible"
base_url = "{url}/v1"

[llm.providers.two]
kind = "compatible"
base_url = "{url}/v1"
"""
_WORKING = """
LLMManager ProviderSelector CircuitBreaker HTTPClient ConnectionPool ResponseCache MetricsCollector EventRouter
SessionManager ConfigWatcher HealthChecker RequestSanitizer EnhancedAgent
"""
"""Those of which there is an object in such a server. The others are functions, protocols, what lives for a moment,
and what keeps keys and settings of programs."""


@pytest.mark.story("A1")
@pytest.mark.parametrize(
    ("strategy", "chooser"),
    [("least-busy", "LoadBalancer"), pytest.param("cheapest", "CostOptimizer", marks=pytest.mark.slow)],
)
def test_each_component_is_there_in_a_server(tmp_path: Path, strategy: str, chooser: str) -> None:
    table = rows("components.md", 3)
    names = {component: found[1] for component in COMPONENTS if (found := CODE.fullmatch(table[component][0]))}
    assert list(names) == COMPONENTS
    (tmp_path / "names.json").write_text(json.dumps(names), "utf-8")
    (tmp_path / "asker.py").write_text(_AGENT, "utf-8")
    with LLMServer(chat_answer("Hello")) as models:
        (tmp_path / "sentient.toml").write_text(_SETTINGS.format(url=models.url, strategy=strategy), "utf-8")
        with serve(tmp_path, agent=tmp_path / "asker.py") as server:
            said = [frame.json for frame in ask_all(server.address, "Greet")]
    (content,) = [each["content"] for each in said if each.get("event_name") == "COMPONENTS"]
    told: dict[str, tuple[str, bool]] = json.loads(str(content))
    assert {component: name for component, (name, _) in told.items()} == names
    working = {component for component, (_, works) in told.items() if works}
    assert working >= {*_WORKING.split(), chooser}, {*_WORKING.split(), chooser} - working
