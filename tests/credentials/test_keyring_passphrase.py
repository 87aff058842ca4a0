"""The passphrase of the encrypted file out of a real keyring: GNOME Keyring on a bus of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.stores.keyring_passphrase import KeyringPassphrase, in_keyring
from sentient_cli.errors import CredentialStoreError
from sentient_cli.testing import MemoryCredentialStore
from tests.cli.keys_kit import KEY, PASSPHRASE, quick_store
from tests.support import commands

_MISSING = "The passphrase of the encrypted file is missing"
_USED = {"SENTIENT_CREDENTIALS_PASSPHRASE_KEYRING": "true"}


@pytest.fixture
def stored(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", service)
    monkeypatch.setenv("SENTIENT_CREDENTIALS_STORES", "encrypted")
    quick_store(openai=KEY)


def _run(*arguments: str, code: int = 0, used: bool = False) -> str:
    done = commands.run("keys", *arguments, environment={**os.environ, **(_USED if used else {})})
    assert done.returncode == code, done.stderr
    return (done.stdout + done.stderr).decode()


def _words(text: str) -> str:
    Path("words").write_text(text)
    Path("words").chmod(0o600)
    return "words"


@pytest.mark.usefixtures("stored")
@pytest.mark.story("6.2")
def test_it_is_kept_and_used_once_that_is_wanted() -> None:
    _run("unlock", "--in-keyring", "--passphrase-file", _words("another passphrase"), code=3)
    assert json.loads(_run("lock", "--in-keyring", "--json")) == {"forgotten": 0}
    told = _run("unlock", "--in-keyring", "--passphrase-file", _words(PASSPHRASE))
    assert "is in the keyring" in told
    assert "config set --user credentials.passphrase_keyring true" in told.replace("\n", " ")
    Path("words").unlink()
    assert _MISSING in _run("show", "openai", "--json", code=2)
    assert "sk-…ABCD" in _run("show", "openai", used=True)
    assert "passphrases" not in _run("list", "--rebuild", used=True)
    assert json.loads(_run("lock", "--in-keyring", "--json", used=True)) == {"forgotten": 1}
    assert _MISSING in _run("show", "openai", "--json", code=2, used=True)


@pytest.mark.usefixtures("stored")
def test_each_file_has_its_own(tmp_path: Path) -> None:
    store = MemoryCredentialStore()
    one, two = KeyringPassphrase(store, tmp_path / "one"), KeyringPassphrase(store, tmp_path / "two")
    one.keep(Secret("of the first file"))
    one.keep(Secret("another one of it"))
    asked = Secret("asked for")
    assert one.source(lambda _new: asked)(False).reveal() == "another one of it"
    assert one.source(lambda _new: asked)(True).reveal() == "asked for"  # a new one is not that of before
    assert two.source(lambda _new: asked)(False).reveal() == "asked for"
    assert (two.forget(), one.forget(), one.forget()) == (False, True, False)


def test_without_a_keyring_that_is_said(tmp_path: Path) -> None:
    def asked(_new: bool) -> Secret:
        raise AssertionError("nobody is asked in its place")

    kept = in_keyring(tmp_path / "keys", {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"})
    with pytest.raises(CredentialStoreError, match="keyring"):
        kept.source(asked)(False)
