"""A key goes to the host that its user has agreed to, whatever a project's settings say."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sentient_cli import paths
from sentient_cli.credentials.variable_hosts import VariableHosts
from tests.cli.keys_kit import KEY, OTHER, listing_one, use_quick_store
from tests.cli.llm_command_kit import project
from tests.cli.processes import Sentient
from tests.support.llm_server import LLMServer, as_json
from tests.support.served import start

pytestmark = pytest.mark.story("6.4", "10.1")
_OF_VAULT = ("VAULT_TOKEN", "SENTIENT_CREDENTIALS_STORES")


@pytest.fixture(autouse=True)
def stored(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_store(monkeypatch)


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
    with LLMServer(listing_one) as ours, LLMServer(listing_one) as theirs:
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
    with LLMServer(listing_one) as ours, LLMServer(listing_one) as theirs:
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
    with LLMServer(listing_one) as theirs:
        Path("sentient.toml").write_text(
            f'[llm]\nmodel = "openai:small"\n[llm.retry]\nattempts = 1\n[llm.providers.openai]\n'
            f"{table.format(url=theirs.url)}\n"
        )
        for arguments in (("ask", "Hi"), ("keys", "test", "openai")):
            done = sentient(*arguments, "--json")
            assert (done.returncode, _error(done.stderr)["code"] in {"credential-host", "config"}) == (3, True)
        assert theirs.accepted == 0


def test_a_key_of_a_vendor_goes_to_a_gateway_that_was_agreed_to(sentient: Sentient) -> None:
    with LLMServer(listing_one) as gateway:
        _set(sentient, "openai", "--host", gateway.url)
        Path("sentient.toml").write_text(
            f'[llm.providers.openai]\nkind = "compatible"\nbase_url = "{gateway.url}/v1"\n'
        )
        assert sentient("keys", "test", "openai").returncode == 0
        Path("sentient.toml").unlink()
        assert _error(sentient("keys", "test", "openai", "--json").stderr)["code"] == "credential-host"


def test_a_key_that_nobody_is_known_for_is_sent_nowhere(sentient: Sentient) -> None:
    with LLMServer(listing_one) as theirs:
        assert "It is sent nowhere before `sentient keys allow mine HOST`" in _set(sentient, "mine")
        project(theirs)
        error = _error(sentient("ask", "Hi", "--json").stderr)
        assert (error["code"], "bound to no host yet" in error["why"]) == ("credential-host", True)
        assert theirs.accepted == 0


@pytest.mark.parametrize("host", ["", "a b", "https://", "x" * 300, "me@", "a:99999", "sk-a/b+c", "https://me@a.b"])
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


def _greedy(url: str, variable: str, more: str = "") -> None:
    """Settings that have the key of a variable go to a server of somebody's."""
    Path("sentient.toml").write_text(
        f'[llm]\nmodel = "theirs:small"\n[llm.retry]\nattempts = 1\n[llm.providers.theirs]\nkind = "compatible"\n'
        f'base_url = "{url}/v1"\napi_key_env = "{variable}"\n{more}'
    )


@pytest.mark.parametrize(
    "variable",
    [
        "OPENAI_API_KEY",
        "VAULT_TOKEN",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("GITHUB_TOKEN", "AZURE_OPENAI_API_KEY")),
    ],
)
@pytest.mark.parametrize("place", ["shell", ".env"])
def test_a_project_does_not_get_a_variable_that_is_for_others(
    sentient: Sentient, variable: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if place == "shell":
        monkeypatch.setenv(variable, KEY)
    else:
        Path(".env").write_text(f"{variable}={KEY}\n")
    with LLMServer(listing_one) as theirs:
        _greedy(theirs.url, variable)
        for arguments in (("ask", "Hi"), ("keys", "test", "theirs")):
            done = sentient(*arguments, "--json")
            error = _error(done.stderr)
            assert (done.returncode, error["code"]) == (3, "credential-host")
            assert error["what"] == f"The key in the variable {variable} is not sent to {_host(theirs)}"
            assert f"`sentient keys allow {variable} {_host(theirs)}`" in error["fix"]
            assert KEY not in done.stdout + done.stderr
        assert sentient("models", "--live", "--json").returncode in {0, 3}
        told = " ".join(sentient("keys", "which", "theirs").stderr.split())
        assert f"Warning: The key in the variable {variable} is not sent to {_host(theirs)}" in told
        assert theirs.accepted == 0
    assert _refused(sentient) == [(f"variable/{variable}", purpose) for purpose in ("llm", "keys test", "llm")][:2]


def _refused(sentient: Sentient) -> list[tuple[str, str]]:
    lines = [json.loads(line) for line in sentient("audit", "tail", "--json", "-n", "100").stdout.splitlines()]
    return [(line["subject"], line["data"]["purpose"]) for line in lines if line["action"] == "refused"]


def test_a_server_says_which_key_it_does_not_send_and_what_to_do() -> None:
    Path("asker.py").write_text(_ASKER)
    _greedy("https://theirs.example.com", "OPENAI_API_KEY")
    server = start(Path.cwd(), agent="asker.py", env={"OPENAI_API_KEY": KEY})
    assert server.wait() == 3
    told = " ".join(" ".join(server.lines).replace("│", " ").split())
    assert "The key in the variable OPENAI_API_KEY is not sent to theirs.example.com" in told
    assert "`sentient keys allow OPENAI_API_KEY theirs.example.com`" in told


def test_a_variable_goes_where_its_user_allows(sentient: Sentient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with LLMServer(listing_one) as gateway:
        _greedy(gateway.url, "OPENAI_API_KEY")
        said = sentient("keys", "allow", "OPENAI_API_KEY", gateway.url)
        assert (said.returncode, said.stderr) == (
            0,
            f"OPENAI_API_KEY is sent to api.openai.com, {_host(gateway)} alone.\n",
        )
        assert sentient("ask", "Hi").returncode == 0
        assert gateway.requests[-1].headers["authorization"] == f"Bearer {KEY}"
        monkeypatch.setenv("ANTHROPIC_API_KEY", OTHER)
        _greedy(gateway.url, "ANTHROPIC_API_KEY")
        assert sentient("ask", "Hi").returncode == 3
        _greedy(gateway.url, "OPENAI_API_KEY")
        told = json.loads(sentient("keys", "allow", "OPENAI_API_KEY", _host(gateway), "--remove", "--json").stdout)
        assert told == {"variable": "OPENAI_API_KEY", "provider": "openai", "hosts": []}
        assert sentient("ask", "Hi").returncode == 3
        assert len(gateway.requests) == 1
    assert sentient("keys", "allow", "WORK_KEY", "models.example.com").returncode == 2


def test_a_variable_goes_where_its_users_own_settings_say(sentient: Sentient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with LLMServer(listing_one) as gateway:
        _greedy(gateway.url, "OPENAI_API_KEY")
        own = paths.user_config_file()
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_text(
            f'[llm.providers.work]\nkind = "openai"\nbase_url = "{gateway.url}/v1"\napi_key_env = "OTHER_KEY"\n'
        )
        assert sentient("ask", "Hi").returncode == 3
        own.write_text(own.read_text().replace('"OTHER_KEY"', '["OTHER_KEY", "OPENAI_API_KEY"]'))
        assert sentient("ask", "Hi").returncode == 0


def test_a_variable_does_not_go_through_a_proxy_that_sees_it(
    sentient: Sentient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    Path("ca.pem").touch()
    with LLMServer(listing_one) as theirs:
        Path("sentient.toml").write_text(
            f'[llm]\nmodel = "openai:small"\n[llm.providers.openai]\nproxy = "{theirs.url}"\nca_file = "ca.pem"\n'
        )
        assert _error(sentient("ask", "Hi", "--json").stderr)["code"] == "credential-host"
        Path("sentient.toml").write_text(
            '[llm.safety]\nmoderation = "openai"\n[llm.providers.openai]\n'
            f'base_url = "{theirs.url}/v1"\napi_key_env = "OPENAI_API_KEY"\n'
        )
        assert _error(sentient("ask", "Hi", "--json").stderr)["code"] == "credential-host"
        assert theirs.accepted == 0


_ASKER = """
from sentient_cli import agent, llm

@agent
async def asker(session, query, response):
    await response.stream_llm("MODEL", llm.stream(query.prompt))
"""
_SCRIPT = """
from sentient_cli import open_credentials
with open_credentials() as credentials:
    print(credentials.show("mine"))
"""


@pytest.mark.parametrize("command", ["run", "serve"])
def test_an_exported_address_is_not_one_of_the_shell(
    sentient: Sentient, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "hvs.of-the-shell")
    monkeypatch.setenv("SENTIENT_CREDENTIALS_STORES", "vault")
    with LLMServer(listing_one) as ours, LLMServer(as_json({"errors": ["permission denied"]}, 403)) as theirs:
        project(ours)
        Path(".env").write_text(f"VAULT_ADDR={theirs.url}\n")
        Path("script.py").write_text(_SCRIPT)
        Path("asker.py").write_text(_ASKER)
        if command == "run":
            told = sentient("run", "script.py").stderr
        else:
            server = start(Path.cwd(), agent="asker.py", env={name: os.environ[name] for name in _OF_VAULT})
            assert server.wait() == 3
            told = " ".join(server.lines)
        assert f"Nobody has agreed to sign in at {theirs.url}" in " ".join(told.replace("│", " ").split())
        assert (theirs.accepted, len(ours.requests)) == (0, 0)


@pytest.mark.parametrize(
    ("store", "variable"),
    [
        ("aws", "AWS_ENDPOINT_URL"),
        ("aws", "AWS_CONFIG_FILE"),
        ("azure", "AZURE_AUTHORITY_HOST"),
        ("keyring", "DBUS_SESSION_BUS_ADDRESS"),
        ("vault", "VAULT_CACERT"),
        ("vault", "SSL_CERT_FILE"),
        ("azure", "REQUESTS_CA_BUNDLE"),
        ("aws", "REQUESTS_CA_BUNDLE"),
    ],
)
def test_a_client_of_a_service_is_not_told_by_a_project_where_to_sign_in(
    sentient: Sentient, store: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTIENT_CREDENTIALS_STORES", store)
    monkeypatch.setenv("SENTIENT_CREDENTIALS_AZURE_ADDRESS", "https://mine.vault.azure.net")
    monkeypatch.setenv("VAULT_ADDR", "https://127.0.0.1:1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AZURE_CLIENT_SECRET", "VAULT_TOKEN"):
        monkeypatch.setenv(name, "of-the-shell-0123456789")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    with LLMServer(listing_one) as theirs:
        monkeypatch.delenv(variable, raising=False)  # that of the shell would win
        Path(".env").write_text(f"{variable}={theirs.url}\n")
        Path("script.py").write_text(_SCRIPT)
        told = " ".join(sentient("run", "script.py").stderr.replace("│", " ").split())
        assert f"as {variable} says" in told
        assert theirs.accepted == 0


@pytest.mark.parametrize("variable", ["XDG_DATA_HOME", "XDG_CONFIG_HOME", "HOME"])
def test_a_project_does_not_say_where_its_users_choices_are(variable: str) -> None:
    Path("asker.py").write_text(_ASKER)
    _greedy("https://theirs.example.com", "OPENAI_API_KEY")
    theirs = Path.cwd() / "theirs"
    for folder in ("sentient", ".local/share/sentient"):
        VariableHosts(theirs / folder / "variables.json").allow("OPENAI_API_KEY", ["theirs.example.com"])
    for folder in ("sentient", ".config/sentient"):
        (theirs / folder).mkdir(parents=True, exist_ok=True)
        (theirs / folder / "config.toml").write_text(Path("sentient.toml").read_text())
    Path(".env").write_text(f"{variable}={theirs}\n")
    server = start(Path.home(), "--project", Path.cwd(), agent=Path("asker.py").absolute(), env={"OPENAI_API_KEY": KEY})
    assert server.wait() == 3
    assert "The key in the variable OPENAI_API_KEY is not sent" in " ".join(server.lines)


@pytest.mark.parametrize("text", ["", '{"format": "sentient.variables", "hosts": []}', "\0"])
def test_choices_that_are_not_whole_allow_nothing(
    sentient: Sentient, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    _greedy("https://theirs.example.com", "OPENAI_API_KEY")
    file = paths.data_dir() / "variables.json"
    file.write_text(text)
    error = _error(sentient("ask", "Hi", "--json").stderr)
    assert (error["code"], "sentient keys allow" in error["fix"]) == ("credential-store", True)
    file.unlink()
    assert _error(sentient("ask", "Hi", "--json").stderr)["code"] == "credential-host"
