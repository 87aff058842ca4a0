"""All versions of one credential, as the one text that a store keeps.

    {"format":"sentient.credential","provider":"openai","versions":[{"id":"01JS…","state":"current","value":"…","created_at":1,…}]}

At every moment one version is `current`. In a rotation there is a `next` one, which is tried first, and afterwards a
`previous` one, until its grace is over. Each change is a new text that takes the place of the old one at once.
"""

from __future__ import annotations

import hashlib
from typing import Final, Literal, NoReturn, TypeAlias

import msgspec

from sentient_cli.config.secret import Secret
from sentient_cli.errors import CredentialStoreError

__all__ = ["SCHEMA_VERSION", "Item", "Version", "VersionState", "decode_item", "encode_item", "fingerprint_of"]

SCHEMA_VERSION: Final = 1
VersionState: TypeAlias = Literal["next", "current", "previous"]
_FINGERPRINT: Final = 12
_GUESSABLE: Final = 16
"""A value with fewer characters may be found by trying out values until the fingerprint is the same."""
_TAG: Final = "sentient.credential"


class Version(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One value that a credential has, had or is about to have. Times are nanoseconds since the epoch, 0 where unknown.

    Args:
        id: A ULID.
        state: Which of the three.
        value: The secret itself.
        created_at: When it was put here.
        verified_at: When the provider last took it.
        expires_at: When it ends by itself.
        retire_at: For a previous one: when its grace is over.
        source: What the provider calls it, where it was made through its interface, so that it can be removed there.
    """

    id: str
    state: VersionState
    value: str
    created_at: int = 0
    verified_at: int = 0
    expires_at: int = 0
    retire_at: int = 0
    source: str = ""

    def __repr__(self) -> str:
        return f"Version(id={self.id!r}, state={self.state!r}, fingerprint={fingerprint_of(self.value)!r})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """What Rich shows, which would be every field else."""
        return [("id", self.id), ("state", self.state), ("fingerprint", fingerprint_of(self.value))]

    def __reduce__(self) -> NoReturn:
        raise TypeError("a version of a credential is not pickled: it has the secret in it")


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="format", tag=_TAG):
    """What a store keeps for one credential.

    Args:
        provider: Whose key it is, such as ``openai``; empty: nobody's in particular.
        versions: One is current; at most one each is next and previous.
        created_at: When the credential was made, in nanoseconds since the epoch.
        rotate_every: Seconds after which it is due to be rotated; 0: never.
        hosts: Where it may be sent; none: where its vendor is, if it has one.
        schema: The version of this form.
    """

    provider: str = ""
    versions: tuple[Version, ...] = ()
    created_at: int = 0
    rotate_every: int = 0
    hosts: tuple[str, ...] = ()
    schema: int = SCHEMA_VERSION

    def version(self, state: VersionState) -> Version | None:
        """The version in a state, or None."""
        return next((version for version in self.versions if version.state == state), None)


_items: Final = msgspec.json.Decoder(Item)
_encoder: Final = msgspec.json.Encoder(order="deterministic")


def encode_item(item: Item) -> Secret:
    """The text of an item."""
    return Secret(_encoder.encode(item).decode())


def decode_item(text: Secret) -> Item:
    """Read an item.

    A text that is no item is the value of a credential that another program put there. One that was meant to be an
    item and is damaged, or is of a later form, is no value: it would be sent to the provider with all that is in it.

    Raises:
        CredentialStoreError: it is a damaged item.

    Example:
        >>> decode_item(Secret("sk-1")).version("current").value
        'sk-1'
        >>> item = Item(provider="openai", versions=(Version(id="1", state="current", value="sk-2"),))
        >>> decode_item(encode_item(item)) == item
        True
    """
    raw = text.reveal()
    if _TAG not in raw:
        return Item(versions=(Version(id="", state="current", value=raw),))
    try:
        item = _items.decode(raw)
    except (msgspec.MsgspecError, UnicodeError):
        item = Item()
    if item.versions:
        return item
    raise CredentialStoreError(
        "What the store holds for this credential is damaged",
        why="It is not the form that this version of the program writes",
        fix="Update this program, or remove it with `sentient keys remove` and store it anew",
    )


def fingerprint_of(value: str) -> str:
    """The beginning of the value's SHA-256, by which two of them are told apart without being shown.

    Empty for a value of fewer than 16 characters: whoever sees the fingerprint could try out what it may be. So equal
    fingerprints say that two values are the same only where there are some.

    Example:
        >>> fingerprint_of("sk-0123456789abcdef"), fingerprint_of("sk-1")
        ('221df437bc4f', '')
    """
    if len(value) < _GUESSABLE:
        return ""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:_FINGERPRINT]
