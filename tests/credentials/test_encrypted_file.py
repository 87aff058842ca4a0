"""The encrypted file: what is told of it when it is not as it should be, and that nothing is ever lost with it."""

from __future__ import annotations

import base64
import os
import resource
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import pytest

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.names import Address
from sentient_cli.credentials.stores import sealing
from sentient_cli.credentials.stores.encrypted import EncryptedFileStore
from sentient_cli.credentials.stores.locks import locked
from sentient_cli.credentials.stores.passphrases import from_file, from_variable, given
from sentient_cli.credentials.stores.texts import LARGEST_TEXT
from sentient_cli.errors import CredentialConflictError, CredentialStoreError
from tests.credentials.places import CHEAP, OPENAI, WORDS, encrypted, ended, forked

KEY = "sk-0123456789-in-the-file"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with one key in it."""
    encrypted(tmp_path).put(OPENAI, Secret(KEY), expected="")
    return tmp_path / "own" / "keys"


def _unchanged_and(said: str, file: Path, store: EncryptedFileStore) -> None:
    """Every use fails and says this, and the file stays as it is."""
    before = file.read_bytes() if file.is_file() else None
    for use in (
        lambda: store.get(OPENAI),
        lambda: store.put(OPENAI, Secret("another"), expected=""),
        lambda: store.delete(OPENAI, expected="x"),
        store.addresses,
        store.check,
    ):
        with pytest.raises(CredentialStoreError, match=said) as caught:
            use()
        assert caught.value.fix
        assert not isinstance(caught.value, CredentialConflictError)
    assert (file.read_bytes() if file.is_file() else None) == before


def test_the_file_is_its_owners_alone_and_shows_nothing(file: Path) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert {each.name for each in file.parent.iterdir()} == {"keys", "keys.lock"}
    assert not any(word in file.read_text() for word in (KEY, "openai", "default", WORDS.reveal()))


def test_each_write_has_another_nonce_and_the_same_salt(file: Path, tmp_path: Path) -> None:
    store = encrypted(tmp_path)
    heads = [sealing.parse(file.read_bytes(), "it").head]
    for _ in range(3):
        held = store.get(OPENAI)
        assert held is not None
        store.put(OPENAI, held.text, expected=held.revision)
        heads.append(sealing.parse(file.read_bytes(), "it").head)
    assert len({head.nonce for head in heads}) == len(heads)
    assert len({head.salt for head in heads}) == 1


def test_a_new_file_costs_what_is_recommended(tmp_path: Path) -> None:
    EncryptedFileStore(tmp_path / "own" / "keys", given(WORDS)).put(OPENAI, Secret(KEY), expected="")
    head = sealing.parse((tmp_path / "own" / "keys").read_bytes(), "it").head
    assert (head.memory_kib, head.iterations, head.lanes) == (65_536, 3, 4)


@pytest.mark.slow
def test_every_change_of_a_byte_and_every_truncation_is_found(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    store = encrypted(tmp_path)
    broken = [whole[:size] for size in range(len(whole))]
    broken += [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(len(whole))]
    broken += [whole + b"x", whole + whole, b"\n" + whole, whole.replace(b"\n", b"\r\n")]
    for data in broken:
        file.write_bytes(data)
        with pytest.raises(CredentialStoreError, match="damaged"):
            store.get(OPENAI)
    file.write_bytes(whole)
    _unchanged_and("damaged", _written(file, whole[:-9]), store)


def _written(file: Path, data: bytes) -> Path:
    file.write_bytes(data)
    return file


def _forged(file: Path, change: Callable[[sealing.Head, bytes], tuple[sealing.Head, bytes]]) -> bytes:
    """The file as somebody would change it who knows its form but not the passphrase."""
    old = sealing.parse(file.read_bytes(), "it")
    head, body = change(old.head, old.body)
    line, text = msgspec.json.encode(head), base64.b64encode(body)
    return b"%b\n%b\n%b\n" % (line, text, sealing._sum_of(line, text))


FORGED: dict[str, tuple[Callable[[sealing.Head, bytes], tuple[sealing.Head, bytes]], str]] = {
    "body": (lambda head, body: (head, body[:-1] + bytes([body[-1] ^ 1])), "tampered with"),
    "no body": (lambda head, body: (head, b""), "tampered with"),
    "nonce": (lambda head, body: (msgspec.structs.replace(head, nonce=bytes(12)), body), "tampered with"),
    "no nonce": (lambda head, body: (msgspec.structs.replace(head, nonce=b""), body), "tampered with"),
    "salt": (lambda head, body: (msgspec.structs.replace(head, salt=bytes(16)), body), "wrong"),
    "check": (lambda head, body: (msgspec.structs.replace(head, check=bytes(16)), body), "wrong"),
    "iterations": (lambda head, body: (msgspec.structs.replace(head, iterations=2), body), "wrong"),
    "much memory": (lambda head, body: (msgspec.structs.replace(head, memory_kib=1 << 30), body), "more work"),
    "much work": (lambda head, body: (msgspec.structs.replace(head, iterations=1 << 31), body), "more work"),
    "many lanes": (lambda head, body: (msgspec.structs.replace(head, lanes=1 << 20), body), "more work"),
    "no lanes": (lambda head, body: (msgspec.structs.replace(head, lanes=0), body), "more work"),
    "short salt": (lambda head, body: (msgspec.structs.replace(head, salt=b"x"), body), "more work"),
    "later version": (lambda head, body: (msgspec.structs.replace(head, version=2), body), "no encrypted file"),
}


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_file_is_refused(what: str, file: Path, tmp_path: Path) -> None:
    change, said = FORGED[what]
    file.write_bytes(_forged(file, change))
    _unchanged_and(said, file, encrypted(tmp_path))


def test_another_kind_of_file_is_refused(file: Path, tmp_path: Path) -> None:
    line = b'{"format":"another"}'
    file.write_bytes(b"%b\n%b\n%b\n" % (line, b"", sealing._sum_of(line, b"")))
    _unchanged_and("no encrypted file", file, encrypted(tmp_path))


def test_a_wrong_passphrase_is_no_damage(file: Path, tmp_path: Path) -> None:
    _unchanged_and("passphrase of .* is wrong", file, encrypted(tmp_path, given(Secret("another one"))))


def test_a_passphrase_is_the_same_however_it_is_composed(tmp_path: Path) -> None:
    encrypted(tmp_path, given(Secret("Über den Wolken"))).put(OPENAI, Secret(KEY), expected="")
    held = encrypted(tmp_path, given(Secret("U\u0308ber den Wolken"))).get(OPENAI)
    assert held is not None
    assert held.text.reveal() == KEY


@pytest.mark.parametrize("words", ["", "short"])
def test_a_passphrase_that_guards_nothing_makes_no_file(words: str, tmp_path: Path) -> None:
    with pytest.raises(CredentialStoreError, match=r"too short|empty"):
        encrypted(tmp_path, given(Secret(words))).put(OPENAI, Secret(KEY), expected="")
    assert not (tmp_path / "own" / "keys").exists()


def _linked(file: Path) -> None:
    file.rename(file.with_name("there"))
    file.symlink_to("there")


def _dangling(file: Path) -> None:
    file.unlink()
    file.symlink_to("nowhere")


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)


OPENED: dict[str, tuple[Callable[[Path], None], str]] = {
    "open to all": (lambda file: file.chmod(0o644), "is open to others.*chmod 600"),
    "open to the group": (lambda file: file.chmod(0o620), "is open to others"),
    "open folder": (lambda file: file.parent.chmod(0o755), "is open to others.*chmod 700"),
    "link": (_linked, "is a link"),
    "dangling link": (_dangling, "is a link"),
    "second name": (lambda file: file.with_name("two").hardlink_to(file), "has a second name"),
    "folder": (_folder, "is no plain file"),
    "pipe": (_pipe, "is no plain file"),
    "too large": (lambda file: os.truncate(file, 65 * 1024 * 1024), "is too large"),
}


@pytest.mark.parametrize("how", OPENED)
def test_a_file_that_is_not_its_owners_alone_is_refused(how: str, file: Path, tmp_path: Path) -> None:
    change, said = OPENED[how]
    change(file)
    store = encrypted(tmp_path)
    for use in (lambda: store.get(OPENAI), lambda: store.put(OPENAI, Secret("x"), expected=""), store.check):
        with pytest.raises(CredentialStoreError, match=said):
            use()


def test_a_folder_that_is_a_link_is_refused(file: Path, tmp_path: Path) -> None:
    file.parent.rename(tmp_path / "there")
    (tmp_path / "own").symlink_to("there")
    with pytest.raises(CredentialStoreError, match="is a link"):
        encrypted(tmp_path).get(OPENAI)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
def test_a_file_of_somebody_else_is_refused(file: Path, tmp_path: Path) -> None:
    os.chown(file, 12345, 12345)
    with pytest.raises(CredentialStoreError, match="belongs to somebody else"):
        encrypted(tmp_path).get(OPENAI)


def test_check_says_whether_it_could_be_made(tmp_path: Path) -> None:
    def nobody(_new: bool) -> Secret:
        pytest.fail("there is nothing to open yet")

    encrypted(tmp_path, nobody).check()
    assert list(tmp_path.glob("own*")) == []
    (tmp_path / "file").touch()
    with pytest.raises(CredentialStoreError):
        EncryptedFileStore(tmp_path / "file" / "own" / "keys", nobody).check()


def test_a_full_disk_loses_nothing(file: Path, tmp_path: Path) -> None:
    store, before = encrypted(tmp_path), file.read_bytes()
    held = store.get(OPENAI)
    assert held is not None
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 1000, limits[1]))
    try:
        with pytest.raises(CredentialStoreError, match="free space"):
            store.put(OPENAI, Secret("x" * 5000), expected=held.revision)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert file.read_bytes() == before
    assert {each.name for each in file.parent.iterdir()} == {"keys", "keys.lock"}
    store.put(OPENAI, Secret("x" * 5000), expected=held.revision)


def test_what_cannot_be_stored_is_refused_and_not_shown(file: Path, tmp_path: Path) -> None:
    store = encrypted(tmp_path)
    for text in ("x" * (LARGEST_TEXT + 1), "canary\ud800"):
        with pytest.raises(CredentialStoreError, match=r"too large|no Unicode") as caught:
            store.put(OPENAI, Secret(text), expected="")
        assert "canary" not in repr(caught.value)


def test_the_passphrase_is_asked_for_once_and_again_after_a_time(file: Path, tmp_path: Path) -> None:
    asked: list[bool] = []
    now = 0.0

    def ask(new: bool) -> Secret:
        asked.append(new)
        return WORDS

    store = EncryptedFileStore(file, ask, cost=CHEAP, remember=900, monotonic=lambda: now)
    for _ in range(3):
        store.get(OPENAI)
    assert asked == [False]
    held = store._keys
    assert held is not None
    now = 901.0
    store.get(OPENAI)
    assert asked == [False, False]
    assert bytes(held.body) == bytes(32), "the key is overwritten"
    store.close()
    store.get(OPENAI)
    assert asked == [False] * 3
    EncryptedFileStore(tmp_path / "new" / "keys", ask, cost=CHEAP).put(OPENAI, Secret(KEY), expected="")
    assert asked[3:] == [True]


def test_another_passphrase(file: Path, tmp_path: Path) -> None:
    store, other = encrypted(tmp_path), encrypted(tmp_path)
    other.get(OPENAI)
    before = store.get(OPENAI)
    with pytest.raises(CredentialStoreError, match="too short"):
        store.change_passphrase(given(Secret("short")))
    store.change_passphrase(given(Secret("another passphrase")))
    assert store.get(OPENAI) == before, "with its revision"
    assert encrypted(tmp_path, given(Secret("another passphrase"))).get(OPENAI) == before
    for old in (other, encrypted(tmp_path)):
        with pytest.raises(CredentialStoreError, match="wrong"):
            old.get(OPENAI)


def test_a_passphrase_from_a_file(file: Path, tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.write_text(f"{WORDS.reveal()}\n")
    words.chmod(0o600)
    assert encrypted(tmp_path, from_file(words)).get(OPENAI) is not None
    words.chmod(0o640)
    with pytest.raises(CredentialStoreError, match="is open to others"):
        encrypted(tmp_path, from_file(words)).get(OPENAI)
    words.chmod(0o600)
    words.write_bytes(b"\xff\xfe")
    with pytest.raises(CredentialStoreError, match="no passphrase"):
        encrypted(tmp_path, from_file(words)).get(OPENAI)
    words.unlink()
    with pytest.raises(CredentialStoreError, match="no passphrase"):
        encrypted(tmp_path, from_file(words)).get(OPENAI)


def test_a_passphrase_from_a_variable(file: Path, tmp_path: Path) -> None:
    assert encrypted(tmp_path, from_variable("WORDS", {"WORDS": WORDS.reveal()})).get(OPENAI) is not None
    with pytest.raises(CredentialStoreError, match="The variable WORDS is not set"):
        encrypted(tmp_path, from_variable("WORDS", {})).get(OPENAI)


def test_a_lock_that_others_hold_is_waited_for_only_so_long(file: Path, tmp_path: Path) -> None:
    with locked(file.with_name("keys.lock"), 5):
        assert encrypted(tmp_path).get(OPENAI) is not None, "who reads needs no lock"
        with pytest.raises(CredentialStoreError, match="in use"):
            encrypted(tmp_path, patience=0).put(Address("default", "x"), Secret("x"), expected="")


def _wait_for_end(begun: int, end: int) -> None:
    os.close(end)
    os.read(begun, 1)


def test_a_child_that_is_forked_under_the_lock_does_not_keep_it(file: Path, tmp_path: Path) -> None:
    with locked(file.with_name("keys.lock"), 5):
        begun, end = os.pipe()
        child = forked(partial(_wait_for_end, begun, end))
    encrypted(tmp_path, patience=0).put(Address("default", "x"), Secret("x"), expected="")
    os.close(begun)
    os.close(end)
    assert ended(child) == 0
