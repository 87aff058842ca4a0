"""Whatever is done to a store, in whatever order and by whom, it holds what a dictionary would."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.names import Address
from sentient_cli.credentials.ports import ABSENT, CredentialStore
from sentient_cli.errors import CredentialConflictError
from tests.credentials.keyrings import MemoryKeyring
from tests.credentials.places import encrypted, in_keyring


class Step(NamedTuple):
    by: int
    """Which of two that are open over the same place."""
    address: Address
    text: str | None
    """None: it is deleted."""
    is_up_to_date: bool
    reopens: bool


def _keys(number: int) -> str:
    return "🔑" * number


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60) | st.integers(500, 4000).map(_keys)
STEPS = st.lists(
    st.builds(
        Step,
        st.integers(0, 1),
        st.builds(Address, st.sampled_from(["default", "dev"]), st.sampled_from(["a", "a.b", "index"])),
        st.none() | TEXTS,
        st.integers(0, 3).map(bool),
        st.integers(0, 5).map(lambda number: number == 0),
    ),
    max_size=12,
)


def _small(folder: Path) -> Callable[[], CredentialStore]:
    keyring = MemoryKeyring(2400, replaces=False)
    return lambda: in_keyring(folder, keyring)


PLACES: dict[str, Callable[[Path], Callable[[], CredentialStore]]] = {
    "encrypted": lambda folder: lambda: encrypted(folder),
    "keyring": _small,
}


@pytest.mark.parametrize("place", PLACES)
@settings(max_examples=15)
@given(steps=STEPS)
def test_a_store_is_a_dictionary(place: str, steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        make = PLACES[place](Path(folder))
        stores = [make(), make()]
        held: dict[Address, tuple[str, str]] = {}
        for step in steps:
            if step.reopens:
                stores[step.by].close()
                stores[step.by] = make()
            _take(step, stores[step.by], held)
            other = stores[1 - step.by].get(step.address)
            expected = held.get(step.address)
            assert (other and (other.text.reveal(), other.revision)) == expected
        for store in stores:
            assert list(store.addresses()) == sorted(held)
            store.close()


def _take(step: Step, store: CredentialStore, held: dict[Address, tuple[str, str]]) -> None:
    now = held[step.address][1] if step.address in held else ABSENT
    expected = now if step.is_up_to_date else f"{now}x"
    if not step.is_up_to_date:
        with pytest.raises(CredentialConflictError):
            store.put(step.address, Secret(step.text or "x"), expected=expected)
        with pytest.raises(CredentialConflictError):
            store.delete(step.address, expected=expected)
    elif step.text is None:
        store.delete(step.address, expected=expected)
        held.pop(step.address, None)
    else:
        held[step.address] = (step.text, store.put(step.address, Secret(step.text), expected=expected))
