"""The form of an encrypted file of credentials.

It has three lines:

    {"format":"sentient.credentials","version":1,"cipher":"aes-256-gcm","kdf":"argon2id","memory_kib":65536,…}
    the encrypted body in base64: all items with their addresses
    the SHA-256 of both lines in hex, by which damage is known from a wrong passphrase

The key is made of the passphrase by Argon2id (RFC 9106) and split by HKDF (RFC 5869) into the key of AES-256-GCM
(NIST SP 800-38D) and a check value in the first line, by which a wrong passphrase is known from a changed body. The
first line is authenticated together with the body, and has a new random nonce each time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from typing import Final, Literal, NamedTuple

import msgspec

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.stores.passphrases import material_of
from sentient_cli.errors import CredentialStoreError

__all__ = ["Cost", "Head", "Kept", "Keys", "Sealed", "new_head", "parse", "seal", "unlock", "unseal"]

VERSION: Final = 1
_KEY: Final = 32
_CHECK: Final = 16
_NONCE: Final = 12
_SALT: Final = 16
_MAX_MEMORY_KIB: Final = 1024 * 1024
_MAX_WORK: Final = 8 * _MAX_MEMORY_KIB
_MAX_LANES: Final = 64


class Cost(msgspec.Struct, frozen=True):
    """What it costs to try one passphrase; the default is the second recommendation of RFC 9106.

    Args:
        memory_kib: Memory in KiB.
        iterations: How often it is gone over.
        lanes: How many parts of it are independent.
    """

    memory_kib: int = 65_536
    iterations: int = 3
    lanes: int = 4


class Head(msgspec.Struct, frozen=True, kw_only=True, tag_field="format", tag="sentient.credentials"):
    """The first line. Bytes are base64 in it.

    Args:
        memory_kib: Of the cost; so are the next two.
        salt: Of the passphrase.
        check: What the right passphrase makes.
        nonce: Of this one body.
    """

    version: int = VERSION
    cipher: Literal["aes-256-gcm"] = "aes-256-gcm"
    kdf: Literal["argon2id"] = "argon2id"
    memory_kib: int
    iterations: int
    lanes: int
    salt: bytes
    check: bytes = b""
    nonce: bytes = b""

    def same_key(self, other: Head) -> bool:
        """Whether both are of one passphrase and salt, so that the key of one is that of the other."""
        return msgspec.structs.replace(self, nonce=b"") == msgspec.structs.replace(other, nonce=b"")


class Kept(msgspec.Struct, frozen=True):
    """One item of the body."""

    text: str
    revision: str

    def __repr__(self) -> str:
        return f"Kept(revision={self.revision!r})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """What Rich shows."""
        return [("revision", self.revision)]


class Sealed(NamedTuple):
    """A file as it was read.

    Args:
        head: What its first line says.
        line: That line, as it is authenticated.
        body: The encrypted rest.
    """

    head: Head
    line: bytes
    body: bytes


class Keys:
    """What a passphrase was made into. Not to be kept longer than needed.

    Args:
        head: Of the file that it fits.
        body: The key of the body; `wipe` overwrites it.
    """

    def __init__(self, head: Head, body: bytearray) -> None:
        self.head = head
        self.body = body

    def wipe(self) -> None:
        """Overwrite it."""
        self.body[:] = bytes(len(self.body))


_heads: Final = msgspec.json.Decoder(Head)
_bodies: Final = msgspec.json.Decoder(dict[str, Kept])
_encoder: Final = msgspec.json.Encoder(order="deterministic")


def new_head(cost: Cost) -> Head:
    """The head of a file with a new salt, for a new passphrase."""
    return Head(
        memory_kib=cost.memory_kib, iterations=cost.iterations, lanes=cost.lanes, salt=secrets.token_bytes(_SALT)
    )


def parse(data: bytes, where: str) -> Sealed:
    """Take a file apart, and see that it is whole.

    Args:
        data: The file.
        where: What it is called in an error.

    Raises:
        CredentialStoreError: it is truncated or damaged, no such file, of a later version, or asks for too much.
    """
    lines = data.split(b"\n")
    if len(lines) != 4 or lines[3] or lines[2] != _sum_of(lines[0], lines[1]):  # noqa: PLR2004 - three, and what follows
        raise _damaged(where)
    try:
        head = _heads.decode(lines[0])
        body = base64.b64decode(lines[1], validate=True)
    except (msgspec.MsgspecError, UnicodeError, binascii.Error):
        raise _foreign(where) from None
    if head.version != VERSION:
        raise _foreign(where)
    _require_bounds(head, where)
    return Sealed(head, lines[0], body)


def _sum_of(line: bytes, body: bytes) -> bytes:
    return hashlib.sha256(b"%b\n%b\n" % (line, body)).hexdigest().encode()


def _require_bounds(head: Head, where: str) -> None:
    lanes, memory = head.lanes, head.memory_kib
    possible = 0 < lanes <= _MAX_LANES and 8 * lanes <= memory <= _MAX_MEMORY_KIB
    if not (
        possible and head.iterations > 0 and head.iterations * memory <= _MAX_WORK and len(head.salt) >= _SALT // 2
    ):
        raise CredentialStoreError(
            f"{where} asks for more work than is allowed",
            why=f"memory_kib={memory}, iterations={head.iterations}, lanes={lanes}",
            fix="Look where the file comes from; this program writes no such values",
        )


def _damaged(where: str) -> CredentialStoreError:
    return CredentialStoreError(
        f"{where} is damaged",
        why="It is truncated or was changed; its checksum is another. It was left as it is",
        fix="Restore a copy of it, or move it away and store the keys anew",
    )


def _foreign(where: str) -> CredentialStoreError:
    return CredentialStoreError(
        f"{where} is no encrypted file of credentials that this version can read",
        why="A later version of this program, or another program, wrote it. It was left as it is",
        fix="Update this program, or move the file away",
    )


def unlock(head: Head, passphrase: Secret, where: str, *, new: bool = False) -> Keys:
    """Make the key of a file.

    Args:
        head: Of the file.
        passphrase: Of the file.
        where: What the file is called in an error.
        new: Whether the passphrase is a new one, whose check value goes into the head.

    Raises:
        CredentialStoreError: the passphrase is wrong, or too short for a new one.
    """
    body, check = _derive(head, material_of(passphrase, new=new))
    if new:
        head = msgspec.structs.replace(head, check=check)
    elif not hmac.compare_digest(check, head.check):
        body[:] = bytes(_KEY)
        raise CredentialStoreError(
            f"The passphrase of {where} is wrong",
            why="Its check value is another; the file itself is whole",
            fix="Try again with the passphrase that it was made with. Without it nobody can read the file",
        )
    return Keys(head, body)


def _derive(head: Head, material: bytes) -> tuple[bytearray, bytes]:
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 - only who has such a file needs it
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id  # noqa: PLC0415
    from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand  # noqa: PLC0415

    master, body = bytearray(_KEY), bytearray(_KEY)
    Argon2id(
        salt=head.salt, length=_KEY, iterations=head.iterations, lanes=head.lanes, memory_cost=head.memory_kib
    ).derive_into(material, master)
    HKDFExpand(SHA256(), _KEY, b"sentient.credentials body").derive_into(master, body)
    check = HKDFExpand(SHA256(), _CHECK, b"sentient.credentials check").derive(master)
    master[:] = bytes(_KEY)
    return body, check


def seal(keys: Keys, items: dict[str, Kept]) -> bytes:
    """The file with these items."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    head = msgspec.structs.replace(keys.head, nonce=secrets.token_bytes(_NONCE))
    line = msgspec.json.encode(head)
    body = base64.b64encode(AESGCM(keys.body).encrypt(head.nonce, _encoder.encode(items), line))
    return b"%b\n%b\n%b\n" % (line, body, _sum_of(line, body))


def unseal(keys: Keys, sealed: Sealed, where: str) -> dict[str, Kept]:
    """The items of a file.

    Raises:
        CredentialStoreError: somebody changed it.
    """
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    try:
        return _bodies.decode(AESGCM(keys.body).decrypt(sealed.head.nonce, sealed.body, sealed.line))
    except (InvalidTag, ValueError, msgspec.MsgspecError):
        raise CredentialStoreError(
            f"{where} was tampered with",
            why="The passphrase is right, but what is encrypted is not what this program wrote. It was left as it is",
            fix="Restore a copy of it, and look who could write to it",
        ) from None
