"""A key that the provider makes itself: put into use, and the one before removed there; nothing is left behind."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.keys_kit import KEY, use_quick_store
from tests.cli.processes import Sentient
from tests.support.llm_server import Answer, LLMServer, Received, as_json

_ADMIN = "sk-admin-0123456789abcdefghij"
_ACCOUNTS = re.compile(r"/v1/organization/projects/proj_1/service_accounts(?:/(svc_acct_\d+))?")


class _OpenAI:
    """The interface of OpenAI for administrators, as far as service accounts, and the list of models."""

    def __init__(self) -> None:
        self.keys: dict[str, str] = {"": KEY}
        self.labels: list[str] = []
        self.refuses_new = False
        self.slow = 0
        """So many calls with a new key are refused at first."""

    def __call__(self, received: Received) -> Answer:
        key = received.headers.get("authorization", "").removeprefix("Bearer ")
        account = _ACCOUNTS.fullmatch(received.path)
        if account is not None:
            return self._accounts(received, account[1]) if key == _ADMIN else _fault(401, "invalid_api_key")
        self.slow -= key != KEY
        if key not in self.keys.values() or (key != KEY and (self.refuses_new or self.slow >= 0)):
            return _fault(401, "invalid_api_key")
        return as_json({"object": "list", "data": [{"id": "small", "object": "model"}]})

    def _accounts(self, received: Received, account: str | None) -> Answer:
        if received.method == "POST":
            name = f"svc_acct_{len(self.labels)}"
            self.labels.append(str(received.json()["name"]))
            self.keys[name] = f"sk-svcacct-{name}-0123456789abcdef"
            secret = {"object": "organization.project.service_account.api_key", "value": self.keys[name], "id": "key_1"}
            made = {"object": "organization.project.service_account", "id": name, "role": "member", "api_key": secret}
            return as_json(made)
        if self.keys.pop(account or "", None) is None:
            return _fault(404, "not_found")
        return as_json({"object": "organization.project.service_account.deleted", "id": account, "deleted": True})


def _fault(status: int, code: str) -> Answer:
    return as_json({"error": {"message": "No", "type": "invalid_request_error", "code": code}}, status)


def _project(server: LLMServer, more: str = 'project = "proj_1"') -> None:
    Path("sentient.toml").write_text(f'[llm.providers.mine]\nkind = "openai"\nbase_url = "{server.url}/v1"\n{more}\n')


@pytest.fixture(autouse=True)
def stored(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_store(monkeypatch)


def _set_both(sentient: Sentient) -> None:
    for name, value in (("mine", KEY), ("mine-admin", _ADMIN)):
        done = sentient("keys", "set", name, "--provider", "mine", stdin=value)
        assert done.returncode == 0, done.stderr


def _states(sentient: Sentient) -> list[str]:
    return [version["state"] for version in json.loads(sentient("keys", "show", "mine", "--json").stdout)["versions"]]


@pytest.mark.slow
@pytest.mark.story("6.3")
def test_a_key_is_made_used_and_removed_again(sentient: Sentient) -> None:
    provider = _OpenAI()
    provider.slow = 1
    with LLMServer(provider) as server:
        _project(server)
        _set_both(sentient)
        done = sentient("keys", "rotate", "mine", "--create", "--grace", "15m")
        assert done.returncode == 0, done.stderr
        assert "mine made a key: openai:proj_1/svc_acct_0" in done.stderr
        assert provider.keys["svc_acct_0"] not in done.stderr
        assert provider.labels[0].startswith("sentient default/mine 20")
        assert _states(sentient) == ["current", "previous"]
        assert sentient("keys", "test", "mine").returncode == 0
        ended = sentient("keys", "rotate", "mine", "--resume", "--grace", "0")
        assert "svc_acct" not in ended.stderr  # the one before was made by hand
        done = sentient("keys", "rotate", "mine", "--create", "--grace", "15m")
        assert provider.keys.keys() == {"", "svc_acct_0", "svc_acct_1"}
        ended = sentient("keys", "rotate", "mine", "--resume", "--grace", "0")
        assert "openai:proj_1/svc_acct_0 is removed at mine" in ended.stderr
        assert provider.keys.keys() == {"", "svc_acct_1"}
        assert _states(sentient) == ["current"]
    log = sentient("audit", "tail", "--json", "-n", "200").stdout
    assert "keys rotate --create" in log
    assert not any(secret in log for secret in (_ADMIN, *provider.keys.values()))


@pytest.mark.story("6.3")
@pytest.mark.slow
def test_a_key_that_is_not_taken_is_removed_again(sentient: Sentient) -> None:
    provider = _OpenAI()
    provider.refuses_new = True
    with LLMServer(provider) as server:
        _project(server)
        _set_both(sentient)
        done = sentient("keys", "rotate", "mine", "--create")
        assert done.returncode == 3, done.stderr
        assert "openai:proj_1/svc_acct_0 is removed at mine" in done.stderr
        assert "The key in use stays as it was" in " ".join(done.stderr.replace("\u2502", " ").split())
        assert provider.keys.keys() == {""}
        assert _states(sentient) == ["current"]


@pytest.mark.story("6.3")
def test_what_stands_in_the_way_is_said_and_makes_nothing(sentient: Sentient) -> None:
    provider = _OpenAI()
    with LLMServer(provider) as server:
        _project(server)
        assert sentient("keys", "set", "mine", stdin=KEY).returncode == 0
        missing = sentient("keys", "rotate", "mine", "--create", "--json")
        assert (missing.returncode, "mine-admin" in missing.stderr) == (3, True)
        assert sentient("keys", "set", "mine-admin", "--provider", "mine", stdin=KEY).returncode == 0
        refused = sentient("keys", "rotate", "mine", "--create", "--json")
        assert (refused.returncode, json.loads(refused.stderr)["error"]["code"]) == (3, "authentication")
        _project(server, "")
        nowhere = sentient("keys", "rotate", "mine", "--create", "--json")
        assert (nowhere.returncode, "project" in json.loads(nowhere.stderr)["error"]["fix"]) == (2, True)
        with LLMServer(provider) as elsewhere:
            _project(elsewhere)
            bound = sentient("keys", "rotate", "mine", "--create", "--json")
            assert json.loads(bound.stderr)["error"]["code"] == "credential-host"
            assert elsewhere.accepted == 0
        assert sentient("keys", "rotate", "mine", "--create", "--resume").returncode == 2
        assert provider.labels == []
        assert _states(sentient) == ["current"]
    assert sentient("keys", "set", "anthropic", stdin=KEY).returncode == 0
    never = sentient("keys", "rotate", "anthropic", "--create", "--json")
    assert (never.returncode, "makes none" in json.loads(never.stderr)["error"]["why"]) == (2, True)


@pytest.mark.story("6.3")
def test_a_key_of_openrouter(sentient: Sentient) -> None:
    made = as_json({"data": {"hash": "0f2c/1", "name": "x", "label": "sk-or-v1-0e6...1c9"}, "key": f"{KEY}-new"})
    models = as_json({"data": {"label": "sk-or-v1-0e6...1c9"}})

    def answer(received: Received) -> Answer:
        return made if received.method == "POST" else models

    with LLMServer(answer) as server:
        Path("sentient.toml").write_text(
            f'[llm.providers.mine]\nkind = "openrouter"\nbase_url = "{server.url}/api/v1"\n'
        )
        _set_both(sentient)
        done = sentient("keys", "rotate", "mine", "--create", "--grace", "0")
        assert done.returncode == 0, done.stderr
        assert "mine made a key: openrouter:0f2c/1" in done.stderr
        assert [(each.method, each.path) for each in server.requests] == [
            ("POST", "/api/v1/keys"),
            ("GET", "/api/v1/key"),
        ]
