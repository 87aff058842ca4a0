"""Where the value of a credential comes from: the declared order, step by step, each with what it came to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.item import Item, decode_item
from sentient_cli.credentials.names import Address
from sentient_cli.credentials.ports import CredentialStore, Strength
from sentient_cli.credentials.rotation import current_of
from sentient_cli.errors import CredentialStoreError

__all__ = ["ORDER", "STRENGTHS", "Found", "Outcome", "Place", "Step", "Variables", "is_as_strong", "look_up"]

Place: TypeAlias = Literal["given", "variable", "environment", "env-file", "stores"]
ORDER: Final[tuple[Place, ...]] = ("given", "variable", "environment", "env-file", "stores")
"""What the program was given; a variable that settings name; the variable of the provider, from the environment, then
from `.env`; the stores."""
Outcome: TypeAlias = Literal["won", "nothing", "down", "refused", "not asked"]
STRENGTHS: Final[tuple[Strength, ...]] = ("plain", "passphrase", "system", "managed")


class Found(NamedTuple):
    """A value, and where it was.

    Args:
        secret: The value.
        source: Where, in a few words for people.
        store: The id of the store; empty: it was in none.
        item: All versions, where the store has them.
        variable: The variable that it was in; empty: it was in none.
    """

    secret: Secret
    source: str
    store: str = ""
    item: Item | None = None
    variable: str = ""


class Step(NamedTuple):
    """One step of a look-up.

    Args:
        place: Which part of the order.
        where: The variable or store, for people.
        outcome: What it came to.
        why: More about it; empty: nothing.
        profile: In which profile, for a store.
    """

    place: Place
    where: str
    outcome: Outcome
    why: str = ""
    profile: str = ""


class Variables(NamedTuple):
    """The variables that may hold a credential.

    Args:
        named: Those that settings name for it.
        known: Those that the provider is known by.
        environment: The variables of the process.
        env_file: Those of ``.env``.
        path: Where that is, for people.
    """

    named: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    env_file: Mapping[str, str] = {}
    path: str = ".env"


def is_as_strong(other: CredentialStore, store: CredentialStore) -> bool:
    """Whether another store keeps what it holds at least as well."""
    return STRENGTHS.index(other.strength) >= STRENGTHS.index(store.strength)


class _Walk(NamedTuple):
    addresses: Sequence[Address]
    given: Secret | None
    variables: Variables
    stores: Sequence[CredentialStore]
    holds: Callable[[Address, CredentialStore], bool]
    refused: Callable[[Address], CredentialStoreError | None]


def look_up(
    order: Sequence[Place],
    addresses: Sequence[Address],
    variables: Variables,
    stores: Sequence[CredentialStore],
    *,
    given: Secret | None = None,
    holds: Callable[[Address, CredentialStore], bool] = lambda _address, _store: True,
    refused: Callable[[Address], CredentialStoreError | None] = lambda _address: None,
) -> tuple[Found | None, tuple[Step, ...], CredentialStoreError | None]:
    """Look for a credential.

    Once a store that may hold it is down, a weaker one is not asked in its place.

    Args:
        order: The places, in the order in which they are looked at.
        addresses: Where stores are looked into: in the chosen profile, then in others that may stand in for it.
        variables: The variables that may hold it.
        stores: The stores, in the order in which they are asked.
        given: What the program was given.
        holds: Whether a store may hold an address; what surely does not is not asked.
        refused: Why no store is asked for an address although it may hold it; None: each one is.

    Returns:
        What was found, the steps that led there, and the error of the first store that was down, or was not to be
        asked, and may hold it.
    """
    walk = _Walk(addresses, given, variables, stores, holds, refused)
    steps: list[Step] = []
    won: Found | None = None
    fault: CredentialStoreError | None = None
    for place in order:
        for step, found, error in _unasked(place, walk) if won is not None else _tries_of(place, walk):
            steps.append(step)
            won, fault = found or won, fault or error
            if found is not None:
                rest = list(_unasked(place, walk))
                steps += [each for each, _, _ in rest[_count(steps, place) :]]
                break
    return won, tuple(steps), fault


_Try: TypeAlias = tuple[Step, "Found | None", "CredentialStoreError | None"]


def _count(steps: Sequence[Step], place: Place) -> int:
    return sum(step.place == place for step in steps)


def _unasked(place: Place, walk: _Walk) -> Iterator[_Try]:
    """The steps of a place that nobody takes any more."""
    if place == "stores":
        for address in walk.addresses:
            for store in walk.stores:
                yield Step(place, f"the store {store.store_id}", "not asked", profile=address.profile), None, None
        return
    for step, _, _ in _tries_of(place, walk):
        yield step._replace(outcome="not asked"), None, None


def _tries_of(place: Place, walk: _Walk) -> Iterator[_Try]:
    variables = walk.variables
    match place:
        case "given":
            source = "what the program was given"
            found = Found(walk.given, source) if walk.given else None
            yield Step(place, source, "won" if found else "nothing"), found, None
        case "variable":
            both = {**variables.env_file, **variables.environment}
            yield from _in_variables(place, variables.named, both, "")
        case "environment":
            yield from _in_variables(place, variables.known, variables.environment, "")
        case "env-file":
            yield from _in_variables(place, variables.known, variables.env_file, f" in {variables.path}")
        case "stores":
            yield from _in_stores(walk)


def _in_variables(place: Place, names: Sequence[str], values: Mapping[str, str], where: str) -> Iterator[_Try]:
    for name in names:
        said = f"the variable {name}{where}"
        value = values.get(name, "").strip()
        found = Found(Secret(value), said, variable=name) if value else None
        yield Step(place, said, "won" if found else "nothing"), found, None


def _in_stores(walk: _Walk) -> Iterator[_Try]:
    for address in walk.addresses:
        down: CredentialStore | None = None
        for store in walk.stores:
            said = f"the store {store.store_id}"
            step = Step("stores", said, "nothing", profile=address.profile)
            if not walk.holds(address, store):
                yield step, None, None
            elif (error := walk.refused(address)) is not None:
                yield step._replace(outcome="refused", why=error.what), None, error
            elif down is not None and not is_as_strong(store, down):
                why = f"It is weaker than {down.store_id}, which is down, and does not stand in for it"
                yield step._replace(outcome="refused", why=why), None, None
            else:
                tried = _in_store(step, store, address)
                down = down or (store if tried[2] is not None else None)
                yield tried


def _in_store(step: Step, store: CredentialStore, address: Address) -> _Try:
    try:
        held = store.get(address)
        if held is None:
            return step, None, None
        item = decode_item(held.text)
        found = Found(Secret(current_of(item).value), step.where, store.store_id, item)
    except CredentialStoreError as error:
        return step._replace(outcome="down", why=error.what), None, error
    return step._replace(outcome="won", why=store.describe()), found, None
