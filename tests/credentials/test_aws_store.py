"""Credentials in AWS Secrets Manager: on moto, and on a service that answers what a test says."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from sentient_cli.config.credential_stores import AwsSettings
from sentient_cli.config.secret import Secret
from sentient_cli.credentials.names import Address
from sentient_cli.credentials.ports import ABSENT
from sentient_cli.credentials.stores import aws, aws_errors
from sentient_cli.credentials.stores.aws import AwsStore
from sentient_cli.credentials.stores.aws_opening import open_aws
from sentient_cli.credentials.stores.aws_wire import SecretsManager
from sentient_cli.errors import CredentialConflictError, CredentialStoreError
from sentient_cli.testing import MemoryCredentialStore, credential_store_checks
from tests.credentials.places import OPENAI, at_once
from tests.support.aws_server import ACCOUNT, running_aws
from tests.support.llm_server import Answer, LLMServer, Received, as_json

_CANARY = "sk-canary-7Gq2XvN4sTzK9wLb"


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with running_aws() as address:
        yield address


@pytest.fixture(autouse=True)
def signed_in(isolated: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ACCOUNT.items():
        monkeypatch.setenv(name, value)


def opened(address: str, **more: object) -> AwsStore:
    return open_aws(AwsSettings.model_validate({"endpoint": address, "timeout": 60, **more}), ACCOUNT)


CHECKS = credential_store_checks(MemoryCredentialStore)
QUICK = {"names_itself", "can_be_used", "keeps_a_text", "deletes", "changes_only_what_is_expected"}


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(number, id=check.name, marks=() if check.name in QUICK else pytest.mark.slow)
        for number, check in enumerate(CHECKS)
    ],
)
def test_it_keeps_its_promises(service: str, number: int) -> None:
    credential_store_checks(lambda: opened(service), largest=60_000, at_once=3)[number]()


def test_one_that_is_too_large_is_refused(service: str) -> None:
    store = opened(service)
    with pytest.raises(CredentialStoreError, match="65,536 are the most"):
        store.put(OPENAI, Secret("x" * 65_537), expected=ABSENT)
    store.close()


@pytest.fixture
def store(service: str, request: pytest.FixtureRequest) -> Iterator[AwsStore]:
    """One with a prefix of the test's own."""
    store = opened(service, prefix=f"of/{re.sub('[^a-z]', '', request.node.name)}")
    yield store
    store.close()


def _between(store: AwsStore, monkeypatch: pytest.MonkeyPatch, method: str, act: Callable[[], object]) -> None:
    """Have something done by somebody else, once, before a call of the service."""
    original: Callable[..., object] = getattr(SecretsManager, method)
    acts = [act]

    def meanwhile(self: SecretsManager, *arguments: str) -> object:
        if acts:
            acts.pop()()
        return original(self, *arguments)

    monkeypatch.setattr(SecretsManager, method, meanwhile)


@pytest.mark.parametrize("how", ["changed", "deleted", "made anew"])
def test_what_comes_between_wins(service: str, store: AwsStore, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    other = opened(service, prefix=store._prefix)
    before = store.put(OPENAI, Secret("first"), expected=ABSENT)

    def act() -> None:
        if how == "changed":
            other.put(OPENAI, Secret("theirs"), expected=before)
        else:
            other.delete(OPENAI, expected=before)
        if how == "made anew":
            other.put(OPENAI, Secret("theirs"), expected=ABSENT)

    _between(store, monkeypatch, "make_current", act)
    with pytest.raises(CredentialConflictError):
        store.put(OPENAI, Secret("ours"), expected=before)
    held = store.get(OPENAI)
    assert (held.text.reveal() if held else None) == (None if how == "deleted" else "theirs")
    other.close()


def test_a_deletion_leaves_what_is_made_anew(service: str, store: AwsStore, monkeypatch: pytest.MonkeyPatch) -> None:
    other = opened(service, prefix=store._prefix)
    before = store.put(OPENAI, Secret("first"), expected=ABSENT)
    _between(store, monkeypatch, "remove", lambda: other.put(OPENAI, Secret("theirs"), expected=ABSENT))
    store.delete(OPENAI, expected=before)
    held = store.get(OPENAI)
    assert held is not None
    assert held.text.reveal() == "theirs"
    other.close()


def test_two_that_make_one_at_once(service: str, store: AwsStore, monkeypatch: pytest.MonkeyPatch) -> None:
    other = opened(service, prefix=store._prefix)
    _between(store, monkeypatch, "create", lambda: other.put(OPENAI, Secret("theirs"), expected=ABSENT))
    with pytest.raises(CredentialConflictError):
        store.put(OPENAI, Secret("ours"), expected=ABSENT)
    other.close()


def test_one_who_is_ended_in_a_deletion_leaves_nothing(store: AwsStore, monkeypatch: pytest.MonkeyPatch) -> None:
    before = store.put(OPENAI, Secret("first"), expected=ABSENT)
    with monkeypatch.context() as patch:
        patch.setattr(SecretsManager, "remove", _ended)
        with pytest.raises(KeyboardInterrupt):
            store.delete(OPENAI, expected=before)
    assert store.get(OPENAI) is None
    after = store.put(OPENAI, Secret("second"), expected=ABSENT)
    held = store.get(OPENAI)
    assert held is not None
    assert (held.text.reveal(), held.revision) == ("second", after)
    with monkeypatch.context() as patch:
        patch.setattr(SecretsManager, "remove", _ended)
        with pytest.raises(KeyboardInterrupt):
            store.delete(OPENAI, expected=after)
    store.delete(OPENAI, expected=ABSENT)
    assert store.addresses() == []


def _ended(_service: SecretsManager, _arn: str) -> None:
    raise KeyboardInterrupt


def _aws(code: str, message: str = "", status: int = 400) -> Answer:
    return as_json({"__type": code, "message": message}, status)


_V1 = "v1" * 18


def _value(text: str | None = "held", version: str = _V1) -> Answer:
    told = {"ARN": "arn:aws:x", "Name": "n", "VersionId": version}
    return as_json(told if text is None else {**told, "SecretString": text})


@pytest.mark.parametrize(
    ("answer", "said", "fix"),
    [
        (_aws("AccessDeniedException", "User: me is not authorized \x1b[2J"), "does not allow this", "GetSecretValue"),
        (_aws("ExpiredTokenException"), "has expired", "aws sso login"),
        (_aws("UnrecognizedClientException"), "does not take this sign-in", "aws sso login"),
        (_aws("InvalidSignatureException"), "does not take this sign-in", "aws sso login"),
        (_aws("DecryptionFailure"), "The key of AWS KMS", "kms_key"),
        (_aws("ValidationException", "no such thing"), "refuses this", "Do what it says"),
        (_value(None), "It is no text", "prefix"),
        (as_json({"SecretString": 5, "ARN": "a", "VersionId": "v"}), "answers something else", "endpoint"),
    ],
)
def test_answers_that_mean_no(answer: Answer, said: str, fix: str) -> None:
    with LLMServer(answer) as server:
        store = opened(server.url)
        with pytest.raises(CredentialStoreError, match=said) as caught:
            store.get(OPENAI)
        store.close()
    assert fix in caught.value.fix
    assert "\x1b" not in f"{caught.value}"


@pytest.mark.slow  # the client itself waits between its attempts
def test_too_many_requests_are_tried_again_and_then_said() -> None:
    with LLMServer(_aws("ThrottlingException", "Rate exceeded"), _value()) as server:
        store = opened(server.url)
        held = store.get(OPENAI)
        assert held is not None
        assert held.text.reveal() == "held"
        server.answer(_aws("ThrottlingException", "Rate exceeded"))
        with pytest.raises(CredentialStoreError, match="too many requests"):
            store.get(OPENAI)
        assert len(server.requests) == 5
        store.close()


class _Told(Exception):  # noqa: N818 - as a client has them
    def __init__(self, response: object) -> None:
        super().__init__(f"with {_CANARY} in it")
        self.response = response


@pytest.mark.parametrize(
    ("response", "code"),
    [
        ({"Error": {"Code": "ThrottlingException", "Message": "slow"}}, "ThrottlingException"),
        ({"Error": {"Code": 5}}, ""),
        ({"Error": None}, ""),
        ({}, ""),
        (None, ""),
    ],
)
def test_errors_of_any_shape(response: object, code: str) -> None:
    error = _Told(response)
    assert aws_errors.code_of(error) == code
    told = aws_errors.told(error, "somewhere")
    assert told.fix
    assert _CANARY not in f"{told}{told!r}{told.detail}"


@pytest.mark.parametrize(
    ("variables", "settings", "said"),
    [
        ({"AWS_ACCESS_KEY_ID": None}, {}, "Nobody is signed in to AWS"),
        ({}, {"profile": "no-such"}, "The configuration of AWS is not complete"),
        ({}, {"endpoint": "http://10.0.0.1"}, "without encryption"),
        ({}, {"endpoint": "https://127.0.0.1:1", "ca_file": "/no/such/file"}, "AWS Secrets Manager"),
    ],
)
def test_settings_that_lead_nowhere(
    variables: Mapping[str, str | None],
    settings: dict[str, object],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in variables:
        monkeypatch.delenv(name)
    store = opened("http://127.0.0.1:1", **settings)
    with pytest.raises(CredentialStoreError, match=said) as caught:
        store.get(OPENAI)
    assert caught.value.fix
    store.close()


def test_no_region_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CredentialStoreError, match="not complete") as caught:
        open_aws(AwsSettings(), {}).get(OPENAI)
    assert "AWS_REGION" in caught.value.fix


def test_a_client_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    failing = credential_store_checks(MemoryCredentialStore, failing=lambda: opened("https://127.0.0.1:1"))[-1]
    failing()
    with pytest.raises(CredentialStoreError, match="is not installed") as caught:
        opened("https://127.0.0.1:1").check()
    assert 'pip install "sentient-agent-cli[aws]"' in caught.value.fix


def test_a_change_whose_answer_is_lost_is_known_to_be_made() -> None:
    made: list[str] = []

    def answer(received: Received) -> Answer:
        action = received.headers["x-amz-target"].rpartition(".")[2]
        told = received.json()
        if action == "PutSecretValue":
            made.append(str(told["ClientRequestToken"]))
        if action == "UpdateSecretVersionStage" and told["VersionStage"] == "AWSCURRENT":
            return _aws("InvalidParameterException", "The label is attached to another version")
        if action == "GetSecretValue":
            return _value("second", made[0]) if made else _value("first")
        return as_json({})

    with LLMServer(answer) as server:
        store = opened(server.url)
        assert store.put(OPENAI, Secret("second"), expected=_V1) == made[0]
        store.close()


@pytest.mark.parametrize("known", [False, True])
def test_one_that_is_made_although_its_answer_is_lost(known: bool) -> None:
    made: list[str] = []

    def answer(received: Received) -> Answer:
        if received.headers["x-amz-target"].endswith("CreateSecret"):
            made.append(str(received.json()["ClientRequestToken"]))
            return _aws("ResourceExistsException")
        if made:
            return _value("mine", made[0]) if known else _value("theirs", "another")
        return _aws("ResourceNotFoundException")

    with LLMServer(answer) as server:
        store = opened(server.url)
        if known:
            assert store.put(OPENAI, Secret("mine"), expected=ABSENT) == made[0]
        else:
            with pytest.raises(CredentialConflictError):
                store.put(OPENAI, Secret("mine"), expected=ABSENT)
        store.close()


def test_one_that_is_being_deleted_is_waited_for() -> None:
    waited: list[float] = []
    answers = [_aws("ResourceNotFoundException"), _aws("InvalidRequestException", "scheduled for deletion")]
    with LLMServer(lambda received: answers["Create" in received.headers["x-amz-target"]]) as server:
        connect = opened(server.url)._connect
        store = AwsStore(connect, pause=waited.append)
        with pytest.raises(CredentialStoreError, match="is still being deleted"):
            store.put(OPENAI, Secret("x"), expected=ABSENT)
        store.close()
    assert len(waited) == aws._ATTEMPTS


def test_what_was_deleted_elsewhere_is_not_there_and_not_written_over(store: AwsStore) -> None:
    store.put(OPENAI, Secret("x"), expected=ABSENT)
    client, _ = store._connect()
    delete: Callable[..., object] = getattr(client, "delete_secret")  # noqa: B009 - it is made at run time
    delete(SecretId=f"{store._prefix}/default/openai", RecoveryWindowInDays=7)
    client.close()
    store._pause = at_once
    assert store.get(OPENAI) is None
    assert store.addresses() == []
    with pytest.raises(CredentialStoreError, match="is still being deleted") as caught:
        store.put(OPENAI, Secret(_CANARY), expected=ABSENT)
    assert "recovery window" in caught.value.fix


def test_lists_have_pages_and_other_names() -> None:
    def answer(received: Received) -> Answer:
        token = received.json().get("NextToken")
        names = ["sentient/default/openai", "sentient/default"] if token is None else ["sentient/a/b", "other/a/b"]
        more = {"NextToken": "next"} if token is None else {}
        return Answer(
            json.dumps({"SecretList": [{"Name": name} for name in names], **more}).encode(),
            content_type="application/x-amz-json-1.1",
        )

    with LLMServer(answer) as server:
        store = opened(server.url)
        assert store.addresses() == [Address("a", "b"), Address("default", "openai")]
        store.close()


def test_a_file_of_certificates_is_given_on(tmp_path: Path) -> None:
    store = opened("https://127.0.0.1:1", ca_file=str(tmp_path / "none.pem"))
    with pytest.raises(CredentialStoreError):
        store.check()
    store.close()
