"""`sentient keys` with a real OpenBao: kept there, moved there and back, compared, and what happens when it is down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentient_cli.paths import user_config_file
from tests.cli.keys_kit import ENV, KEY, OTHER, THIRD, quick_store
from tests.cli.llm_command_kit import chat_answer, project
from tests.cli.processes import run_sentient
from tests.support.llm_server import LLMServer, as_json
from tests.support.vault_server import ROOT, VaultServer, running_vault

_BOTH = "vault,encrypted"


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VaultServer]:
    """A server, and an environment in which commands keep keys there, and in the encrypted file as well."""
    quick_store()
    with running_vault(tmp_path) as server:
        for name, value in {**ENV, **server.variables, "SENTIENT_CREDENTIALS_STORES": _BOTH}.items():
            monkeypatch.setenv(name, value)
        yield server


def _ok(*arguments: str, stdin: str = "") -> str:
    done = run_sentient("keys", *arguments, stdin=stdin)
    assert done.returncode == 0, done.stderr
    assert all(each not in done.stdout + done.stderr for each in (KEY, OTHER, THIRD, ROOT))
    return done.stdout


def _error(*arguments: str, stdin: str = "", **environment: str) -> dict[str, str]:
    done = run_sentient("keys", *arguments, "--json", stdin=stdin, env=environment)
    assert done.returncode == 3, done.stderr
    assert all(each not in done.stdout + done.stderr for each in (KEY, OTHER, ROOT))
    told: dict[str, str] = json.loads(done.stderr.splitlines()[-1])["error"]
    return told


def _audited() -> list[dict[str, object]]:
    return [json.loads(line) for line in _ok("audit", "--json").splitlines()]


@pytest.mark.measured
@pytest.mark.story("6.2", "6.6")
def test_a_key_is_kept_in_vault(vault: VaultServer) -> None:
    _ok("set", "openai", stdin=KEY)
    assert KEY in json.dumps(vault.ask("GET", "secret/data/sentient/default/openai"))
    (row,) = [json.loads(line) for line in _ok("list", "--json").splitlines()]
    assert (row["name"], row["store"]) == ("openai", "vault")
    assert "sk-…ABCD" in _ok("show", "openai")
    assert f"Vault at {vault.address}, secret/sentient" in _ok("which", "openai")
    done = run_sentient("keys", "exec", "--", "sh", "-c", "printf %.8s $OPENAI_API_KEY")
    assert (done.returncode, done.stdout) == (0, KEY[:8])
    _ok("rotate", "openai", "--unchecked", stdin=OTHER)
    assert "sk-…WXYZ" in _ok("show", "openai")
    _ok("remove", "openai", "--yes")
    assert run_sentient("keys", "show", "openai").returncode == 3
    log = _audited()
    assert {"stored", "resolved", "shown", "deleted"} <= {str(row["action"]) for row in log}
    assert all(each not in json.dumps(log) for each in (KEY, OTHER, ROOT))


@pytest.mark.story("6.2", "E6.3")
def test_keys_move_and_are_copied_between_stores(vault: VaultServer) -> None:
    _ok("set", "openai", "--store", "encrypted", stdin=KEY)
    _ok("move", "openai", "--to", "vault")
    assert "vault" in _ok("list")
    assert KEY in json.dumps(vault.ask("GET", "secret/data/sentient/default/openai"))
    _ok("set", "groq", "--store", "encrypted", stdin=OTHER)
    arguments = ("sync", "--from", "default", "--to", "default", "--from-store", "encrypted", "--to-store", "vault")
    dry = run_sentient("keys", *arguments, "--dry-run")
    assert dry.returncode == 6
    assert "missing there" in " ".join(dry.stdout.split())
    assert "openai" in dry.stdout
    _ok(*arguments, "--yes")
    assert run_sentient("keys", *arguments, "--dry-run").returncode == 0
    _ok("move", "openai", "--to", "encrypted")
    assert {row["action"] for row in _audited()} >= {"moved-in", "moved-out", "copied", "compared", "synced"}


@pytest.mark.slow
@pytest.mark.story("E6.2")
def test_a_weaker_store_never_takes_its_place(vault: VaultServer) -> None:
    _ok("set", "openai", stdin=KEY)
    vault.seal()
    told = _error("set", "groq", stdin=OTHER)
    assert (told["code"], told["what"]) == ("credential-store", "The service is sealed")
    assert "--store encrypted" in told["fix"]
    # What the file has under the same name must not be taken for the value of the service.
    _ok("set", "openai", "--store", "encrypted", stdin=THIRD)
    done = run_sentient("keys", "exec", "--", "true")
    assert (done.returncode, "is sealed" in " ".join(done.stderr.replace("│", " ").split())) == (3, True)
    explained = run_sentient("keys", "which", "openai", "--json")
    steps = json.loads(explained.stdout)["steps"]
    assert [step["outcome"] for step in steps if step["place"] == "stores"] == ["down", "refused"]
    vault.unseal()
    assert "sk-…ABCD" in _ok("show", "openai")


@pytest.mark.slow
@pytest.mark.story("6.2", "6.4")
def test_what_stands_in_the_way_is_said(vault: VaultServer) -> None:
    plain = _error("show", "openai", VAULT_ADDR="http://vault.example.com:8200")
    assert plain["what"] == "Vault would be asked without encryption"
    expired = _error("show", "openai", VAULT_TOKEN="hvs.expired")
    assert expired["what"] == "The token is not valid, or not any more"
    assert "There is no token for Vault" in _error("show", "openai", VAULT_TOKEN="")["what"]
    vault.process.kill()
    vault.process.wait()
    down = _error("show", "openai")
    assert down["what"] == f"Vault at {vault.address} does not answer"


@pytest.mark.story("6.4")
@pytest.mark.parametrize("where", ["settings", ".env"])
def test_a_project_sends_nobodys_token_elsewhere(
    vault: VaultServer, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LLMServer(as_json({"errors": ["permission denied"]}, 403)) as elsewhere:
        if where == "settings":
            Path("sentient.toml").write_text(
                f'[credentials.vault]\naddress = "{elsewhere.url}"\ntoken_env = "VAULT_TOKEN"'
            )
        else:
            monkeypatch.delenv("VAULT_ADDR")
            Path(".env").write_text(f"VAULT_ADDR={elsewhere.url}\n")
        told = _error("show", "openai")
        assert told["what"] == f"Nobody has agreed to sign in at {elsewhere.url}"
        assert "BAO_ADDR" in told["fix"]
        assert elsewhere.requests == []
        own = user_config_file()
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_text(f'[profile.staging.credentials.vault]\naddress = "{elsewhere.url}/"')
        assert "The token is not valid" in _error("show", "openai")["what"]


@pytest.mark.story("6.2")
def test_a_model_is_asked_with_a_key_out_of_vault(vault: VaultServer) -> None:
    with LLMServer(chat_answer("Hello", " there")) as server:
        project(server)
        _ok("set", "mine", stdin=KEY)
        done = run_sentient("ask", "Hello", env={"SENTIENT_CREDENTIALS_STORES": "vault"})
        assert (done.returncode, done.stdout.strip()) == (0, "Hello there")
        assert server.requests[-1].headers["authorization"] == f"Bearer {KEY}"
        vault.seal()
        asked = len(server.requests)
        down = run_sentient("ask", "Hello", env={"SENTIENT_CREDENTIALS_STORES": "vault"})
        assert (down.returncode, len(server.requests)) == (3, asked)
        assert "is sealed" in " ".join(down.stderr.replace("│", " ").split())
    assert [row["action"] for row in _audited()] == ["stored", "resolved"]


@pytest.mark.slow
@pytest.mark.story("6.7", "20.6")
def test_the_doctor_asks_it(vault: VaultServer) -> None:
    def finding() -> dict[str, str]:
        done = run_sentient("doctor", "--json", env={"SENTIENT_SERVER_PORT": "0"})
        rows: list[dict[str, str]] = [json.loads(line) for line in done.stdout.splitlines()]
        assert ROOT not in done.stdout + done.stderr
        return next(row for row in rows if row["name"] == "services")

    assert (finding()["status"], finding()["what"]) == ("ok", f"Vault at {vault.address}, secret/sentient can be used")
    vault.seal()
    sealed = finding()
    assert sealed["status"] == "fail"
    assert "is sealed" in sealed["what"]
    assert "unseal" in sealed["fix"]
