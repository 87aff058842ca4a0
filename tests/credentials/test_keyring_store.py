"""The keyring: which one is used and which never, and what is told when it does not answer."""

from __future__ import annotations

import threading
from pathlib import Path

import keyring.backend
import keyring.backends.null
import pytest
from keyring.backends.chainer import ChainerBackend
from keyring.errors import KeyringLocked, PasswordSetError
from typing_extensions import override

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.names import Address
from sentient_cli.credentials.stores import keyring_choice
from sentient_cli.credentials.stores.bounded import Bounded, Turn
from sentient_cli.credentials.stores.keyring import KeyringStore
from sentient_cli.credentials.stores.keyring_choice import ALLOWED, choose
from sentient_cli.errors import CredentialStoreError
from tests.credentials.keyrings import MemoryKeyring
from tests.credentials.places import OPENAI, in_keyring

VARIABLE = "PYTHON_KEYRING_BACKEND"
REFUSED = [
    "keyring.backends.null.Keyring",
    "keyring.backends.fail.Keyring",
    "keyrings.alt.file.PlaintextKeyring",
    "keyrings.alt.file.EncryptedKeyring",
    "tests.credentials.keyrings.MemoryKeyring",
    "os.path",
    "nonsense",
    "keyring.backends.SecretService.Keyring\x1b[31m",
]


@pytest.fixture(autouse=True)
def no_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's own keyring is found here."""
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/no/such/bus")


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("by", ["variable", "file"])
def test_a_keyring_that_keeps_nothing_from_others_is_refused(name: str, by: str) -> None:
    environment = {VARIABLE: name}
    if by == "file":
        environment = {}
        file = Path.home() / ".config" / "python_keyring" / "keyringrc.cfg"
        file.parent.mkdir(parents=True)
        file.write_text(f"[backend]\ndefault-keyring={name}\nkeyring-path=/somewhere\n")
    with pytest.raises(CredentialStoreError, match="is not used") as caught:
        choose(environment)
    assert "encrypted" in caught.value.fix
    assert (VARIABLE if by == "variable" else "keyringrc.cfg") in caught.value.why
    assert "\x1b" not in str(caught.value)


def test_settings_that_are_not_understood_are_refused() -> None:
    file = Path.home() / ".config" / "python_keyring" / "keyringrc.cfg"
    file.parent.mkdir(parents=True)
    file.write_text("default-keyring=x")
    with pytest.raises(CredentialStoreError, match="is not understood"):
        choose({})


@pytest.mark.parametrize("name", ALLOWED)
def test_one_that_is_allowed_and_not_there_gives_no_other_its_place(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CredentialStoreError, match="no keyring that can be used") as caught:
        choose({VARIABLE: name})
    assert name in caught.value.why


def test_without_any_each_is_told_of() -> None:
    with pytest.raises(CredentialStoreError) as caught:
        choose({})
    assert all(kind.name in caught.value.why for kind in ALLOWED.values())
    assert "encrypted" in caught.value.fix


class Named(keyring.backend.KeyringBackend):
    """One that works."""

    priority = 9.0  # pyright: ignore[reportAssignmentType]

    @override
    def get_password(self, service: str, username: str) -> str | None:
        return None

    @override
    def set_password(self, service: str, username: str, password: str) -> None:
        raise PasswordSetError(password)


@pytest.mark.parametrize(
    ("members", "is_used"),
    [
        ([Named], True),
        ([Named, keyring.backends.null.Keyring], True),
        ([keyring.backends.null.Keyring, Named], False),
        ([], False),
    ],
)
def test_of_a_chain_the_first_is_used_if_it_is_allowed(
    members: list[type[keyring.backend.KeyringBackend]], is_used: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = {**ALLOWED, f"{Named.__module__}.Named": keyring_choice._Kind("one that works")}
    monkeypatch.setattr(keyring_choice, "ALLOWED", allowed)
    monkeypatch.setattr(ChainerBackend, "backends", [member() for member in members])
    monkeypatch.setitem(__import__("sys").modules, Named.__module__, __import__("sys").modules[__name__])
    environment = {VARIABLE: "keyring.backends.chainer.ChainerBackend"}
    if is_used:
        assert isinstance(choose(environment).backend, Named), "and not the chain, which reads from all"
        return
    with pytest.raises(CredentialStoreError, match="is not used"):
        choose(environment)


def test_what_is_not_kept_is_said(tmp_path: Path) -> None:
    class Forgets(MemoryKeyring):
        @override
        def set_password(self, service: str, username: str, password: str) -> None:
            """As the null keyring does."""

    with pytest.raises(CredentialStoreError, match="does not hold what was put there"):
        in_keyring(tmp_path, Forgets()).put(OPENAI, Secret("sk-1"), expected="")


class Failing(MemoryKeyring):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    @override
    def get_password(self, service: str, username: str) -> str | None:
        if isinstance(self.error, PasswordSetError):
            return None
        raise self.error

    @override
    def set_password(self, service: str, username: str, password: str) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyringLocked("no"), "is locked"),
        (PasswordSetError("Not \x1b[31m today"), "refuses. Not"),
        (PasswordSetError("cannot write '{}'".format('{"format":"sentient.index"')), "refuses"),
        (RuntimeError("canary in a foreign error"), "refuses. RuntimeError"),
        (TypeError("'str' object is not callable: canary"), "refuses. TypeError"),
    ],
    ids=["locked", "refuses", "quotes", "foreign", "broken"],
)
def test_what_a_keyring_raises_is_told_as_ours(error: Exception, said: str, tmp_path: Path) -> None:
    store = in_keyring(tmp_path, Failing(error))
    with pytest.raises(CredentialStoreError) as caught:
        store.put(OPENAI, Secret("canary"), expected="")
    assert said in str(caught.value)
    assert "canary" not in f"{caught.value!r}{caught.value}"
    assert "\x1b" not in str(caught.value)
    assert caught.value.__context__ is None, "nor what is in the frames of the keyring"
    assert "encrypted" in caught.value.fix


def test_an_error_that_quotes_the_text_is_not_repeated(tmp_path: Path) -> None:
    class Quotes(MemoryKeyring):
        @override
        def set_password(self, service: str, username: str, password: str) -> None:
            if username != "index":
                raise PasswordSetError(f"cannot store {password}")
            super().set_password(service, username, password)

    with pytest.raises(CredentialStoreError) as caught:
        in_keyring(tmp_path, Quotes()).put(OPENAI, Secret("canary"), expected="")
    assert "canary" not in str(caught.value)
    assert "PasswordSetError" in caught.value.why


class Waiting(MemoryKeyring):
    """It asks somebody, who does not answer before `answered`."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.answered = threading.Event(), threading.Event()

    @override
    def get_password(self, service: str, username: str) -> str | None:
        self.asked.set()
        self.answered.wait(60)
        return super().get_password(service, username)


def test_a_prompt_that_nobody_sees_does_not_keep_us(tmp_path: Path) -> None:
    prompt = Waiting()
    store = in_keyring(tmp_path, prompt, patience=0.05)
    try:
        with pytest.raises(CredentialStoreError, match=r"does not answer.*waited for 0\.05 s.*not known"):
            store.put(OPENAI, Secret("late"), expected="")
        for _ in range(3):
            with pytest.raises(CredentialStoreError, match="does not answer") as caught:
                store.get(OPENAI)
            assert "not known" not in caught.value.why
        with pytest.raises(CredentialStoreError, match="4 calls wait for it"):
            store.get(OPENAI)
    finally:
        prompt.answered.set()
    for thread in [each for each in threading.enumerate() if each.name == "credentials"]:
        thread.join(60)
    assert prompt.held == {}, "who gave up is not surprised by a change afterwards"
    assert in_keyring(tmp_path, prompt).get(OPENAI) is None


def test_whoever_waits_for_a_prompt_holds_the_lock(tmp_path: Path) -> None:
    class AsksToWrite(Waiting):
        @override
        def get_password(self, service: str, username: str) -> str | None:
            return MemoryKeyring.get_password(self, service, username)

        @override
        def set_password(self, service: str, username: str, password: str) -> None:
            self.asked.set()
            self.answered.wait(60)
            super().set_password(service, username, password)

    prompt = AsksToWrite()
    with pytest.raises(CredentialStoreError, match="does not answer"):
        in_keyring(tmp_path, prompt, patience=0.05).put(OPENAI, Secret("late"), expected="")
    try:
        with pytest.raises(CredentialStoreError, match=r"in use|does not answer"):
            in_keyring(tmp_path, prompt, patience=0.05).put(OPENAI, Secret("other"), expected="")
    finally:
        prompt.answered.set()


def test_entries_of_others_are_left_alone(tmp_path: Path) -> None:
    keyring = MemoryKeyring()
    keyring.held["another", "name"] = "theirs"
    store = in_keyring(tmp_path, keyring)
    store.delete(OPENAI, expected=store.put(OPENAI, Secret("ours"), expected=""))
    assert keyring.held == {
        ("another", "name"): "theirs",
        ("sentient:index", "index"): '{"format":"sentient.index","held":{}}',
    }


def test_one_that_somebody_removed_in_another_program_can_be_stored_anew(tmp_path: Path) -> None:
    keyring = MemoryKeyring()
    store = in_keyring(tmp_path, keyring)
    store.put(OPENAI, Secret("first"), expected="")
    del keyring.held["sentient:default/openai", "default/openai"]
    assert store.get(OPENAI) is None
    store.put(OPENAI, Secret("second"), expected="")
    assert store.addresses() == [OPENAI]


def test_a_damaged_list_loses_nothing(tmp_path: Path) -> None:
    keyring = MemoryKeyring()
    store = in_keyring(tmp_path, keyring)
    revision = store.put(OPENAI, Secret("first"), expected="")
    keyring.held["sentient:index", "index"] = "something else"
    assert store.get(OPENAI) is not None
    for use in (store.addresses, store.check, lambda: store.put(OPENAI, Secret("second"), expected=revision)):
        with pytest.raises(CredentialStoreError, match="list of our entries"):
            use()
    del keyring.held["sentient:index", "index"]
    store.put(OPENAI, Secret("second"), expected=revision)
    assert store.addresses() == [OPENAI]


def test_a_part_that_is_missing_is_said(tmp_path: Path) -> None:
    keyring = MemoryKeyring(2400)
    store = in_keyring(tmp_path, keyring)
    store.put(OPENAI, Secret("x" * 4000), expected="")
    key = next(key for key in keyring.held if key[1].endswith("#0.2"))
    del keyring.held[key]
    with pytest.raises(CredentialStoreError, match="is damaged"):
        store.get(OPENAI)


def test_no_keyring_is_loaded_before_it_is_used(tmp_path: Path) -> None:
    store = KeyringStore(tmp_path / "own" / "lock", {VARIABLE: "keyring.backends.fail.Keyring"})
    assert "keyring of this system" in store.describe()
    assert (store.store_id, store.strength, store.writable) == ("keyring", "system", True)
    store.close()
    with pytest.raises(CredentialStoreError):
        store.check()
    assert store.describe() == "the keyring of this system"
    assert Address("default", "x").name not in repr(store)


def test_a_timeout_of_the_keyring_itself_is_not_ours() -> None:
    def times_out(_turn: Turn) -> None:
        raise TimeoutError("of its own")

    with pytest.raises(TimeoutError, match="of its own"):
        Bounded(60, "The keyring", "Unlock it").run(times_out)
