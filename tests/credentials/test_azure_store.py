"""Credentials in Azure Key Vault: on a service that answers as its documentation says, and where that breaks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.config.credential_stores import AzureSettings
from sentient_cli.config.secret import Secret
from sentient_cli.credentials.names import Address, is_name
from sentient_cli.credentials.ports import ABSENT
from sentient_cli.credentials.stores.azure import AzureStore, address_of, name_of
from sentient_cli.credentials.stores.azure_opening import open_azure
from sentient_cli.credentials.stores.web import Service
from sentient_cli.errors import CredentialConflictError, CredentialStoreError
from sentient_cli.testing import MemoryCredentialStore, credential_store_checks
from tests.credentials.places import OPENAI, at_once
from tests.support.azure_server import TOKEN, KeyVaultFake
from tests.support.llm_server import Answer, LLMServer, as_json

_CANARY = "sk-canary-7Gq2XvN4sTzK9wLb"
_NAME = "sentient--default--openai"


@pytest.fixture
def vault() -> Iterator[KeyVaultFake]:
    fake = KeyVaultFake()
    with fake.server:
        yield fake


def opened(vault: KeyVaultFake, token: str = TOKEN, pause: Callable[[float], None] | None = None) -> AzureStore:
    return AzureStore(
        Service("Key Vault", vault.server.url, timeout=60, pause=pause or vault.pause), lambda: Secret(token)
    )


CHECKS = credential_store_checks(MemoryCredentialStore)


@pytest.mark.parametrize("number", range(len(CHECKS)), ids=[check.name for check in CHECKS])
def test_it_keeps_its_promises(vault: KeyVaultFake, number: int) -> None:
    credential_store_checks(lambda: opened(vault), largest=20_000)[number]()


def test_one_that_is_too_large_is_refused(vault: KeyVaultFake) -> None:
    with pytest.raises(CredentialStoreError, match="25,000 are the most"):
        opened(vault).put(OPENAI, Secret("x" * 25_001), expected=ABSENT)


def test_nothing_of_what_was_removed_can_be_read(vault: KeyVaultFake) -> None:
    store = opened(vault)
    revision = ABSENT
    for number in range(30):
        revision = store.put(OPENAI, Secret(f"{number}"), expected=revision)
    held = store.get(OPENAI)
    assert held is not None
    assert held.text.reveal() == "29"
    store.delete(OPENAI, expected=revision)
    versions = vault.secrets[_NAME].versions
    assert [each.value for each in versions if each.enabled] == ["-"]
    assert len(versions) == 31


@pytest.mark.parametrize(
    ("later", "id_", "counts"), [(-1, "z", True), (0, "a", True), (0, "z", False), (1, "a", False)]
)
def test_of_two_changes_the_earlier_counts(vault: KeyVaultFake, later: int, id_: str, counts: bool) -> None:
    before = opened(vault).put(OPENAI, Secret("before"), expected=ABSENT)
    vault.next_ids = ["m"]
    came: list[float] = []

    def pause(seconds: float) -> None:
        if not came:
            vault.add(_NAME, id_, "theirs", vault.now + later, replaces=before, change="theirs")
        came.append(seconds)
        vault.pause(seconds)

    store = opened(vault, pause=pause)
    if counts:
        with pytest.raises(CredentialConflictError):
            store.put(OPENAI, Secret("mine"), expected=before)
    else:
        assert store.put(OPENAI, Secret("mine"), expected=before) == "m"
    held = opened(vault).get(OPENAI)
    assert held is not None
    assert (held.text.reveal(), held.revision) == (("theirs", id_) if counts else ("mine", "m"))
    if counts:  # what does not count is not left to be read
        assert [each.id for each in vault.secrets[_NAME].versions if not each.enabled] == ["m"]


def test_a_version_that_is_not_settled_is_not_gone_by(vault: KeyVaultFake) -> None:
    store = opened(vault)
    before = store.put(OPENAI, Secret("before"), expected=ABSENT)
    seen: list[str] = []

    def look(_seconds: float) -> None:
        held = opened(vault).get(OPENAI)
        assert held is not None
        seen.append(held.text.reveal())
        with pytest.raises(CredentialConflictError):
            opened(vault).put(OPENAI, Secret("third"), expected=before)
        vault.pause(1)

    opened(vault, pause=look).put(OPENAI, Secret("after"), expected=before)
    assert seen == ["before", "before", "after"]


def test_a_change_that_is_sent_twice_is_made_once(vault: KeyVaultFake) -> None:
    store = opened(vault)
    before = store.put(OPENAI, Secret("before"), expected=ABSENT)
    vault.lost = ["PUT"]
    after = store.put(OPENAI, Secret("after"), expected=before)
    held = store.get(OPENAI)
    assert held is not None
    assert (held.text.reveal(), held.revision) == ("after", after)
    assert len(vault.secrets[_NAME].versions) == 3
    store.put(OPENAI, Secret("last"), expected=after)


def test_what_was_deleted_elsewhere_is_said(vault: KeyVaultFake) -> None:
    store = opened(vault)
    store.put(OPENAI, Secret("x"), expected=ABSENT)
    vault.secrets[_NAME].deleted = True
    assert store.get(OPENAI) is None
    assert store.addresses() == []
    with pytest.raises(CredentialStoreError, match="is kept to be recovered") as caught:
        store.put(OPENAI, Secret(_CANARY), expected=ABSENT)
    assert "az keyvault secret recover" in caught.value.fix


def test_what_somebody_switched_off_is_said(vault: KeyVaultFake) -> None:
    store = opened(vault)
    store.put(OPENAI, Secret("x"), expected=ABSENT)
    vault.secrets[_NAME].versions[0].enabled = False
    with pytest.raises(CredentialStoreError, match="is disabled"):
        store.get(OPENAI)


def test_one_that_is_removed_while_it_is_read(vault: KeyVaultFake) -> None:
    store = opened(vault)
    before = store.put(OPENAI, Secret("x"), expected=ABSENT)

    def remove(method: str, path: str) -> Answer | None:
        if path.endswith(before):
            vault.before = lambda _method, _path: None
            vault.add(_NAME, "gone", "-", vault.now, replaces=before, change="theirs", state="removed")
            vault.secrets[_NAME].versions[0].enabled = False
            vault.pause(3)
        return None

    vault.before = remove
    assert store.get(OPENAI) is None


def test_what_others_put_there_is_left_alone(vault: KeyVaultFake) -> None:
    store = opened(vault)
    store.put(OPENAI, Secret("x"), expected=ABSENT)
    vault.secrets[_NAME].versions[0].tags.clear()
    for attempt in (lambda: store.get(OPENAI), lambda: store.put(OPENAI, Secret("x"), expected=ABSENT)):
        with pytest.raises(CredentialStoreError, match="was not put there by this program"):
            attempt()
    vault.secrets["Sentient--Not--Ours"] = vault.secrets["other"] = vault.secrets[_NAME]
    assert store.addresses() == []


def _failure(status: int, code: str = "", inner: str = "") -> Answer:
    told: dict[str, object] = {"code": code, "message": "said \x1b[2J"}
    return as_json({"error": {**told, "innererror": {"code": inner}} if inner else told}, status)


_DATE = {"Date": "Sun, 06 Nov 1994 08:49:37 GMT"}


@pytest.mark.parametrize(
    ("answer", "said", "fix"),
    [
        (_failure(401, "Unauthorized"), "does not take this sign-in", "az login"),
        (_failure(403, "Forbidden", "ForbiddenByRbac"), "does not allow this. ForbiddenByRbac", "Secrets Officer"),
        (_failure(429, "Throttled"), "too many requests. Throttled", "Wait"),
        (_failure(500), "refuses this. said", "Do what it says"),
        (Answer(b"", 418), "answered 418", "Do what it says"),
        (Answer(b"[]", 200, _DATE), "answers something else", "address"),
        (as_json({"value": []}, 200), "does not say what the time is", "address"),
        (as_json({"value": [], "nextLink": "https://evil.example.com/x"}, 200, **_DATE), "elsewhere", "address"),
        (Answer(status=302, headers={"Location": "https://login.example.com"}), "sent elsewhere", "login.example.com"),
    ],
)
def test_answers_that_mean_no(answer: Answer, said: str, fix: str) -> None:
    with LLMServer(answer) as server:
        service = Service("Key Vault", server.url, timeout=60, pause=at_once)
        with pytest.raises(CredentialStoreError, match=said) as caught:
            AzureStore(service, lambda: Secret("t")).get(OPENAI)
    assert fix in caught.value.fix
    assert "\x1b" not in f"{caught.value}"


@pytest.mark.parametrize("how", ["token", "role", "plain", "nowhere"])
def test_one_that_cannot_be_used_says_so(vault: KeyVaultFake, how: str) -> None:
    address = {"plain": "http://mine.vault.azure.net", "nowhere": ""}.get(how, vault.server.url)
    if how == "role":
        vault.forbidden = {"GET", "PUT", "PATCH"}
    failing = credential_store_checks(
        MemoryCredentialStore,
        failing=lambda: AzureStore(
            Service("Key Vault", address, pause=at_once), lambda: Secret(TOKEN if how == "role" else "another")
        ),
    )[-1]
    failing()


def test_one_who_may_read_alone(vault: KeyVaultFake) -> None:
    store = opened(vault)
    before = store.put(OPENAI, Secret("x"), expected=ABSENT)
    vault.forbidden = {"PUT"}
    with pytest.raises(CredentialStoreError, match="does not allow this"):
        store.put(OPENAI, Secret(_CANARY), expected=before)
    vault.forbidden = {"PATCH"}
    with pytest.raises(CredentialStoreError, match="does not allow this"):
        store.delete(OPENAI, expected=before)
    assert store.get(OPENAI) is None


def test_a_clock_that_stands_still_is_said(vault: KeyVaultFake) -> None:
    with pytest.raises(CredentialStoreError, match="It is not known whether"):
        opened(vault, pause=at_once).put(OPENAI, Secret("x"), expected=ABSENT)


_PART = st.from_regex(r"[a-z0-9](?:[a-z0-9._-]{0,10}[a-z0-9])?", fullmatch=True).filter(is_name)


@given(st.tuples(_PART, _PART), st.tuples(_PART, _PART))
def test_names_are_of_one_address_alone(one: tuple[str, str], other: tuple[str, str]) -> None:
    first, second = Address(*one), Address(*other)
    assert address_of("sentient", name_of("sentient", first)) == first
    assert (name_of("sentient", first) == name_of("sentient", second)) == (first == second)


@given(st.text(alphabet="abhdu-", max_size=20))
def test_names_of_others_are_none_of_ours(text: str) -> None:
    address = address_of("sentient", f"sentient--{text}")
    assert address is None or name_of("sentient", address) == f"sentient--{text}"


def test_a_name_that_is_too_long_is_refused(vault: KeyVaultFake) -> None:
    with pytest.raises(CredentialStoreError, match="too long for Key Vault"):
        opened(vault).get(Address("default", "a" + "." * 62 + "a"))


def test_a_token_out_of_a_variable(vault: KeyVaultFake) -> None:
    settings = AzureSettings(address=vault.server.url, token_env=("MINE",))
    assert open_azure(settings, {"MINE": f" {TOKEN}\n"}).get(OPENAI) is None
    for value in ("", "two words", "schlüssel"):
        with pytest.raises(CredentialStoreError, match="There is no token for Key Vault") as caught:
            open_azure(settings, {"MINE": value}).get(OPENAI)
        assert "az login" in caught.value.fix
        assert not value or value not in f"{caught.value}"


def test_whoever_azure_finds_signs_in(vault: KeyVaultFake, monkeypatch: pytest.MonkeyPatch) -> None:
    with LLMServer(as_json({"access_token": TOKEN, "expires_on": "1999999999", "token_type": "Bearer"})) as identity:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{identity.url}/token")
        monkeypatch.setenv("IDENTITY_HEADER", "of-the-machine")
        assert open_azure(AzureSettings(address=vault.server.url), {}).get(OPENAI) is None
        assert "vault.azure.net" in identity.requests[0].path
        identity.answer(as_json({"error": "no"}, 400))
        with pytest.raises(CredentialStoreError, match="Nobody is signed in to Azure") as caught:
            open_azure(AzureSettings(address=vault.server.url), {}).get(OPENAI)
    assert "az login" in caught.value.fix


def test_a_sign_in_that_is_not_installed_is_named(vault: KeyVaultFake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    with pytest.raises(CredentialStoreError, match="is not installed") as caught:
        open_azure(AzureSettings(address=vault.server.url), {}).check()
    assert 'pip install "sentient-agent-cli[azure]"' in caught.value.fix
