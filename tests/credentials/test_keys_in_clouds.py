"""`sentient keys` with services of clouds: one takes what another one cannot, and keys go from here to there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.keys_kit import ENV, KEY, OTHER, quick_store
from tests.cli.processes import run_sentient
from tests.support.aws_server import ACCOUNT, running_aws
from tests.support.azure_server import TOKEN, KeyVaultFake
from tests.support.vault_server import ROOT, running_vault

pytestmark = pytest.mark.slow
_SECRETS = (KEY, OTHER, ROOT, TOKEN, ACCOUNT["AWS_SECRET_ACCESS_KEY"])


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with running_aws() as address:
        for name, value in {**ACCOUNT, "SENTIENT_CREDENTIALS_AWS_ENDPOINT": address}.items():
            monkeypatch.setenv(name, value)
        yield address


def _said(*arguments: str, stdin: str = "", code: int = 0) -> tuple[str, str]:
    done = run_sentient(*arguments, stdin=stdin)
    assert done.returncode == code, done.stderr
    assert all(each not in done.stdout + done.stderr for each in _SECRETS)
    return done.stdout, " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.story("6.2", "E6.2")
def test_one_that_is_as_strong_takes_its_place(aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_vault(tmp_path) as vault:
        for name, value in {**vault.variables, "SENTIENT_CREDENTIALS_STORES": "vault,aws"}.items():
            monkeypatch.setenv(name, value)
        _said("keys", "set", "openai", stdin=KEY)
        vault.seal()
        _, told = _said("keys", "set", "groq", stdin=OTHER)
        assert "The service is sealed. default/groq was put into aws, which is as strong" in told
        out, _ = _said("keys", "list", "--json")
        assert {row["name"]: row["store"] for row in map(json.loads, out.splitlines())} == {
            "groq": "aws",
            "openai": "vault",
        }
        out, _ = _said("keys", "exec", "--only", "groq", "--", "sh", "-c", "printf %.8s $GROQ_API_KEY")
        assert out == OTHER[:8]
        # What only the sealed one has is not to be had, and nobody is told that it is not there.
        _, told = _said("keys", "show", "openai", code=3)
        assert "is sealed" in told
        monkeypatch.setenv("SENTIENT_CREDENTIALS_FALLBACK", "false")
        _said("keys", "set", "xai", stdin=OTHER, code=3)
        log = [json.loads(line) for line in _said("keys", "audit", "--json")[0].splitlines()]
        (fallback,) = [row for row in log if row["action"] == "fallback"]
        assert (fallback["subject"], fallback["data"]) == ("default/groq", {"from": "vault", "to": "aws"})


@pytest.mark.story("6.2", "E6.3")
def test_keys_go_to_aws_and_back(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    quick_store()
    for name, value in {**ENV, "SENTIENT_CREDENTIALS_STORES": "encrypted,aws"}.items():
        monkeypatch.setenv(name, value)
    _said("keys", "set", "openai", stdin=KEY)
    _said("keys", "move", "openai", "--to", "aws")
    out, _ = _said("keys", "which", "openai")
    assert f"AWS Secrets Manager at {aws}, sentient/" in out
    _said("keys", "set", "groq", stdin=OTHER)
    _said("keys", "sync", "--from", "default", "--to", "staging", "--from-store", "encrypted", "--to-store", "aws")
    _said("keys", "rotate", "openai", "--unchecked", stdin=OTHER)
    _said("keys", "move", "openai", "--to", "encrypted")
    _said("keys", "remove", "groq", "--profile", "staging", "--yes")
    found = [json.loads(line) for line in _said("doctor", "--json")[0].splitlines()]
    assert next(row for row in found if row["name"] == "services")["status"] == "ok"


@pytest.mark.story("6.2")
def test_a_key_is_kept_in_key_vault(monkeypatch: pytest.MonkeyPatch) -> None:
    vault = KeyVaultFake(live=True)
    with vault.server:
        for name, value in {
            "SENTIENT_CREDENTIALS_STORES": "azure",
            "SENTIENT_CREDENTIALS_AZURE_ADDRESS": vault.server.url,
            "SENTIENT_CREDENTIALS_AZURE_TOKEN_ENV": "MINE",
            "MINE": TOKEN,
        }.items():
            monkeypatch.setenv(name, value)
        _said("keys", "set", "openai", stdin=KEY)
        assert "sk-…ABCD" in _said("keys", "show", "openai")[0]
        assert KEY in vault.secrets["sentient--default--openai"].versions[0].value
        _said("keys", "remove", "openai", "--yes")
        _said("keys", "show", "openai", code=3)
        monkeypatch.setenv("MINE", "expired")
        _, told = _said("keys", "show", "openai", code=3)
        assert "does not take this sign-in" in told
