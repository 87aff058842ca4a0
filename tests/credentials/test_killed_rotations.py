"""Whoever is killed in the middle of a rotation: one value is current, none is lost, and it can be gone on with."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Self, cast

import pytest

from sentient_cli.audit import AuditPlaces, verify
from sentient_cli.config.secret import Secret
from sentient_cli.credentials.item import Item, decode_item, fingerprint_of
from sentient_cli.credentials.manager import CredentialManager
from sentient_cli.credentials.ports import CredentialStore
from sentient_cli.credentials.rotation import Phase, check_item, current_of, phase_of
from sentient_cli.credentials.stores.keyring import KeyringStore
from sentient_cli.errors import CredentialConflictError, SentientError, UsageError
from sentient_cli.testing import MemoryCredentialStore, credentials_in
from tests.credentials.places import OPENAI, encrypted, ended, forked
from tests.credentials.services import SERVICES

if TYPE_CHECKING:
    from _typeshed import TraceFunction

_OLD, _NEW = "sk-the-old-one-0123456789", "sk-the-new-one-0123456789"
_OURS = "/sentient_cli/credentials/"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")


class _Lines:
    """Counts the lines of ours that are executed, and does something before one of them."""

    def __init__(self, act_at: int = 0, act: Callable[[], None] = lambda: None) -> None:
        self.count = 0
        self._act_at = act_at
        self._act = act

    def __call__(self, frame: FrameType, event: str, _argument: object) -> Self | None:
        if _OURS not in frame.f_code.co_filename:
            return None
        if event == "line":
            self.count += 1
            if self.count == self._act_at:
                self._act()
        return self


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _taken(_value: Secret) -> None:
    """The provider takes every key."""


def _held(store: CredentialStore) -> Item:
    held = store.get(OPENAI)
    assert held is not None
    return check_item(decode_item(held.text))


def _require_sound(store: CredentialStore, *, finished: bool) -> None:
    item = _held(store)
    values = {version.state: version.value for version in item.versions}
    assert values in (
        {"current": _OLD},
        {"current": _OLD, "next": _NEW},
        {"current": _NEW, "previous": _OLD},
    )
    assert not finished or values["current"] == _NEW


def _go_on(manager: CredentialManager) -> None:
    """What a person would do who finds it so: go on with it, and if it never began, begin."""
    state = manager.rotation("openai")
    if state.phase == "steady" and state.fingerprint != fingerprint_of(_NEW):
        manager.rotate("openai", Secret(_NEW), check=_taken)
    else:
        manager.rotate("openai", check=_taken)


class _Nowhere:
    """No log: what is appended to one is on disk each time, which takes long."""

    def append(self, *events: object) -> None:
        del events


def _unrecorded(folder: Path, store: CredentialStore) -> CredentialManager:
    return CredentialManager([store], catalogue=credentials_in(folder).catalogue, audit=_Nowhere())


def _kill_rotation(folder: Path, make: Callable[[], CredentialStore], line: int) -> Phase | None:
    """How far it was when it was killed; None: it was done before."""
    store = make()
    _unrecorded(folder, store).store("openai", Secret(_OLD), replace=True)

    def work() -> None:
        manager, lines = credentials_in(folder, make()), _Lines(line, _kill)
        threading.settrace(lines)  # stores have threads of their own
        sys.settrace(lines)
        manager.rotate("openai", Secret(_NEW), check=_taken)

    code = ended(forked(work))
    assert code in {0, -signal.SIGKILL}
    store = make()
    _require_sound(store, finished=code == 0)
    phase = phase_of(_held(store))
    manager = _unrecorded(folder, store)
    assert manager.get("openai").secret.reveal() in {_OLD, _NEW}
    _go_on(manager)
    _require_sound(store, finished=True)
    assert manager.finish_rotation("openai", grace=0).phase == "steady"
    assert [version.value for version in _held(store).versions] == [_NEW]
    assert [card.phase for card in manager.list()] == ["steady"]
    return phase if code else None


def _lines(kills: int, most: int) -> Sequence[int]:
    """Lines at which to kill, all over a rotation."""
    return [1 + number * most // kills for number in range(kills)]


@pytest.mark.slow
@pytest.mark.parametrize("kills", [30, pytest.param(500, marks=pytest.mark.soak)])
def test_a_rotation_in_an_encrypted_file(kills: int, tmp_path: Path) -> None:
    most = _count_lines(lambda: encrypted(tmp_path / "count"), tmp_path / "count")
    places = tmp_path / "own"
    _require_kills(places, lambda: encrypted(places), _lines(kills, most))
    audit = places / "audit"
    assert verify(AuditPlaces(audit / "audit.jsonl", audit / "audit.checkpoint", audit / "audit.key")).intact


def _require_kills(folder: Path, make: Callable[[], CredentialStore], lines: Sequence[int]) -> None:
    phases = [_kill_rotation(folder, make, line) for line in lines]
    assert phases.count(None) <= len(lines) / 10
    assert {"steady", "trying", "verified", "grace"} <= set(phases)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kills", [pytest.param(40, marks=pytest.mark.slow), pytest.param(500, marks=pytest.mark.soak)])
def test_a_rotation_in_a_keyring(kills: int, service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one of GNOME, as it runs on a desktop."""
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", service)

    def make(folder: Path) -> CredentialStore:
        return KeyringStore(
            folder / "own" / "keyring.lock", {"DBUS_SESSION_BUS_ADDRESS": service}, namespace=folder.name
        )

    counted, places = tmp_path / "count", tmp_path / "own"
    most = _count_lines(lambda: make(counted), counted)
    _require_kills(places, lambda: make(places), _lines(kills, most))


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("name", ["vault", "aws", "azure"])
@pytest.mark.parametrize("kills", [pytest.param(12, marks=pytest.mark.slow), pytest.param(500, marks=pytest.mark.soak)])
def test_a_rotation_in_a_service(kills: int, name: str, tmp_path: Path) -> None:
    with SERVICES[name](tmp_path) as make:
        most = _count_lines(lambda: make("count"), tmp_path / "count")
        phases: list[Phase | None] = []
        for number, line in enumerate(_lines(kills, most)):  # in a place of its own: old versions take lines, too
            phases.append(_kill_rotation(tmp_path / f"own{number}", partial(make, f"own{number}"), line))
        assert phases.count(None) <= kills / 10
        assert {"steady", "trying", "verified", "grace"} <= set(phases)


def _count_lines(make: Callable[[], CredentialStore], folder: Path) -> int:
    """How many lines of ours a whole rotation executes."""
    credentials_in(folder, make()).store("openai", Secret(_OLD))
    manager, before, lines = credentials_in(folder, make()), sys.gettrace(), _Lines()
    threading.settrace(lines)
    sys.settrace(lines)
    try:
        manager.rotate("openai", Secret(_NEW), check=_taken)
    finally:
        sys.settrace(before)
        threading.settrace(cast("TraceFunction", before))
    return lines.count


class _Ended(BaseException):
    """The process ends here."""


class _Ends(MemoryCredentialStore):
    """A store whose user ends before or after one of its writes."""

    left = 0
    after = False

    def put(self, address: object, text: Secret, *, expected: str) -> str:
        self.left -= 1
        if self.left == 0 and not self.after:
            raise _Ended
        revision = super().put(OPENAI, text, expected=expected)
        if self.left == 0:
            raise _Ended
        return revision


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("write", [1, 2, 3, 4])
def test_a_rotation_before_and_after_each_of_its_writes(write: int, after: bool, tmp_path: Path) -> None:
    store = _Ends()
    manager = credentials_in(tmp_path, store)
    manager.store("openai", Secret(_OLD))
    store.left, store.after = write, after
    try:
        manager.rotate("openai", Secret(_NEW), check=_taken)
        manager.finish_rotation("openai", grace=0)
    except _Ended:
        pass
    store.left = 0
    values = [version.value for version in _held(store).versions if version.state == "current"]
    assert values in ([_OLD], [_NEW])
    again = credentials_in(tmp_path, store)
    _go_on(again)
    assert current_of(_held(store)).value == _NEW
    assert again.list()[0].phase == phase_of(_held(store))


def test_a_refused_value_is_left_out_again(tmp_path: Path) -> None:
    store = MemoryCredentialStore()
    manager = credentials_in(tmp_path, store)
    manager.store("openai", Secret(_OLD))

    def refuse(_value: Secret) -> None:
        raise SentientError("The provider does not take it")

    with pytest.raises(SentientError, match="does not take"):
        manager.rotate("openai", Secret(_NEW), check=refuse)
    assert [version.value for version in _held(store).versions] == [_OLD]
    assert manager.rotation("openai").phase == "steady"
    assert manager.get("openai").secret.reveal() == _OLD


def test_of_two_that_rotate_at_once_one_is_told(tmp_path: Path) -> None:
    store, told = MemoryCredentialStore(), list[Exception]()
    manager = credentials_in(tmp_path, store)
    manager.store("openai", Secret(_OLD))
    between = threading.Barrier(2)

    def rotate(value: str) -> None:
        own = credentials_in(tmp_path, store)
        between.wait()
        try:
            own.rotate("openai", Secret(value), check=_taken)
        except SentientError as error:
            told.append(error)

    values = [f"sk-number-{number}-0123456789" for number in range(2)]
    threads = [threading.Thread(target=rotate, args=(value,)) for value in values]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(error) for error in told] in ([CredentialConflictError], [UsageError])  # or just behind it
    item = _held(store)
    assert phase_of(item) == "grace"
    assert {version.value for version in item.versions} < {_OLD, *values}
