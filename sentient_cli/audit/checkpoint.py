"""A checkpoint: how long the log is and how it ends, signed.

It is a signed note (https://c2sp.org/signed-note) of the form of https://c2sp.org/tlog-checkpoint: origin, number of
lines, hash. The hash is that of the last line and not of a tree; an extension line says how many bytes there are.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final, NamedTuple

__all__ = ["LARGEST_NOTE", "Checkpoint", "Signature", "origin_of", "read_note", "signed_note"]

LARGEST_NOTE: Final = 64 * 1024
_KEY_ID: Final = 4
_ORIGIN: Final = "sentient-audit/"
_BODY: Final = re.compile(
    rf"({re.escape(_ORIGIN)}[0-9a-f]{{32}})\n(0|[1-9][0-9]{{0,17}})\n([A-Za-z0-9+/]{{43}}=)\nbytes ([0-9]{{1,18}})\n"
)
_SIGNATURE: Final = re.compile(r"\u2014 ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")


class Checkpoint(NamedTuple):
    """What is signed.

    Args:
        origin: Which log it is of.
        size: How many lines it has.
        hash: The hash of the last one, in hex.
        bytes: How many bytes the log has up to the end of that line.

    Example:
        >>> print(Checkpoint(origin_of("00" * 16), 3, "ff" * 32, 1200).text(), end="")
        sentient-audit/00000000000000000000000000000000
        3
        //////////////////////////////////////////8=
        bytes 1200
    """

    origin: str
    size: int
    hash: str
    bytes: int

    def text(self) -> str:
        """The text that is signed."""
        digest = base64.b64encode(bytes.fromhex(self.hash)).decode()
        return f"{self.origin}\n{self.size}\n{digest}\nbytes {self.bytes}\n"


class Signature(NamedTuple):
    """One signature of a note.

    Args:
        name: The name of the key.
        key_id: Four bytes that tell it from others of that name.
        signature: Its bytes.
    """

    name: str
    key_id: bytes
    signature: bytes


def origin_of(identity: str) -> str:
    """What the log with this identity, 32 digits in hex, is called in its checkpoints."""
    return _ORIGIN + identity


def signed_note(checkpoint: Checkpoint, signature: Signature) -> bytes:
    """A note with one signature."""
    signed = base64.b64encode(signature.key_id + signature.signature).decode()
    return f"{checkpoint.text()}\n\u2014 {signature.name} {signed}\n".encode()


def read_note(data: bytes) -> tuple[Checkpoint, list[Signature]] | None:
    """A checkpoint and its signatures, none of which was looked at yet; None: this is no checkpoint of such a log."""
    try:
        note = data.decode()
    except UnicodeDecodeError:
        return None
    text, blank, signatures = note.rpartition("\n\n")
    body = _BODY.fullmatch(text + "\n")
    if not blank or body is None or len(data) > LARGEST_NOTE or _CONTROL.search(note) or not note.endswith("\n"):
        return None
    found = [_signature(line) for line in signatures.removesuffix("\n").split("\n")]
    if not found or None in found:
        return None
    digest = base64.b64decode(body[3]).hex()
    checkpoint = Checkpoint(body[1], int(body[2]), digest, int(body[4]))
    return (checkpoint, [each for each in found if each is not None]) if checkpoint.text() == text + "\n" else None


def _signature(line: str) -> Signature | None:
    match = _SIGNATURE.fullmatch(line)
    try:
        signed = base64.b64decode(match[2], validate=True) if match else b""
    except binascii.Error:
        return None
    if match is None or len(signed) <= _KEY_ID or base64.b64encode(signed).decode() != match[2]:
        return None  # bits behind its end say nothing, and may not be anything
    return Signature(match[1], signed[:_KEY_ID], signed[_KEY_ID:])
