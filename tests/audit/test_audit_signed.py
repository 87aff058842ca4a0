"""What a checkpoint adds: the end of a log is known, whoever has written it anew; and its form is the public one."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sentient_cli.audit import AuditLog, AuditPlaces, verify
from sentient_cli.audit.checkpoint import read_note
from sentient_cli.audit.keys import SigningKey, VerifyingKey
from sentient_cli.audit.line import sealed
from sentient_cli.errors import AuditError
from tests.audit.audit_kit import EVENT, filled, lines_of, places_in


def _key(places: AuditPlaces) -> SigningKey:
    key = SigningKey.read(places.key)
    assert key is not None
    return key


def _kept(places: AuditPlaces, folder: Path) -> tuple[Path, Path]:
    """The checkpoint and the key of a log, elsewhere."""
    note, key = folder / "kept", folder / "kept.key"
    note.write_bytes(places.checkpoint.read_bytes())
    found = read_note(note.read_bytes())
    assert found is not None
    key.write_text(_key(places).verifying.text(found[0].origin) + "\n")
    return note, key


def _kinds(places: AuditPlaces, *, kept: Path | None = None, key: Path | None = None) -> list[str]:
    return [finding.kind for finding in verify(places, kept=kept, key=key).findings]


def test_the_note_is_what_the_public_specification_says(tmp_path: Path) -> None:
    places = filled(tmp_path)
    text, signature = places.checkpoint.read_text().split("\n\n")
    origin, size, digest, *_ = (text + "\n").split("\n")
    last = json.loads(lines_of(places.log.read_bytes())[-1])
    assert (int(size), base64.b64decode(digest).hex()) == (6, last["hash"])
    dash, name, encoded = signature.removesuffix("\n").split(" ")
    assert (dash, name) == ("\u2014", origin)
    named, key_id, key = _key(places).verifying.text(origin).split("+", 2)
    public = base64.b64decode(key)
    assert (named, public[0]) == (origin, 1)
    assert hashlib.sha256(origin.encode() + b"\n" + public).digest()[:4].hex() == key_id
    signed = base64.b64decode(encoded)
    assert signed[:4].hex() == key_id
    verifier = Ed25519PublicKey.from_public_bytes(public[1:])
    verifier.verify(signed[4:], text.encode() + b"\n")
    with pytest.raises(InvalidSignature):
        verifier.verify(signed[4:], text.encode())


def test_the_key_is_one_that_others_read(tmp_path: Path) -> None:
    places = filled(tmp_path)
    key = load_pem_private_key(places.key.read_bytes(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    assert key.public_key().public_bytes_raw() == _key(places).verifying.public


def test_every_change_of_a_checkpoint_is_found(tmp_path: Path) -> None:
    places = filled(tmp_path)
    note = places.checkpoint.read_bytes()
    for at in range(len(note)):
        places.checkpoint.write_bytes(note[:at] + bytes([note[at] ^ 1]) + note[at + 1 :])
        assert _kinds(places) != []
    for part in (
        b"",
        note[:-1],
        note + b"\n",
        note * 2,
        b"\xff" + note,
        note.replace(b"=\n", b"\n"),
        b"\xef\xbb\xbf" + note,
        b"x" * 100_000,
    ):
        places.checkpoint.write_bytes(part)
        assert _kinds(places) != []
        with pytest.raises(AuditError):
            AuditLog(places).append(EVENT)
        assert places.checkpoint.read_bytes() == part


def test_signatures_of_others_are_passed_over(tmp_path: Path) -> None:
    places = filled(tmp_path)
    witness = base64.b64encode(b"abcd" + bytes(64)).decode()
    with places.checkpoint.open("a") as file:
        file.write(f"\u2014 witness.example/w1 {witness}\n")
    assert _kinds(places) == []


def test_a_log_written_anew_as_a_whole_is_found_by_the_checkpoint(tmp_path: Path) -> None:
    places = filled(tmp_path)
    prev, lines = "0" * 64, list[bytes]()
    for line in lines_of(places.log.read_bytes()):
        fields: dict[str, object] = {**json.loads(line), "prev": prev, "subject": "somebody"}
        del fields["hash"]
        sealed_line, prev = sealed(fields)
        lines.append(sealed_line + b"\n")
    places.log.write_bytes(b"".join(lines))
    assert [(finding.kind, finding.line) for finding in verify(places).findings] == [("checkpoint", 6)]


def test_log_and_checkpoint_set_back_together_are_found_by_one_kept_elsewhere(tmp_path: Path) -> None:
    places = filled(tmp_path)
    old = places.log.read_bytes(), places.checkpoint.read_bytes()
    AuditLog(places).append(EVENT)
    kept, key = _kept(places, tmp_path)
    places.log.write_bytes(old[0])
    places.checkpoint.write_bytes(old[1])
    assert _kinds(places) == []
    assert [(finding.kind, finding.line) for finding in verify(places, kept=kept).findings] == [("truncated", 7)]
    assert _kinds(places, kept=kept, key=key) == ["truncated"]


def test_an_older_checkpoint_stands_for_the_beginning(tmp_path: Path) -> None:
    places = filled(tmp_path)
    kept, key = _kept(places, tmp_path)
    AuditLog(places).append(EVENT)
    assert _kinds(places, kept=kept, key=key) == []


def test_another_key_signs_for_nothing(tmp_path: Path) -> None:
    places = filled(tmp_path)
    _, key = _kept(places, tmp_path)
    places.key.unlink()
    assert _kinds(places) == ["key"]
    assert _kinds(places, key=key) == []
    with pytest.raises(AuditError, match=r"The key .* is gone"):
        AuditLog(places).append(EVENT)
    SigningKey.make(places.key)
    assert _kinds(places) == ["key"]
    with pytest.raises(AuditError, match="signed with another key"):
        AuditLog(places).append(EVENT)
    places.checkpoint.unlink()
    assert _kinds(places) == ["checkpoint"]
    AuditLog(places).append(EVENT)  # who moved the checkpoint away wants to go on; the log tells of it
    assert [note.kind for note in verify(places).notes] == ["unsigned"]
    assert _kinds(places, key=key) == ["key"]


def test_the_checkpoint_of_another_log_is_none_of_this(tmp_path: Path) -> None:
    places, other = filled(tmp_path), filled(tmp_path / "other")
    shutil.copy(places.key, other.key)
    other.checkpoint.unlink()
    AuditLog(other).append(EVENT)
    assert [finding.text for finding in verify(places, kept=other.checkpoint).findings] == [
        "The checkpoint that was kept is of another log"
    ]


@pytest.mark.parametrize(
    "text", ["", "x", "a\nb\nc\n", "a+b+c", "a+00000000+AAAA", "sentient-audit/x+00000000+" + "A" * 44]
)
def test_what_is_no_key(tmp_path: Path, text: str) -> None:
    with pytest.raises(AuditError, match="no key of checkpoints"):
        VerifyingKey.of_text(text)
    places = filled(tmp_path)
    file = tmp_path / "key"
    with pytest.raises(AuditError, match="There is no key"):
        verify(places, key=file)
    file.write_text(text)
    with pytest.raises(AuditError, match="no key of checkpoints"):
        verify(places, key=file)
    with pytest.raises(AuditError, match="holds no checkpoint"):
        verify(places, kept=file)
    places.key.write_text(text)
    with pytest.raises(AuditError, match="holds no key"):
        AuditLog(places).append(EVENT)


def test_a_place_for_the_checkpoint_that_is_not_there_means_that_nothing_is_written(tmp_path: Path) -> None:
    places = filled(tmp_path)
    data = places.log.read_bytes()
    away = places._replace(checkpoint=tmp_path / "share" / "checkpoint")
    with pytest.raises(AuditError, match="folder of the checkpoint is not there"):
        AuditLog(away).append(EVENT)
    assert places.log.read_bytes() == data
    away.checkpoint.parent.mkdir()
    AuditLog(away).append(EVENT)
    assert [note.kind for note in verify(away).notes] == ["unsigned"]
    assert places_in(tmp_path) == places
