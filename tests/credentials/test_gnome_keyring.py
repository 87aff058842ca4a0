"""A real Secret Service: GNOME Keyring on a bus of its own."""

from __future__ import annotations

import gc
import signal
from pathlib import Path

import pytest

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.ports import ABSENT
from sentient_cli.credentials.stores.keyring import KeyringStore
from sentient_cli.credentials.stores.keyring_choice import choose
from sentient_cli.errors import CredentialStoreError
from sentient_cli.testing import MemoryCredentialStore, credential_store_checks
from tests.credentials.places import OPENAI, at_line, ended, forked
from tests.credentials.test_killed_writers import _kill


@pytest.fixture
def lock(service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the lock is of those that use the service."""
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", service)
    return tmp_path / "own" / "keyring.lock"


CHECKS = credential_store_checks(MemoryCredentialStore)
QUICK = {"can_be_used", "keeps_a_text", "is_shared"}


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(number, id=check.name, marks=() if check.name in QUICK else pytest.mark.slow)
        for number, check in enumerate(CHECKS)
    ],
)
def test_it_keeps_its_promises(number: int, lock: Path) -> None:
    credential_store_checks(lambda: KeyringStore(lock, {}, patience=240.0), at_once=3, rounds=2)[number]()


def test_it_is_the_one_that_is_found(lock: Path) -> None:
    assert choose({}).name == "Secret Service"
    assert choose({"PYTHON_KEYRING_BACKEND": "keyring.backends.SecretService.Keyring"}).name == "Secret Service"


@pytest.mark.parametrize("kills", [4, pytest.param(200, marks=pytest.mark.soak)])
def test_writers_that_are_killed(kills: int, lock: Path) -> None:
    def opened() -> KeyringStore:
        return KeyringStore(lock, {}, namespace="killed", patience=240.0)

    for number in range(kills):
        store = opened()
        held = store.get(OPENAI)
        before = f"text {number}"
        revision = store.put(OPENAI, Secret(before), expected=held.revision if held else ABSENT)

        def work(line: int = 30 + number * (15 if kills < 100 else 1) % 200, revision: str = revision) -> None:
            at_line(line, _kill)
            opened().put(OPENAI, Secret("after"), expected=revision)

        assert ended(forked(work)) in {0, -signal.SIGKILL}
        left = store.get(OPENAI)
        assert left is not None
        assert left.text.reveal() in {before, "after"}
        assert store.addresses() == [OPENAI]


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # a locked one is left by `keyring` with its socket open
def test_a_locked_one_is_said_to_be_locked(own_service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import secretstorage  # noqa: PLC0415 - only Linux has it

    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", own_service)
    store = KeyringStore(tmp_path / "keyring.lock", {}, namespace="locked", patience=60.0)
    connection = secretstorage.dbus_init()
    collection = secretstorage.get_default_collection(connection)
    collection.lock()
    try:
        with pytest.raises(CredentialStoreError, match=r"is locked|does not answer") as caught:
            store.get(OPENAI)
        assert "encrypted" in caught.value.fix
    finally:
        connection.close()
        gc.collect()
