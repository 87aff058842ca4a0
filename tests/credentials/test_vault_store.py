"""Credentials in a real OpenBao: kept, expected, refused, and said what stands in the way."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentient_cli.config.credential_stores import VaultSettings
from sentient_cli.config.secret import Secret
from sentient_cli.credentials.names import Address
from sentient_cli.credentials.ports import ABSENT
from sentient_cli.credentials.stores.vault import VaultStore
from sentient_cli.credentials.stores.vault_opening import open_vault
from sentient_cli.credentials.stores.web import Service
from sentient_cli.errors import CredentialConflictError, CredentialStoreError
from sentient_cli.testing import MemoryCredentialStore, credential_store_checks
from tests.credentials.places import OPENAI, at_once
from tests.support.llm_server import Answer, LLMServer, Received, as_json
from tests.support.vault_server import ROOT, VaultServer, running_vault

_CANARY = "sk-canary-7Gq2XvN4sTzK9wLb"
_READ = ("read", "list", "create", "update")


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    with running_vault(tmp_path_factory.mktemp("vault")) as server:
        yield server


@pytest.fixture
def own_vault(tmp_path: Path) -> Iterator[VaultServer]:
    """One that a test may seal and end."""
    with running_vault(tmp_path) as server:
        yield server


def opened(
    address: str, token: str = ROOT, prefix: str = "sentient", mount: str = "secret", namespace: str = ""
) -> VaultStore:
    service = Service("Vault", address, timeout=60, pause=at_once)
    return VaultStore(service, lambda: Secret(token), mount=mount, prefix=prefix, namespace=namespace)


CHECKS = credential_store_checks(MemoryCredentialStore)


@pytest.mark.parametrize("number", range(len(CHECKS)), ids=[check.name for check in CHECKS])
def test_it_keeps_its_promises(vault: VaultServer, number: int) -> None:
    credential_store_checks(lambda: opened(vault.address))[number]()


@pytest.mark.parametrize("prefix", ["", "teams/agents"])
def test_a_folder_of_its_own(vault: VaultServer, prefix: str) -> None:
    store = opened(vault.address, prefix=prefix)
    address = Address("check-folder", f"of-{len(prefix)}")
    revision = store.put(address, Secret("x"), expected=ABSENT)
    assert address in store.addresses()
    vault.ask("POST", f"secret/data/{prefix or '.'}/check-folder/Not_A_Name!".replace("./", ""), {"data": {"a": "b"}})
    assert [each for each in store.addresses() if each.profile == "check-folder"] == [address]
    store.delete(address, expected=revision)
    assert address not in store.addresses()


def test_nothing_is_left_of_what_was_removed(vault: VaultServer) -> None:
    store = opened(vault.address, prefix="removed")
    revision = ABSENT
    for number in range(4):
        revision = store.put(OPENAI, Secret(f"{_CANARY}-{number}"), expected=revision)
    store.delete(OPENAI, expected=revision)
    told = str(vault.ask("GET", "secret/metadata/removed/default/openai"))
    assert told.count("'destroyed': True") == 5
    assert "'destroyed': False" not in told


def test_an_older_version_that_comes_back_has_another_revision(vault: VaultServer) -> None:
    store = opened(vault.address, prefix="again")
    revision = store.put(OPENAI, Secret("first"), expected=ABSENT)
    vault.ask("DELETE", "secret/metadata/again/default/openai")
    vault.ask("POST", "secret/data/again/default/openai", {"data": {"text": "other", "change": "x"}})
    with pytest.raises(CredentialConflictError):
        store.put(OPENAI, Secret("second"), expected=revision)


def test_what_others_put_there_is_left_alone(vault: VaultServer) -> None:
    vault.ask("POST", "secret/data/others/default/openai", {"data": {"key": _CANARY}})
    store = opened(vault.address, prefix="others")
    for attempt in (lambda: store.get(OPENAI), lambda: store.put(OPENAI, Secret("x"), expected=ABSENT)):
        with pytest.raises(CredentialStoreError, match="was not put there by this program") as caught:
            attempt()
        assert _CANARY not in f"{caught.value}"


def test_a_mount_without_versions_is_refused(vault: VaultServer) -> None:
    vault.ask("POST", "sys/mounts/old", {"type": "kv", "options": {"version": "1"}})
    store = opened(vault.address, mount="old")
    for attempt in (store.check, lambda: store.put(OPENAI, Secret("x"), expected=ABSENT)):
        with pytest.raises(CredentialStoreError, match="no KV engine of version 2"):
            attempt()


def test_a_token_with_few_rights(vault: VaultServer) -> None:
    reader = opened(vault.address, vault.token({"secret/data/sentient/*": ("read",)}, "reader"))
    assert reader.get(OPENAI) is None
    with pytest.raises(CredentialStoreError, match="may not be written with this token"):
        reader.put(OPENAI, Secret(_CANARY), expected=ABSENT)
    with pytest.raises(CredentialStoreError, match="may not be listed with this token") as caught:
        reader.addresses()
    assert "secret/metadata" in caught.value.fix
    writer = opened(
        vault.address,
        vault.token({"secret/data/few/*": _READ, "secret/metadata/few/*": ("read", "list")}, "writer"),
        prefix="few",
    )
    revision = writer.put(OPENAI, Secret("x"), expected=ABSENT)
    with pytest.raises(CredentialStoreError, match="may not be destroyed with this token"):
        writer.delete(OPENAI, expected=revision)
    assert writer.get(OPENAI) is None


def test_a_token_that_is_none(vault: VaultServer) -> None:
    with pytest.raises(CredentialStoreError, match="The token is not valid, or not any more") as caught:
        opened(vault.address, "hvs.no-such-token").get(OPENAI)
    assert "bao login" in caught.value.fix
    assert "hvs.no-such" not in f"{caught.value}"
    revoked = vault.token({"secret/*": _READ}, "revoked")
    store = opened(vault.address, revoked)
    assert store.get(OPENAI) is None
    vault.ask("POST", "auth/token/revoke", {"token": revoked})
    with pytest.raises(CredentialStoreError, match="expired, or been revoked"):
        store.get(OPENAI)


def test_a_mount_or_namespace_that_is_not_there(vault: VaultServer) -> None:
    for more in ({"mount": "nowhere"}, {"namespace": "nobody"}, {"namespace": "no\nbody"}):
        with pytest.raises(CredentialStoreError, match=r"There is no mount|token is not valid|may not") as caught:
            opened(vault.address, **more).get(OPENAI)
        assert caught.value.fix
    with pytest.raises(CredentialStoreError):
        opened(vault.address, mount="nowhere").addresses()


@pytest.mark.parametrize("how", ["sealed", "ended", "token", "plain", "nowhere", "password"])
def test_one_that_cannot_be_used_says_so(own_vault: VaultServer, how: str) -> None:
    address, token = own_vault.address, ROOT
    if how == "sealed":
        own_vault.seal()
    elif how == "ended":
        own_vault.process.kill()
        own_vault.process.wait()
    elif how == "token":
        token = "of another server"
    else:
        address = {"plain": "http://vault.example.com", "nowhere": "", "password": "https://me:it" + "@127.0.0.1"}[how]
    failing = credential_store_checks(MemoryCredentialStore, failing=lambda: opened(address, token))[-1]
    failing()
    said = {
        "sealed": "is sealed",
        "ended": "does not answer",
        "token": "not valid",
        "plain": "without encryption",
        "nowhere": "no address",
        "password": "holds a name or a password",
    }
    with pytest.raises(CredentialStoreError, match=said[how]) as caught:
        opened(address, token).get(OPENAI)
    assert "it@" not in f"{caught.value}"


def test_a_sealed_one_goes_on_once_it_is_unsealed(own_vault: VaultServer) -> None:
    store = opened(own_vault.address)
    revision = store.put(OPENAI, Secret("x"), expected=ABSENT)
    own_vault.seal()
    with pytest.raises(CredentialStoreError, match="bao operator unseal"):
        store.put(OPENAI, Secret("y"), expected=revision)
    own_vault.unseal()
    held = store.get(OPENAI)
    assert held is not None
    assert (held.text.reveal(), held.revision) == ("x", revision)


def _passing_on(vault: VaultServer, received: Received) -> Answer:
    """What the real one answers."""
    connection = http.client.HTTPConnection("127.0.0.1", vault.port)
    headers = {name: value for name, value in received.headers.items() if name not in {"host", "content-length"}}
    connection.request(received.method, received.path, received.body or None, headers)
    response = connection.getresponse()
    body, status = response.read(), response.status
    connection.close()
    return Answer(body, status=200 if status == 204 else status, content_type="application/json")


@pytest.mark.parametrize("action", ["put", "delete"])
def test_a_change_whose_answer_is_lost_is_known_to_be_made(vault: VaultServer, action: str) -> None:
    lost: list[str] = []

    def answer(received: Received) -> Answer:
        told = _passing_on(vault, received)
        if received.method == "POST" and not lost:
            lost.append(received.path)
            return Answer(told.body, cut=0, how="reset")
        return told

    direct = opened(vault.address, prefix=f"lost-{action}")
    before = direct.put(OPENAI, Secret("first"), expected=ABSENT)
    with LLMServer(answer) as between:
        store = opened(between.url, prefix=f"lost-{action}")
        if action == "put":
            revision = store.put(OPENAI, Secret("second"), expected=before)
            held = direct.get(OPENAI)
            assert held is not None
            assert (held.text.reveal(), held.revision) == ("second", revision)
        else:
            store.delete(OPENAI, expected=before)
            assert direct.get(OPENAI) is None
    assert lost


def test_a_write_that_comes_between_wins(vault: VaultServer) -> None:
    direct = opened(vault.address, prefix="between")
    before = direct.put(OPENAI, Secret("first"), expected=ABSENT)
    came: list[str] = []

    def answer(received: Received) -> Answer:
        if received.method == "POST" and not came:
            came.append(direct.put(OPENAI, Secret("theirs"), expected=before))
        return _passing_on(vault, received)

    with LLMServer(answer) as between, pytest.raises(CredentialConflictError):
        opened(between.url, prefix="between").put(OPENAI, Secret("ours"), expected=before)
    held = direct.get(OPENAI)
    assert held is not None
    assert (held.text.reveal(), held.revision) == ("theirs", came[0])


_VERSION = {"data": {"data": {"text": "x", "change": "c"}, "metadata": {"version": 1, "created_time": "t"}}}


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([as_json({"errors": ["request limit"]}, 429)], "Too many requests"),
        ([as_json({"errors": ["boom \x1b[2J"]}, 500)], "boom"),
        ([as_json({"errors": []}, 418)], "answered 418"),
        ([as_json([1], 200)], "was not put there"),
        ([Answer(b"<html>", content_type="text/html")], "was not put there"),
        ([Answer(b"x" * 17_000_000)], "answers too much"),
        ([Answer(status=307, headers={"Location": "https://evil.example.com/v1?a"})], "`https://evil.example.com`"),
        ([as_json({"errors": []}, 503)] * 3 + [as_json({"sealed": False})], "cannot answer now"),
        ([as_json({"errors": []}, 503)] * 3 + [as_json({"initialized": False})], "is not set up yet"),
    ],
)
def test_answers_that_mean_no(answers: list[Answer], said: str) -> None:
    with LLMServer(*answers) as server, pytest.raises(CredentialStoreError, match=said) as caught:
        opened(server.url).get(OPENAI)
    assert "\x1b" not in f"{caught.value}"


def test_a_busy_one_is_asked_again_after_the_time_that_it_names() -> None:
    waited: list[float] = []
    busy = as_json({"errors": []}, 503, Retry_After="2")
    with LLMServer(busy, Answer(cut=0, how="reset"), as_json(_VERSION)) as server:
        store = VaultStore(Service("Vault", server.url, timeout=60, pause=waited.append), lambda: Secret("t"))
        held = store.get(OPENAI)
        assert held is not None
        assert held.text.reveal() == "x"
        assert len(server.requests) == 3
    assert len(waited) == 2
    assert waited[0] == 2
    assert 0 < waited[1] <= 5


def test_one_that_stalls_is_given_up() -> None:
    with LLMServer(Answer(b"x", how="stall")) as server:
        service = Service("Vault", server.url, timeout=0.05, pause=at_once)
        with pytest.raises(CredentialStoreError, match=r"Nothing came for 0\.05 s"):
            VaultStore(service, lambda: Secret("t")).get(OPENAI)


def test_a_write_that_is_taken_and_not_kept_is_said() -> None:
    with LLMServer(lambda _received: as_json(_VERSION)) as server:
        held = opened(server.url).get(OPENAI)
        assert held is not None
        with pytest.raises(CredentialStoreError):
            opened(server.url).put(OPENAI, Secret("another"), expected=held.revision)


def test_tokens_and_places_of_settings(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    (tmp_path / ".vault-token").write_text("of-the-home\n")
    (tmp_path / ".vault-token").chmod(0o600)
    own = tmp_path / "token"
    own.write_text("of-the-file")
    own.chmod(0o600)
    here = "https://vault.example.com"
    cases: list[tuple[VaultSettings, dict[str, str], str]] = [
        (VaultSettings(), {"VAULT_ADDR": here, "VAULT_TOKEN": "v", "BAO_TOKEN": "b"}, "b"),
        (VaultSettings(), {"VAULT_TOKEN": " v \n"}, "v"),
        (VaultSettings(), home, "of-the-home"),
        (VaultSettings(token_env=("MINE",)), {"MINE": "m", "VAULT_TOKEN": "v"}, "m"),
        (VaultSettings(token_file=own), {"VAULT_TOKEN": "v"}, "of-the-file"),
        (VaultSettings(address=here), {"VAULT_TOKEN": "v", "VAULT_ADDR": here + "/"}, "v"),
    ]
    with LLMServer(as_json(_VERSION)) as server:
        for settings, environment, token in cases:
            there = {**environment, "VAULT_ADDR": server.url} if "VAULT_ADDR" in environment else environment
            changed = settings.model_copy(update={"address": server.url})
            open_vault(changed, there).get(OPENAI)
            assert server.requests[-1].headers["x-vault-token"] == token


@pytest.mark.parametrize(
    ("settings", "environment", "said"),
    [
        ({}, {}, "Neither BAO_TOKEN nor VAULT_TOKEN is set"),
        ({"token_env": ("MINE",)}, {"VAULT_TOKEN": "v"}, "The variable MINE is not set"),
        ({"token_file": Path("/no/such/token")}, {"VAULT_TOKEN": "v"}, "is not there, or is empty"),
        ({"address": "https://other.example.com"}, {"VAULT_ADDR": "https://a.example.com"}, "is for another service"),
        ({}, {"VAULT_TOKEN": "two\nlines"}, "The token for Vault is none"),
        ({}, {"VAULT_TOKEN": "schlüssel"}, "The token for Vault is none"),
    ],
)
def test_a_token_that_cannot_be_sent(settings: dict[str, object], environment: dict[str, str], said: str) -> None:
    given = VaultSettings.model_validate({"address": "https://127.0.0.1:1", **settings})
    with pytest.raises(CredentialStoreError, match=said) as caught:
        open_vault(given, {"VAULT_TOKEN": "v", **environment} if settings.get("address") else environment).get(OPENAI)
    assert "bao login" in caught.value.fix
    assert not any(value in f"{caught.value}" for value in environment.values() if "//" not in value and value != "v")


def test_a_token_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("x")
    file.chmod(0o644)
    with pytest.raises(CredentialStoreError, match="is open to others"):
        open_vault(VaultSettings(address="https://127.0.0.1:1", token_file=file), {}).get(OPENAI)
    file.write_bytes(b"\xff\xfe")
    file.chmod(0o600)
    with pytest.raises(CredentialStoreError, match="is no text"):
        open_vault(VaultSettings(address="https://127.0.0.1:1", token_file=file), {}).get(OPENAI)
