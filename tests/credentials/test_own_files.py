"""The files beside the stores, the catalogue and the choice of profiles: no value in them, and this user's alone."""

from __future__ import annotations

import functools
import os
import resource
import stat
import sys
from pathlib import Path

import pytest

from sentient_cli import open_credentials
from sentient_cli.credentials.bindings import Bindings
from sentient_cli.credentials.catalogue import Card, Catalogue
from sentient_cli.credentials.core_dumps import forbid_core_dumps
from sentient_cli.errors import CredentialStoreError, UsageError
from tests.credentials.places import ended, forked

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="rights of files are others there")


def _card(name: str, fingerprint: str = "") -> Card:
    return Card(profile="default", name=name, store="memory", fingerprint=fingerprint)


def test_the_catalogue_is_private_and_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "own" / "credentials.json"
    catalogue = Catalogue(path)
    assert not catalogue.is_there
    catalogue.put(_card("b"), _card("a"))
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)
    before = catalogue.mark()
    catalogue.put(_card("a"))
    assert catalogue.mark() == before, "what changes nothing is not written"
    other = Catalogue(path)
    other.put(_card("c", fingerprint="0f2c10bf3d12"))
    assert [card.name for card in catalogue.cards()] == ["a", "b", "c"]
    assert catalogue.mark() != before
    catalogue.remove(_card("b").address, "memory")
    assert [card.name for card in other.cards()] == ["a", "c"]
    assert sorted(each.name for each in path.parent.iterdir()) == ["credentials.json", "credentials.json.lock"]


def test_processes_that_note_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"

    def note(process: int) -> None:
        for number in range(10):
            Catalogue(path).put(_card(f"{process}-{number}"))

    children = [forked(functools.partial(note, process)) for process in range(3)]
    assert [ended(child) for child in children] == [0, 0, 0]
    assert len(Catalogue(path).cards()) == 30


def test_a_link_and_what_is_no_catalogue_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CredentialStoreError, match="is a link"):
        Catalogue(path).cards()
    path.unlink()
    for text in ("", "[]", '{"format":"other"}', '{"format":"sentient.credentials","cards":[{"profile":1}]}', "\xff"):
        path.write_bytes(text.encode("latin-1"))
        with pytest.raises(CredentialStoreError, match="not whole"):
            Catalogue(path).cards()
    path.write_text('{"format":"sentient.credentials","schema":2}')
    with pytest.raises(CredentialStoreError, match="later version"):
        Catalogue(path).cards()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CredentialStoreError, match="is no file"):
        Catalogue(tmp_path / "pipe").cards()


def test_a_directory_is_bound_to_a_profile_and_what_is_named_goes_before() -> None:
    shop, bindings = Path.cwd() / "shop", Bindings()
    (shop / "src").mkdir(parents=True)
    (shop / "src" / "sentient.toml").write_text('[profile.night.llm]\nmodel = "offline"\n')
    assert bindings.chosen().why == "nothing else was chosen"
    bindings.use("staging")
    bindings.use("production", project=shop)
    assert bindings.chosen(shop / "src").why == f"bound to {shop}"
    with open_credentials(shop / "src") as credentials:
        assert credentials.profile == "production"
    with open_credentials(shop / "src", profile="night") as credentials:
        assert credentials.profile == "night"
    with open_credentials() as credentials:
        assert credentials.profile == "staging"
    bindings.forget(shop)
    assert bindings.chosen(shop / "src").profile == "staging"
    with pytest.raises(UsageError, match="cannot be called"):
        bindings.use("no such/name")
    bindings.path.write_text("{")
    with pytest.raises(CredentialStoreError, match="keys use"):
        bindings.chosen()


def test_a_process_that_holds_a_value_leaves_no_core_dump() -> None:
    def work() -> None:
        assert forbid_core_dumps()
        assert resource.getrlimit(resource.RLIMIT_CORE)[0] == 0

    assert ended(forked(work)) == 0
