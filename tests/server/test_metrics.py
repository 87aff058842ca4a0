"""Metrics and spans of a server: wanted by its settings, seen over its sockets."""

from __future__ import annotations

import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.llm_command_kit import chat_answer
from tests.support.llm_server import Answer, LLMServer, as_json
from tests.support.served import Served, serve
from tests.support.wire import Wire, ask_all

_AGENT = """
from sentient_cli import agent, llm

class Counted:
    seen = 0

    def on_record(self, record):
        self.seen += record.kind == "llm.finished"

counted = Counted()

class Asker:
    name = "asker"

    async def setup(self):
        llm.get_manager().listen(counted)

    async def assist(self, session, query, response):
        await response.stream_llm("ANSWER", llm.stream(query.prompt))
        await response.respond("SEEN", str(counted.seen))

asker = Asker()
"""
_SETTINGS = """
[metrics]
enabled = true
[llm]
model = "mine:small"
usage = false
[llm.retry]
attempts = 1
[llm.breaker]
failures = 1
[llm.providers.mine]
kind = "compatible"
base_url = "{url}/v1"
"""
WHERE = 'model="small",provider="mine"'
WELL = chat_answer("Hello", usage=(10, 5))


@contextmanager
def _asking(models: LLMServer, place: Path, *flags: object, more: str = "", **env: str) -> Generator[Served]:
    (place / "asker.py").write_text(_AGENT)
    (place / "sentient.toml").write_text(_SETTINGS.format(url=models.url) + more)
    variables = {"SENTIENT_SERVER_DRAIN_DELAY": "0", **env}
    with serve(place, *flags, agent=f"{place / 'asker.py'}:asker", env=variables) as server:
        yield server


def _get(server: Served, path: str = "/metrics", **headers: str) -> tuple[int, str]:
    with Wire(server.address) as wire:
        answer = wire.request("GET", path, headers)
        return answer.status, answer.read().decode()


@pytest.mark.story("A2", "13.5", "4.5")
def test_calls_are_counted_under_the_names_that_were_promised(tmp_path: Path) -> None:
    with LLMServer(WELL, WELL, as_json({"error": {"message": "Down"}}, 503)) as models, _asking(models, tmp_path) as it:
        ask_all(it.address, "Hello")
        assert 'llm_circuit_breaker_state{provider="mine"} 0.0' in _get(it)[1]
        for _ in range(2):
            ask_all(it.address, "Hello")
        status, text = _get(it)
    assert status == 200
    lines = text.splitlines()
    for line in (
        f'llm_requests_total{{{WHERE},status="success"}} 2.0',
        f'llm_requests_total{{{WHERE},status="error"}} 1.0',
        f'llm_tokens_consumed_total{{{WHERE},type="input"}} 20.0',
        f'llm_tokens_consumed_total{{{WHERE},type="output"}} 10.0',
        f"llm_cost_incurred_total{{{WHERE}}} 0.0",
        f"llm_request_duration_seconds_count{{{WHERE}}} 3.0",
        'llm_circuit_breaker_state{provider="mine"} 1.0',
        'llm_pool_connections{provider="mine",state="in_use"} 0.0',
    ):
        assert line in lines, line
    bounds = [line.partition('le="')[2].partition('"')[0] for line in lines if "duration_seconds_bucket" in line]
    assert bounds == ["0.1", "0.5", "1.0", "2.0", "5.0", "10.0", "30.0", "+Inf"]


@pytest.mark.slow
@pytest.mark.story("A2", "14.8")
@pytest.mark.skipif(sys.platform == "win32", reason="there is one worker")
def test_several_workers_count_together(tmp_path: Path) -> None:
    with LLMServer(WELL) as models, _asking(models, tmp_path, "--workers", 2) as it:
        for _ in range(8):
            ask_all(it.address, "Hello")
        told = {_get(it) for _ in range(6)}
        alone = {_get(it, "/metrics?alone") for _ in range(6)}
    assert all(f'llm_requests_total{{{WHERE},status="success"}} 8.0' in text for _, text in told)
    assert all("llm_request_duration_seconds_bucket{" in text for _, text in told)
    assert all("_total" in text for _, text in alone)


def test_strangers_read_no_metrics(tmp_path: Path) -> None:
    with LLMServer(WELL) as models:
        token = "a-token-that-is-long-enough"
        with _asking(models, tmp_path, SENTIENT_SERVER_TOKEN=token) as it:
            assert _get(it)[0] == 401
            assert _get(it, authorization=f"Bearer {token}")[0] == 200
        with _asking(models, tmp_path, "--host", "0.0.0.0", "--insecure") as it:  # noqa: S104 - nobody else can reach it
            status, text = _get(it)
            assert (status, "`server.token`" in text) == (403, True)
        with _asking(models, tmp_path, SENTIENT_METRICS_ENABLED="false") as it:
            assert _get(it)[0] == 404


def test_an_agent_listens_to_the_calls_of_its_server(tmp_path: Path) -> None:
    with LLMServer(WELL) as models, _asking(models, tmp_path) as it:
        for number in ("1", "2"):
            frames = ask_all(it.address, "Hello")
            assert number in [frame.json.get("content") for frame in frames]


@pytest.mark.story("A2", "3.3")
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGHUP")
def test_other_settings_go_on_counting(tmp_path: Path) -> None:
    with LLMServer(WELL) as models, _asking(models, tmp_path) as it:
        ask_all(it.address, "Hello")
        place = tmp_path / "sentient.toml"
        place.write_text(place.read_text().replace("mine:small", "mine:large"))
        it.signal(signal.SIGHUP)
        it.wait_line("The settings are taken")
        frames = ask_all(it.address, "Hello")
        text = _get(it)[1]
    assert "2" in [frame.json.get("content") for frame in frames]
    for model in ("small", "large"):
        assert f'llm_requests_total{{model="{model}",provider="mine",status="success"}} 1.0' in text
    assert 'llm_pool_connections{provider="mine",state="in_use"} 0.0' in text


@pytest.mark.story("A5")
def test_spans_go_to_a_collector(tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    with LLMServer(WELL) as models, LLMServer(Answer(content_type="application/x-protobuf")) as collector:
        more = f'[telemetry]\nenabled = true\nendpoint = "{collector.url}"\nservice = "guide"\n'
        with _asking(models, tmp_path, more=more) as it:
            ask_all(it.address, "Hello")
    assert {request.path for request in collector.requests} == {"/v1/traces"}
    sent = b"".join(request.body for request in collector.requests)
    for text in (b"chat small", b"guide", b"gen_ai.usage.input_tokens", b"gen_ai.conversation.id", b"sentient.query"):
        assert text in sent
    assert b"Hello" not in sent
