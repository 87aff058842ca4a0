"""The one door to credentials: what is kept is found, on record, in the declared order, and nothing shows a value."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from sentient_cli.audit import AuditLog, AuditPlaces, verify
from sentient_cli.config.secret import Secret
from sentient_cli.credentials.look_up import Variables
from sentient_cli.credentials.manager import CredentialManager, Policy
from sentient_cli.credentials.names import Address
from sentient_cli.errors import (
    AuditError,
    CredentialConflictError,
    CredentialNotFoundError,
    CredentialStoreError,
    UsageError,
)
from sentient_cli.redact import redactor
from sentient_cli.testing import FixedClock, MemoryCredentialStore, credentials_in

_KEY = "sk-proj-first-0123456789"
_NEXT = "sk-proj-second-0123456789"
_DAY = 24 * 3600


def _lines(folder: Path) -> list[tuple[str, str]]:
    found = [json.loads(line) for line in (folder / "audit" / "audit.jsonl").read_text().splitlines()]
    return [(line["action"], line["subject"]) for line in found if line["category"] == "credential"]


def _places(folder: Path) -> AuditPlaces:
    home = folder / "audit"
    return AuditPlaces(home / "audit.jsonl", home / "audit.checkpoint", home / "audit.key")


@pytest.fixture
def store() -> MemoryCredentialStore:
    return MemoryCredentialStore()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def manager(tmp_path: Path, store: MemoryCredentialStore, clock: FixedClock) -> CredentialManager:
    return credentials_in(tmp_path, store, clock=clock)


def test_what_is_stored_is_handed_out_on_record_and_shows_itself_nowhere(
    manager: CredentialManager, tmp_path: Path
) -> None:
    card = manager.store("openai", Secret(_KEY), provider="openai", rotate_every=30 * _DAY)
    lease = manager.get("openai", purpose="llm")
    assert lease.secret.reveal() == _KEY
    assert (lease.store, lease.version, lease.provider) == ("memory", card.version, "openai")
    assert _lines(tmp_path) == [("stored", "default/openai"), ("resolved", "default/openai")]
    assert verify(_places(tmp_path)).intact
    shown = manager.show("openai")
    for told in (repr(lease), repr(card), repr(shown), str(manager.which("openai")), str(manager.list())):
        assert _KEY not in told
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or _KEY.encode() not in path.read_bytes()
    assert _KEY not in redactor.redact(f"it is {_KEY}")


def test_it_is_looked_up_once_in_15_minutes_and_at_once_after_a_change(
    manager: CredentialManager, tmp_path: Path, clock: FixedClock, store: MemoryCredentialStore
) -> None:
    manager.store("openai", Secret(_KEY))
    assert manager.get("openai") is manager.get("openai")
    clock.advance(901)
    manager.get("openai")
    assert [action for action, _ in _lines(tmp_path)] == ["stored", "resolved", "resolved"]
    other = credentials_in(tmp_path, store, clock=clock)
    other.store("openai", Secret(_NEXT), replace=True)
    assert manager.get("openai").secret.reveal() == _NEXT
    clock.advance(-3600)
    manager.get("openai")
    assert [action for action, _ in _lines(tmp_path)][3:] == ["replaced", "resolved", "resolved"]


class _Full:
    """A log whose disk is full."""

    def append(self, *events: object) -> object:
        raise AuditError(f"The disk is full for {len(events)} lines")


def test_nothing_is_handed_out_or_changed_that_cannot_be_put_on_record(
    tmp_path: Path, store: MemoryCredentialStore
) -> None:
    credentials_in(tmp_path, store).store("openai", Secret(_KEY))
    manager = CredentialManager([store], catalogue=credentials_in(tmp_path).catalogue, audit=_Full())
    before = store.get(Address("default", "openai"))
    for attempt in (
        lambda: manager.get("openai"),
        lambda: manager.store("openai", Secret(_NEXT), replace=True),
        lambda: manager.delete("openai"),
        lambda: manager.show("openai"),
        lambda: manager.which("openai"),
        lambda: manager.rotate("openai", Secret(_NEXT), check=lambda _value: None),
        lambda: manager.sync(to_profile="staging"),
    ):
        with pytest.raises(AuditError):
            attempt()
    assert store.get(Address("default", "openai")) == before


def _variables(name: str) -> Variables:
    return Variables(("WORK_KEY",), (f"{name.upper()}_API_KEY",), _environment, _env_file, "/p/.env")


_environment: dict[str, str] = {}
_env_file: dict[str, str] = {}


def test_the_declared_order_decides_and_can_be_explained(
    tmp_path: Path, store: MemoryCredentialStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = credentials_in(tmp_path, store, variables=_variables)
    manager.store("openai", Secret("stored-value-0123456"))
    fresh = manager
    for values, name, text in (
        (None, "", "stored-value-0123456"),
        (_env_file, "OPENAI_API_KEY", "file-value-01234567"),
        (_environment, "OPENAI_API_KEY", "shell-value-0123456"),
        (_environment, "WORK_KEY", "named-value-0123456"),
    ):
        if values is not None:
            monkeypatch.setitem(values, name, text)
        fresh = credentials_in(tmp_path, store, variables=_variables)
        assert fresh.get("openai").secret.reveal() == text
    assert fresh.get("openai", given=Secret("given")).source == "what the program was given"
    told = fresh.which("openai")
    assert [(step.place, step.outcome) for step in told.steps] == [
        ("given", "nothing"),
        ("variable", "won"),
        ("environment", "not asked"),
        ("env-file", "not asked"),
        ("stores", "not asked"),
    ]
    assert told.won is not None
    assert told.won.where == "the variable WORK_KEY"
    assert told.steps[3].where == "the variable OPENAI_API_KEY in /p/.env"
    stores_first = credentials_in(tmp_path, store, variables=_variables, policy=Policy(order=("stores", "variable")))
    assert stores_first.get("openai").secret.reveal() == "stored-value-0123456"


def test_a_profile_is_not_stood_in_for_unless_settings_say_so(tmp_path: Path, store: MemoryCredentialStore) -> None:
    credentials_in(tmp_path, store).store("openai", Secret(_KEY))
    with pytest.raises(CredentialNotFoundError, match="There is one in the profile `default`"):
        credentials_in(tmp_path, store, profile="staging").get("openai")
    lease = credentials_in(tmp_path, store, profile="staging", policy=Policy(default_profile=True)).get("openai")
    assert lease.secret.reveal() == _KEY
    assert _lines(tmp_path)[-1] == ("resolved", "default/openai")


def test_what_is_not_there_names_what_is_near(manager: CredentialManager) -> None:
    manager.store("openai", Secret(_KEY), profile="staging")
    with pytest.raises(CredentialNotFoundError, match=r"Did you mean `openai`\? .*keys set openia --profile staging"):
        manager.get("openia", profile="staging")
    with pytest.raises(CredentialNotFoundError, match="Did you mean the profile `staging`"):
        manager.get("openai", profile="stagin")
    with pytest.raises(UsageError, match="cannot be called"):
        manager.get("../openai")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "It is empty"),
        ("  \n", "It is empty"),
        ("a\nb", "line break"),
        ("a\x1b[31mb", "control character"),
        ("x" * (64 * 1024 + 1), "65,537 bytes"),
        ("x\ud800", "no Unicode text"),
    ],
)
def test_a_value_that_cannot_be_a_key_is_refused(manager: CredentialManager, value: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        manager.store("openai", Secret(value))
    assert len(str(caught.value)) < 300
    assert manager.list() == ()


def test_odd_values_are_kept_as_they_are(tmp_path: Path, store: MemoryCredentialStore) -> None:
    said: list[str] = []
    manager = credentials_in(tmp_path, store, tell=said.append)
    for name, value in (("quoted", '"it\'s"'), ("other", "schlüssel-鍵"), ("spaced", "a b")):
        manager.store(name, Secret(value))
        assert manager.get(name).secret.reveal() == value
    manager.store("pem", Secret("-----BEGIN\nx\n"), raw=True)
    assert manager.get("pem").secret.reveal() == "-----BEGIN\nx\n"
    assert said == []
    manager.store("pasted", Secret(f" {_KEY}\n"))
    assert manager.get("pasted").secret.reveal() == _KEY
    assert said == ["White space at its ends was left out"]


def test_what_is_there_is_replaced_only_on_demand(manager: CredentialManager) -> None:
    manager.store("openai", Secret(_KEY), provider="openai", rotate_every=_DAY)
    with pytest.raises(CredentialConflictError, match="already"):
        manager.store("openai", Secret(_NEXT))
    card = manager.store("openai", Secret(_NEXT), replace=True)
    assert (card.provider, card.rotate_every) == ("openai", _DAY)
    assert manager.get("openai").secret.reveal() == _NEXT


def test_what_is_removed_is_gone_from_store_and_catalogue(
    manager: CredentialManager, store: MemoryCredentialStore
) -> None:
    manager.store("openai", Secret(_KEY))
    manager.get("openai")
    assert manager.delete("openai") == "memory"
    assert (manager.find("openai"), manager.list(), store.addresses()) == (None, (), ())
    with pytest.raises(CredentialNotFoundError):
        manager.delete("openai")


def _down() -> CredentialStoreError:
    return CredentialStoreError("The keyring is locked", fix="Unlock it")


def test_while_a_store_is_down_one_as_strong_takes_a_credential_and_says_so(tmp_path: Path) -> None:
    said: list[str] = []
    strong, other = MemoryCredentialStore("strong"), MemoryCredentialStore("other", strength="managed")
    weak = MemoryCredentialStore("weak", strength="plain")
    strong.down = _down()
    manager = credentials_in(tmp_path, strong, weak, other, tell=said.append)
    assert manager.store("openai", Secret(_KEY)).store == "other"
    assert said == ["The keyring is locked. default/openai was put into other, which is as strong"]
    assert ("fallback", "default/openai") in _lines(tmp_path)
    assert weak.addresses() == ()
    alone = credentials_in(tmp_path / "b", strong, weak)
    with pytest.raises(CredentialStoreError, match=r"locked.*--store weak"):
        alone.store("openai", Secret(_KEY))
    assert alone.store("openai", Secret(_KEY), store="weak").store == "weak"


def test_while_a_store_is_down_a_weaker_one_does_not_stand_in_for_it(tmp_path: Path) -> None:
    strong, weak = MemoryCredentialStore("strong"), MemoryCredentialStore("weak", strength="passphrase")
    manager = credentials_in(tmp_path, strong, weak)
    manager.store("both", Secret(_KEY))
    manager.store("both", Secret("older-value-0123456"), store="weak")
    manager.store("one", Secret(_KEY), store="weak")
    strong.down = _down()
    fresh = credentials_in(tmp_path, strong, weak)
    with pytest.raises(CredentialStoreError, match="locked"):
        fresh.get("both")
    assert [(step.where, step.outcome) for step in fresh.which("both").steps if step.place == "stores"] == [
        ("the store strong", "down"),
        ("the store weak", "refused"),
    ]
    assert fresh.get("one").secret.reveal() == _KEY  # the other one never had it


def test_who_stored_nothing_opens_no_store(tmp_path: Path, store: MemoryCredentialStore) -> None:
    store.down = _down()
    assert credentials_in(tmp_path, store).find("openai") is None


def test_moving_keeps_all_versions_and_may_be_done_again(tmp_path: Path) -> None:
    one, two = MemoryCredentialStore("one"), MemoryCredentialStore("two")
    manager = credentials_in(tmp_path, one, two)
    manager.store("openai", Secret(_KEY))
    manager.rotate("openai", Secret(_NEXT), check=lambda _value: None)
    assert manager.move("openai", to="two").store == "two"
    assert [card.store for card in manager.list()] == ["two"]
    assert [version.state for version in manager.show("openai").versions] == ["current", "previous"]
    assert manager.get("openai").source == "the store two"
    assert manager.move("openai", to="two").store == "two"
    held = two.get(Address("default", "openai"))
    assert held is not None
    one.put(Address("default", "openai"), held.text, expected="")  # as one that was ended in the middle leaves it
    manager.move("openai", to="two")
    assert one.addresses() == ()
    manager.store("openai", Secret("another-0123456789"), store="one")
    with pytest.raises(CredentialConflictError, match="another value"):
        manager.move("openai", to="two")


def test_when_a_value_was_tried_goes_with_it(tmp_path: Path) -> None:
    manager = credentials_in(tmp_path, MemoryCredentialStore("one"), MemoryCredentialStore("two"))
    manager.store("openai", Secret(_KEY))
    manager.note_verified(manager.get("openai"))
    manager.move("openai", to="two")
    (card,) = manager.list()
    assert (card.store, card.verified_at > 0) == ("two", True)
    manager.begin_rotation("openai", Secret(_NEXT))
    manager.abort_rotation("openai")
    assert manager.show("openai").versions[0].verified_at == card.verified_at
    manager.store("openai", Secret(_NEXT), replace=True)
    assert manager.list()[0].verified_at == 0


def test_profiles_are_compared_and_copied(manager: CredentialManager, tmp_path: Path) -> None:
    manager.store("same", Secret(_KEY))
    manager.store("same", Secret(_KEY), profile="staging")
    manager.store("other", Secret(_KEY))
    manager.store("other", Secret(_NEXT), profile="staging")
    manager.store("new", Secret(_KEY), provider="openai")
    manager.store("more", Secret(_KEY), profile="staging")
    drifts = manager.sync(to_profile="staging", dry_run=True)
    found = {drift.name: drift.difference for drift in drifts}
    assert found == {"more": "extra", "new": "missing", "other": "differs", "same": "same"}
    assert not any(drift.copied for drift in drifts)
    assert manager.get("other", profile="staging").secret.reveal() == _NEXT
    copied = {drift.name for drift in manager.sync(to_profile="staging") if drift.copied}
    assert copied == {"new", "other"}
    assert manager.get("other", profile="staging").secret.reveal() == _KEY
    assert {drift.difference for drift in manager.sync(to_profile="staging")} == {"extra", "same"}
    assert ("compared", "default>staging") in _lines(tmp_path)
    assert ("copied", "staging/new") in _lines(tmp_path)
    with pytest.raises(UsageError, match="no other place"):
        manager.sync(to_profile="default")


def test_what_is_due_is_told_without_asking_a_store(
    manager: CredentialManager, store: MemoryCredentialStore, clock: FixedClock
) -> None:
    now = clock.now_ns()
    manager.store("ends", Secret(_KEY), expires_at=now + 10 * _DAY * 10**9)
    manager.store("due", Secret(_KEY), rotate_every=30 * _DAY)
    manager.store("open", Secret(_KEY))
    manager.begin_rotation("open", Secret(_NEXT))
    store.down = _down()
    assert [(warned.card.name, warned.fault) for warned in manager.warnings()] == [
        ("ends", "expires-soon"),
        ("open", "unfinished"),
    ]
    clock.advance(28 * _DAY)
    assert [warned.fault for warned in manager.warnings()] == ["due-soon", "expired", "unfinished"]
    clock.advance(4 * _DAY)
    (overdue, *_) = manager.warnings()
    assert (overdue.fault, overdue.text) == ("overdue", "The credential default/due was to be rotated 2 days ago")
    assert overdue.fix == "Run `sentient keys rotate due --profile default`"


def test_the_catalogue_is_made_anew_from_the_stores(manager: CredentialManager, store: MemoryCredentialStore) -> None:
    manager.store("openai", Secret(_KEY), rotate_every=_DAY)
    before = manager.list()
    manager.catalogue.path.write_text('{"format":"sentient.credentials","cards":[{')
    with pytest.raises(CredentialStoreError, match="--rebuild"):
        manager.list()
    assert manager.get("openai").secret.reveal() == _KEY  # the store is the truth
    store.put(Address("default", "foreign"), Secret("plain-value-of-another"), expected="")
    cards = manager.rebuild_catalogue()
    assert cards[1:] == before
    assert cards[0].name == "foreign"
    assert manager.get("foreign").secret.reveal() == "plain-value-of-another"


async def test_whoever_watches_is_told_of_the_next_value(tmp_path: Path, store: MemoryCredentialStore) -> None:
    manager = credentials_in(tmp_path, store)
    await manager.store_async("openai", Secret(_KEY))
    await manager.store_async("other", Secret(_KEY))
    assert (await manager.get_async("openai")).secret.reveal() == _KEY
    seen = manager.watch("openai", interval=0.001)
    telling = asyncio.ensure_future(anext(seen))
    await asyncio.sleep(0)

    async def taken(_value: Secret) -> None:
        await asyncio.sleep(0)

    elsewhere = credentials_in(tmp_path, store)
    await elsewhere.rotate_async("other", Secret(_NEXT), check=taken)
    done = await elsewhere.rotate_async("openai", Secret(_NEXT), check=taken)
    change = await telling
    assert (str(change.address), change.version) == ("default/openai", done.version)
    assert (await manager.get_async("openai")).secret.reveal() == _NEXT
    await seen.aclose()
    assert await manager.delete_async("openai") == "memory"


def test_the_log_is_that_of_the_user_unless_another_is_given(store: MemoryCredentialStore) -> None:
    with CredentialManager([store]) as manager:
        manager.store("openai", Secret(_KEY))
    assert verify(AuditLog().places).lines == 2
