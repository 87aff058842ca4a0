"""A line has one form, says nothing that is secret, and is what the schema of its category says."""

from __future__ import annotations

import hashlib
import json
import string
from pathlib import Path
from typing import cast

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.audit import AuditLog, Event, schema_of, verify
from sentient_cli.audit.event import LONGEST_TEXT, MOST_DATA, fields_of
from sentient_cli.audit.line import FIRST, LONGEST, LineError, read_entry, sealed
from sentient_cli.audit.schemas import CATEGORIES
from sentient_cli.errors import AuditError, UsageError
from sentient_cli.redact import redactor
from tests.audit.audit_kit import EVENT, filled, lines_of, places_in, with_history

NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=8)
TEXTS = st.text(st.characters(exclude_categories=()), max_size=80)
DATA = st.dictionaries(NAMES, TEXTS | st.integers(-(2**63), 2**63 - 1), max_size=MOST_DATA)


def _line(event: Event) -> bytes:
    return sealed({**fields_of(event), "seq": 1, "at": 5, "prev": FIRST})[0]


@given(TEXTS, DATA)
def test_whatever_is_said_makes_a_line_of_visible_ascii(subject: str, data: dict[str, str | int]) -> None:
    line = _line(Event("config", "set", subject, data))
    assert all(0x20 <= byte < 0x80 for byte in line)
    assert read_entry(line).data.keys() == data.keys()
    assert len(line) <= LONGEST


def test_the_longest_line_there_can_be(tmp_path: Path) -> None:
    places = places_in(tmp_path)
    names = [f"n{number:02d}".ljust(40, "x") for number in range(MOST_DATA)]
    event = Event("config", "set", "\U0001f600" * 2000, dict.fromkeys(names, "\U0001f600" * 2000))
    (entry,) = AuditLog(places).append(event)
    assert len(entry.subject) == LONGEST_TEXT
    assert entry.subject.endswith("\u2026")
    assert max(map(len, lines_of(places.log.read_bytes()))) <= LONGEST


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'{"action"', b'{ "action"'),
        (b'"at":5', b'"at":5.0'),
        (b'"at":5', b'"at":5e0'),
        (b'"at":5', b'"at":NaN'),
        (b'"at":5', b'"at":true'),
        (b'"at":5', b'"at":' + b"9" * 5000),
        (b'"at":5', b'"at":-0'),
        (b'"at":5', b'"at":5,"at":5'),
        (b'"v":1}', b'"v":1.0}'),
        (b'"v":1}', b'"v":2}'),
        (b'"v":1}', b'"v":1,"w":1}'),
        (b'"v":1}', b'"v":1}\r'),
        (b'"v":1}', b'"v":1} '),
        (b"openai", b"open\\u0061i"),
        (b"openai", b"open\\/ai"),
        (b"openai", b"open\xc3\xa9i"),
        (b'"data":{"store":"keyring"}', b'"data":{"store":["keyring"]}'),
        (b'"data":{"store":"keyring"}', b'"data":[]'),
        (b'"seq":1', b'"seq":0'),
        (b'"seq":1', b'"seq":"1"'),
    ],
)
def test_no_other_form_of_a_line_is_one(old: bytes, new: bytes) -> None:
    line = _line(EVENT)
    assert line.count(old) == 1
    with pytest.raises(LineError) as caught:
        read_entry(line.replace(old, new))
    assert caught.value.kind == "malformed"


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"1", b"null", b"\xef\xbb\xbf{}", b"[" * 90_000, b"\0"])
def test_what_is_no_line(line: bytes) -> None:
    with pytest.raises(LineError):
        read_entry(line)


def test_another_content_does_not_fit_the_hash() -> None:
    with pytest.raises(LineError, match="does not fit its hash"):
        read_entry(_line(EVENT).replace(b"openai", b"openaj"))


def test_a_datum_called_hash_is_told_from_the_hash() -> None:
    event = EVENT._replace(subject='"hash":"' + "0" * 64, data={"hash": "f" * 64, "sha": '","hash":"'})
    assert read_entry(_line(event)).data["hash"] == "f" * 64


def test_nothing_that_is_secret_is_written(tmp_path: Path) -> None:
    secret = "correct-horse-battery-staple"
    redactor.register(secret)
    places = places_in(tmp_path)
    long = "x" * (LONGEST_TEXT - 10) + secret
    AuditLog(places).append(
        EVENT._replace(subject=secret),
        EVENT._replace(data={"password": "swordfish", "text": f"it is {secret}", "long": long}),
    )
    written = b"".join(place.read_bytes() for place in (places.log, places.checkpoint)).decode()
    assert not any(part in written for part in (secret, "swordfish", "correct-hor"))
    assert written.count("[redacted]") >= 3


@pytest.mark.parametrize(
    "event",
    [
        Event("weather", "set"),
        Event("audit", "repaired", data={"bytes": 1, "lines": 1, "sha256": "0" * 64}),
        Event("config", "Set"),
        Event("config", ""),
        Event("config", "set", data={"A": 1}),
        Event("config", "set", data={"n": 2**63}),
        Event("config", "set", data={f"n{number}": 1 for number in range(MOST_DATA + 1)}),
        Event("config", "set", data=cast("dict[str, int]", {"n": 1.5})),
        Event("config", "set", data=cast("dict[str, int]", {"n": None})),
        Event("config", "set", data={"n": True}),
    ],
)
def test_what_no_line_can_say_is_refused_and_nothing_is_written(tmp_path: Path, event: Event) -> None:
    places = filled(tmp_path, 1)
    before = places.log.read_bytes()
    with pytest.raises(AuditError):
        AuditLog(places).append(EVENT, event)
    assert places.log.read_bytes() == before


def test_every_line_is_what_the_schema_of_its_category_says(tmp_path: Path) -> None:
    validators = {name: jsonschema_rs.validator_for(schema_of(name)) for name in CATEGORIES}
    read = 0
    for line in lines_of(with_history(tmp_path).log.read_bytes()):
        if line.endswith(b"}\n"):
            value = json.loads(line)
            assert [error.message for error in validators[value["category"]].iter_errors(value)] == []
            assert not validators[value["category"]].is_valid({**value, "more": 1})
            assert not validators[value["category"]].is_valid({**value, "v": 2})
            read += 1
    assert read == 38
    with pytest.raises(UsageError, match="no category 'weather'"):
        schema_of("weather")


def test_what_the_log_tells_of_itself_is_no_secret(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"a torn line of this test").hexdigest()
    redactor.register(digest[:20])
    places = filled(tmp_path, 1)
    with places.log.open("ab") as file:
        file.write(b"a torn line of this test")
    AuditLog(places).append(EVENT)
    assert verify(places).findings == ()
    assert digest.encode() in places.log.read_bytes()
