"""Every local store keeps every promise of a credential store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.names import Address
from sentient_cli.credentials.ports import CredentialStore
from sentient_cli.credentials.stores.environment import EnvFileStore, EnvironmentStore
from sentient_cli.credentials.stores.keyring import KeyringStore
from sentient_cli.credentials.stores.passphrases import given
from sentient_cli.testing import CredentialStoreCheck, MemoryCredentialStore, credential_store_checks
from tests.credentials.keyrings import MemoryKeyring
from tests.credentials.places import encrypted, in_keyring

NAMES = {"openai": ("OPENAI_API_KEY",), "google": ("GEMINI_API_KEY", "GOOGLE_API_KEY"), "groq": ("GROQ_API_KEY",)}
VARIABLES = {"OPENAI_API_KEY": "sk-1", "GOOGLE_API_KEY": "  g-2 ", "GROQ_API_KEY": " "}
HOLDS = {Address("default", "openai"): "sk-1", Address("default", "google"): "g-2"}


def _memory(_folder: Path) -> Callable[[], CredentialStore]:
    store = MemoryCredentialStore()
    return lambda: store


def _encrypted(folder: Path) -> Callable[[], CredentialStore]:
    return lambda: encrypted(folder, patience=60.0)


def _keyring(keyring: MemoryKeyring) -> Callable[[Path], Callable[[], CredentialStore]]:
    return lambda folder: lambda: in_keyring(folder, keyring, patience=120.0)


PLACES: dict[str, Callable[[Path], Callable[[], CredentialStore]]] = {
    "memory": _memory,
    "encrypted": _encrypted,
    "keyring": _keyring(MemoryKeyring()),
    "keyring of small entries": _keyring(MemoryKeyring(2400)),
    "keyring that removes first": _keyring(MemoryKeyring(replaces=False)),
    "keyring that does both": _keyring(MemoryKeyring(2400, replaces=False)),
}
CHECKS = credential_store_checks(MemoryCredentialStore)


@pytest.mark.parametrize("number", range(len(CHECKS)), ids=[check.name for check in CHECKS])
@pytest.mark.parametrize("place", PLACES)
def test_a_store_keeps_its_promises(place: str, number: int, tmp_path: Path) -> None:
    credential_store_checks(PLACES[place](tmp_path), largest=20_000)[number]()


READ_ONLY = credential_store_checks(lambda: EnvironmentStore(VARIABLES, NAMES), holds=HOLDS)


@pytest.mark.parametrize("check", READ_ONLY, ids=str)
def test_the_environment_keeps_its_promises(check: CredentialStoreCheck) -> None:
    check()


@pytest.mark.parametrize("number", range(len(READ_ONLY)), ids=[check.name for check in READ_ONLY])
def test_an_env_file_keeps_its_promises(number: int, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("\n".join(f"{name}='{value}'" for name, value in VARIABLES.items()))
    credential_store_checks(lambda: EnvFileStore(file, NAMES), holds=HOLDS)[number]()


def _wrong_passphrase(folder: Path) -> CredentialStore:
    with_key = encrypted(folder)
    with_key.put(Address("default", "openai"), Secret("sk-1"), expected="")
    return encrypted(folder, given(Secret("another one")))


def _broken_file(folder: Path) -> CredentialStore:
    store = _wrong_passphrase(folder)
    file = folder / "own" / "keys"
    file.write_bytes(file.read_bytes()[:-20])
    return store


def _env_file_that_is_none(folder: Path) -> CredentialStore:
    (folder / ".env").write_text("this is = not\n= understood 'at all")
    return EnvFileStore(folder / ".env", NAMES)


DOWN: dict[str, Callable[[Path], CredentialStore]] = {
    "wrong passphrase": _wrong_passphrase,
    "broken file": _broken_file,
    "no keyring": lambda folder: KeyringStore(folder / "own" / "lock", {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/x"}),
    "no .env": _env_file_that_is_none,
}


@pytest.mark.parametrize("how", DOWN)
def test_a_store_that_cannot_be_used_says_so(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/no/such/bus")
    check = credential_store_checks(MemoryCredentialStore, failing=lambda: DOWN[how](tmp_path / "place"))[-1]
    assert check.name == "fails_with_our_errors"
    (tmp_path / "place").mkdir()
    check()
