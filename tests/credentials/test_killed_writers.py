"""Whoever is killed while it writes, at whatever line: the old text is there or the new one; nothing else is lost."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.names import Address
from sentient_cli.credentials.ports import ABSENT, CredentialStore
from sentient_cli.credentials.stores.locks import locked
from sentient_cli.credentials.stores.passphrases import given
from sentient_cli.errors import CredentialConflictError, CredentialStoreError
from tests.credentials.keyrings import MemoryKeyring
from tests.credentials.places import OPENAI, at_line, encrypted, ended, forked, in_keyring

NEIGHBOUR = Address("default", "neighbour")
MADE = Address("default", "made")


class _Killed(BaseException):
    pass


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _change_everything(store: CredentialStore) -> None:
    """Replace one, make one, delete one."""
    held, gone = store.get(OPENAI), store.get(NEIGHBOUR)
    assert held is not None
    store.put(OPENAI, Secret("new"), expected=held.revision)
    if store.get(MADE) is None:
        store.put(MADE, Secret("made"), expected=ABSENT)
    if gone is not None:
        store.delete(NEIGHBOUR, expected=gone.revision)


def _reset(store: CredentialStore) -> None:
    for address, text in ((OPENAI, "old"), (NEIGHBOUR, "gone"), (MADE, None)):
        held = store.get(address)
        if text is not None:
            store.put(address, Secret(text), expected=held.revision if held else ABSENT)
        elif held is not None:
            store.delete(address, expected=held.revision)


def _require_old_or_new(store: CredentialStore) -> None:
    texts = {
        address: held.text.reveal() if (held := store.get(address)) else None for address in (OPENAI, MADE, NEIGHBOUR)
    }
    done = [("old", None, "gone"), ("new", None, "gone"), ("new", "made", "gone"), ("new", "made", None)]
    assert tuple(texts.values()) in done
    assert store.addresses() == sorted(address for address, text in texts.items() if text is not None)


def _kill_writers(kills: int, make: Callable[[], CredentialStore]) -> int:
    """How many were killed before they were done: few at lines ever more apart, many at one after the other."""
    killed = 0
    for number in range(kills):
        line = 1 + (number * (number + 1) // 2 if kills < 100 else number)
        store = make()
        _reset(store)

        def work(own: CredentialStore = store, line: int = line) -> None:
            at_line(line, _kill)
            _change_everything(own)

        code = ended(forked(work))
        assert code in {0, -signal.SIGKILL}
        killed += code != 0
        _require_old_or_new(make())
        _require_old_or_new(store)
    return killed


@pytest.mark.slow
@pytest.mark.parametrize("kills", [20, pytest.param(500, marks=pytest.mark.soak)])
def test_an_encrypted_file(kills: int, tmp_path: Path) -> None:
    assert _kill_writers(kills, lambda: encrypted(tmp_path)) >= min(kills, 15)


@pytest.mark.parametrize("kills", [12, pytest.param(300, marks=pytest.mark.soak)])
def test_a_change_of_the_passphrase(kills: int, tmp_path: Path) -> None:
    old, new = Secret("the old passphrase"), Secret("the new passphrase")
    for number in range(kills):
        folder = tmp_path / str(number)
        store = encrypted(folder, given(old))
        store.put(OPENAI, Secret("kept"), expected=ABSENT)

        def work(line: int = 1 + number * (8 if kills < 100 else 1)) -> None:
            at_line(line, _kill)
            store.change_passphrase(given(new))  # noqa: B023 - it is done at once

        assert ended(forked(work)) in {0, -signal.SIGKILL}
        fits: list[bool] = []
        for words in (old, new):
            with contextlib.suppress(CredentialStoreError):  # it is the other one
                held = encrypted(folder, given(words)).get(OPENAI)
                fits.append(held is not None and held.text == Secret("kept"))
        assert fits == [True]


KEYRINGS: dict[str, Callable[[], MemoryKeyring]] = {
    "large entries": MemoryKeyring,
    "small entries": lambda: MemoryKeyring(1600),
    "removes first": lambda: MemoryKeyring(replaces=False),
    "both": lambda: MemoryKeyring(1600, replaces=False),
}


@pytest.mark.parametrize("kind", KEYRINGS)
def test_a_keyring_before_each_of_its_steps(kind: str, tmp_path: Path) -> None:
    """The keyring lives on in another process: only the writer ends, and each step of it can be the last."""
    keyring = KEYRINGS[kind]()
    large = ["x" * 3000, "y" * 5000, "z"]
    ends = 0
    for last in range(200):
        keyring.steps = lambda: None
        store = in_keyring(tmp_path, keyring)
        for address in store.addresses():
            held = store.get(address)
            assert held is not None
            store.delete(address, expected=held.revision)
        _make_and_delete(store)
        assert not [key for key in keyring.held if "#" in key[1]], "nothing of it is left"
        revision = store.put(OPENAI, Secret(large[0]), expected=ABSENT)
        keyring.steps = _ends_after(last)
        try:
            revision = store.put(OPENAI, Secret(large[1]), expected=revision)
            revision = store.put(OPENAI, Secret(large[2]), expected=revision)
            store.put(MADE, Secret(large[0]), expected=ABSENT)
            store.delete(OPENAI, expected=revision)
        except _Killed:
            ends += 1
        else:
            break
        keyring.steps = lambda: None
        held, made = store.get(OPENAI), store.get(MADE)
        assert held is None or held.text.reveal() in large
        assert held is not None or made is not None
        assert made is None or made.text.reveal() == large[0]
        there = [address for address, each in ((MADE, made), (OPENAI, held)) if each is not None]
        assert store.addresses() == there
        if held is not None:
            revision = store.put(OPENAI, Secret("again"), expected=held.revision)
            again = store.get(OPENAI)
            assert again is not None
            assert again.text.reveal() == "again"
    assert ends > 6


def _make_and_delete(store: CredentialStore) -> None:
    """A change, with which the traces of those are gone that were killed."""
    store.delete(NEIGHBOUR, expected=store.put(NEIGHBOUR, Secret("x"), expected=ABSENT))


def _ends_after(steps: int) -> Callable[[], None]:
    left = steps

    def step() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise _Killed

    return step


ROUNDS = 15


def _count(store: CredentialStore, name: str) -> None:
    """Count in a place that all share, and make ones of its own."""
    for turn in range(ROUNDS):
        store.put(Address("default", f"{name}-{turn}"), Secret(name), expected=ABSENT)
        while True:
            held = store.get(OPENAI)
            assert held is not None
            try:
                store.put(OPENAI, Secret(str(int(held.text.reveal()) + 1)), expected=held.revision)
            except CredentialConflictError:
                continue
            break


@pytest.mark.slow
def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    store = encrypted(tmp_path, patience=60.0)
    store.put(OPENAI, Secret("0"), expected=ABSENT)
    children = [forked(partial(_count, encrypted(tmp_path, patience=60.0), name)) for name in ("one", "two", "three")]
    assert [ended(child) for child in children] == [0, 0, 0]
    held = store.get(OPENAI)
    assert held is not None
    assert held.text.reveal() == str(3 * ROUNDS)
    assert len(store.addresses()) == 3 * ROUNDS + 1


def test_a_writer_that_is_killed_under_the_lock_does_not_keep_it(tmp_path: Path) -> None:
    store = encrypted(tmp_path, patience=0)
    revision = store.put(OPENAI, Secret("0"), expected=ABSENT)

    def work() -> None:
        with locked(tmp_path / "own" / "keys.lock", 5):
            _kill()

    assert ended(forked(work)) == -signal.SIGKILL
    store.put(OPENAI, Secret("1"), expected=revision)
