"""The key that checkpoints are signed with: Ed25519, one for each user, made with the first line of the log."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from sentient_cli.audit.checkpoint import Checkpoint, Signature
from sentient_cli.audit.places import Draft, open_own, require_folder, told
from sentient_cli.errors import AuditError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = ["SigningKey", "VerifyingKey"]

_ED25519: Final = b"\x01"
"""What https://c2sp.org/signed-note calls such a signature."""
_LARGEST: Final = 4096
_KEY_ID: Final = 4
_SEED: Final = 32
# The library's own reader of such files takes twice as long to import as all that is needed here.
_PKCS8: Final = bytes.fromhex("302e020100300506032b657004220420")
"""What stands before a key of Ed25519 in PKCS #8: https://www.rfc-editor.org/rfc/rfc8410#section-7"""
_BEGIN: Final = "-----BEGIN PRIVATE KEY-----"
_END: Final = "-----END PRIVATE KEY-----"
_PEM_LINES: Final = 4


class VerifyingKey:
    """Tells whether a checkpoint was signed with the key of a log.

    Args:
        public: The 32 bytes of the public key.
    """

    def __init__(self, public: bytes) -> None:
        self.public = public

    @classmethod
    def of_text(cls, text: str) -> Self:
        """The key of a line ``name+id+key``, as `text` gives it.

        Raises:
            AuditError: it is no such line.
        """
        name, _, rest = text.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        try:
            decoded = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            decoded = b""
        key = cls(decoded[1:])
        if decoded[:1] != _ED25519 or len(key.public) != len(bytes(32)) or key.key_id(name).hex() != key_id:
            raise AuditError(
                "This is no key of checkpoints",
                why="Such a key is one line of three parts: name+id+key",
                fix="Give the file that `sentient audit checkpoint --key` was written to",
            )
        return key

    def key_id(self, name: str) -> bytes:
        """The four bytes that tell the key from others of the same name."""
        return hashlib.sha256(name.encode() + b"\n" + _ED25519 + self.public).digest()[:_KEY_ID]

    def text(self, name: str) -> str:
        """The key as one line, to be kept elsewhere.

        Args:
            name: The origin of the log.
        """
        return f"{name}+{self.key_id(name).hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    def has_signed(self, checkpoint: Checkpoint, signatures: list[Signature]) -> bool | None:
        """Whether one of the signatures is of this key and right; None: none is of this key."""
        key_id = self.key_id(checkpoint.origin)
        own = [each for each in signatures if each.name == checkpoint.origin and each.key_id == key_id]
        return all(self._is_right(checkpoint, each) for each in own) if own else None

    def _is_right(self, checkpoint: Checkpoint, signature: Signature) -> bool:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - needed by few

        try:
            self._public().verify(signature.signature, checkpoint.text().encode())
        except InvalidSignature:
            return False
        return True

    def _public(self) -> Ed25519PublicKey:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - needed by few

        return Ed25519PublicKey.from_public_bytes(self.public)


class SigningKey:
    """Signs checkpoints.

    Args:
        private: The key.
    """

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.verifying: VerifyingKey = VerifyingKey(private.public_key().public_bytes_raw())

    def sign(self, checkpoint: Checkpoint) -> Signature:
        """The signature of a checkpoint, under the name of its log."""
        key_id = self.verifying.key_id(checkpoint.origin)
        return Signature(checkpoint.origin, key_id, self._private.sign(checkpoint.text().encode()))

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The key in a file; None: there is none.

        Raises:
            AuditError: the file is not ours alone, or holds no such key.
        """
        try:
            descriptor = open_own(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        with told(path), os.fdopen(descriptor, "rb") as file:
            data = file.read(_LARGEST)
        seed = _seed_in(data)
        if seed is None:
            raise AuditError(
                f"{path} holds no key of the audit log",
                fix="Restore it, or move it and the checkpoint away: the log goes on with a new key, and tells so",
            )
        return cls._of_seed(seed)

    @classmethod
    def make(cls, path: Path) -> Self:
        """Make a key and keep it.

        Raises:
            AuditError: it cannot be kept.
        """
        require_folder(path.parent)
        seed = secrets.token_bytes(_SEED)
        encoded = base64.b64encode(_PKCS8 + seed).decode()
        with told(path):
            Draft(path, f"{_BEGIN}\n{encoded}\n{_END}\n".encode()).commit()
        return cls._of_seed(seed)

    @classmethod
    def _of_seed(cls, seed: bytes) -> Self:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - needed by few

        return cls(Ed25519PrivateKey.from_private_bytes(seed))


def _seed_in(pem: bytes) -> bytes | None:
    """The key in a file, as `openssl genpkey -algorithm ed25519` would write it too; None: there is none."""
    lines = pem.decode("ascii", "replace").split("\n")
    if len(lines) != _PEM_LINES or (lines[0], lines[2], lines[3]) != (_BEGIN, _END, ""):
        return None
    try:
        decoded = base64.b64decode(lines[1], validate=True)
    except binascii.Error:
        return None
    return decoded[len(_PKCS8) :] if decoded[: len(_PKCS8)] == _PKCS8 and len(decoded) == len(_PKCS8) + _SEED else None
