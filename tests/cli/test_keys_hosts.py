"""A key goes to the host that its user has agreed to, whatever a project's settings say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.keys_kit import ENV, KEY, OTHER, quick_store
from tests.cli.llm_command_kit import chat_answer, project
from tests.cli.processes import Sentient
from tests.support.llm_server import Answer, LLMServer, Received, as_json

pytestmark = pytest.mark.story("6.4", "10.1")


@pytest.fixture(autouse=True)
def stored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    quick_store()


def _answer(received: Received) -> Answer:
    models = received.path.endswith("/models")
    return as_json({"object": "list", "data": [{"id": "small"}]}) if models else chat_answer("Yes")


def _error(text: str) -> dict[str, str]:
    error: dict[str, str] = json.loads(text)["error"]
    return error


def _set(sentient: Sentient, name: str, *more: str) -> str:
    done = sentient("keys", "set", name, *more, stdin=KEY)
    assert done.returncode == 0, done.stderr
    return done.stderr


def _host(server: LLMServer) -> str:
    return f"127.0.0.1:{server.port}"


def test_a_project_that_names_another_host_gets_no_key(sentient: Sentient) -> None:
    with LLMServer(_answer) as ours, LLMServer(_answer) as theirs:
        project(ours)
        assert f"It is sent to {_host(ours)} alone" in _set(sentient, "mine")
        assert sentient("ask", "Hi").returncode == 0
        assert ours.requests[-1].headers["authorization"] == f"Bearer {KEY}"
        project(theirs)
        refused = [
            sentient("ask", "Hi", "--json"),
            sentient("keys", "test", "mine", "--json"),
            sentient("keys", "rotate", "mine", "--json", stdin=OTHER),
        ]
        for done in refused:
            error = _error(done.stderr)
            assert (done.returncode, error["code"]) == (3, "credential-host")
            assert f"It may be sent to {_host(ours)} alone" in error["why"]
            assert f"`sentient keys allow mine {_host(theirs)} --profile default`" in error["fix"]
        assert theirs.accepted == 0
        assert sentient("keys", "allow", "mine", _host(theirs)).returncode == 0
        assert sentient("ask", "Hi").returncode == 0
        assert theirs.requests[-1].headers["authorization"] == f"Bearer {KEY}"
        told = json.loads(sentient("keys", "allow", "mine", f"{theirs.url}/v1", "--remove", "--json").stdout)
        assert told["hosts"] == [_host(ours)]
        assert sentient("ask", "Hi").returncode == 3
        assert len(theirs.requests) == 1
    actions = [json.loads(line) for line in sentient("audit", "tail", "--json", "-n", "100").stdout.splitlines()]
    found = [(line["action"], line["data"].get("purpose")) for line in actions if line["category"] == "credential"]
    assert found.count(("refused", "llm")) == 2
    assert {("refused", "keys test"), ("bound", None), ("unbound", None)} <= set(found)
    shown = json.loads(sentient("keys", "show", "mine", "--json").stdout)
    assert shown["hosts"] == told["hosts"]


def test_another_key_in_its_place_stays_bound(sentient: Sentient) -> None:
    with LLMServer(_answer) as ours, LLMServer(_answer) as theirs:
        project(ours)
        _set(sentient, "mine")
        project(theirs)
        _set(sentient, "mine", "--yes")
        assert sentient("keys", "test", "mine").returncode == 3
        assert theirs.accepted == 0
        _set(sentient, "mine", "--yes", "--host", _host(theirs))
        assert sentient("keys", "test", "mine").returncode == 0


@pytest.mark.parametrize(
    "table",
    [
        'kind = "openai"\nbase_url = "{url}/v1"',
        'kind = "compatible"\nbase_url = "{url}/v1"',
        'options = {{ base_url = "{url}/v1" }}',
        'proxy = "{url}"\nca_file = "ca.pem"',
    ],
)
def test_the_key_of_a_vendor_is_not_sent_elsewhere(sentient: Sentient, table: str) -> None:
    _set(sentient, "openai")
    Path("ca.pem").touch()
    with LLMServer(_answer) as theirs:
        Path("sentient.toml").write_text(
            f'[llm]\nmodel = "openai:small"\n[llm.retry]\nattempts = 1\n[llm.providers.openai]\n'
            f"{table.format(url=theirs.url)}\n"
        )
        for arguments in (("ask", "Hi"), ("keys", "test", "openai")):
            done = sentient(*arguments, "--json")
            assert (done.returncode, _error(done.stderr)["code"] in {"credential-host", "config"}) == (3, True)
        assert theirs.accepted == 0


def test_a_key_of_a_vendor_goes_to_a_gateway_that_was_agreed_to(sentient: Sentient) -> None:
    with LLMServer(_answer) as gateway:
        _set(sentient, "openai", "--host", gateway.url)
        Path("sentient.toml").write_text(
            f'[llm.providers.openai]\nkind = "compatible"\nbase_url = "{gateway.url}/v1"\n'
        )
        assert sentient("keys", "test", "openai").returncode == 0
        Path("sentient.toml").unlink()
        assert _error(sentient("keys", "test", "openai", "--json").stderr)["code"] == "credential-host"


def test_a_key_that_nobody_is_known_for_is_sent_nowhere(sentient: Sentient) -> None:
    with LLMServer(_answer) as theirs:
        assert "It is sent nowhere before `sentient keys allow mine HOST`" in _set(sentient, "mine")
        project(theirs)
        error = _error(sentient("ask", "Hi", "--json").stderr)
        assert (error["code"], "bound to no host yet" in error["why"]) == ("credential-host", True)
        assert theirs.accepted == 0


@pytest.mark.parametrize("host", ["", "a b", "https://", "x" * 300, "me@", "a:99999"])
def test_what_is_no_host(sentient: Sentient, host: str) -> None:
    _set(sentient, "openai")
    done = sentient("keys", "allow", "openai", host)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)


def test_a_key_is_never_bound_to_nothing_again(sentient: Sentient) -> None:
    _set(sentient, "openai")
    done = sentient("keys", "allow", "openai", "api.openai.com", "--remove", "--json")
    assert (done.returncode, _error(done.stderr)["code"]) == (2, "usage")
    assert sentient("keys", "allow", "none", "example.com").returncode == 3
    many = [f"host{number}.example.com" for number in range(16)]
    assert sentient("keys", "allow", "openai", *many).returncode == 2
