"""Whatever is done to a log is found, and the first thing found is at the first line that is another."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from sentient_cli.audit import AuditPlaces, verify
from sentient_cli.audit.line import sealed
from tests.audit.audit_kit import CHANGES, changed, filled, first_difference, lines_of, with_history

ROUND = 500


def _first_found(places: AuditPlaces, seeds: range) -> list[tuple[int, int, int]]:
    """Seeds whose change was not found where it is, with the line that it is at and the line that was named."""
    data = places.log.read_bytes()
    torn = next(number for number, line in enumerate(lines_of(data), 1) if not line.endswith(b"}\n"))
    wrong: list[tuple[int, int, int]] = []
    for seed in seeds:
        after = changed(data, random.Random(seed))
        places.log.write_bytes(after)
        verified = verify(places)
        line = first_difference(data, after)
        named = verified.findings[0].line if verified.findings else -1
        # What a write that was cut off has left is explained by the next line; with that changed, it is not any more.
        if named != line and not (line == torn + 1 and named == torn):
            wrong.append((seed, line, named))
    return wrong


@pytest.mark.parametrize("turn", range(4))
def test_two_thousand_changes(tmp_path: Path, turn: int) -> None:
    places = with_history(tmp_path, before=3, after=4)
    assert _first_found(places, range(turn * ROUND, (turn + 1) * ROUND)) == []


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "turn",
    [pytest.param(0, marks=pytest.mark.slow), *(pytest.param(turn, marks=pytest.mark.soak) for turn in range(1, 20))],
)
def test_a_hundred_thousand_changes(tmp_path: Path, turn: int) -> None:
    assert _first_found(with_history(tmp_path), range(10_000 + turn * 5000, 15_000 + turn * 5000)) == []


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.strip("_"))
def test_a_log_of_one_entry(tmp_path: Path, change: Callable[[bytes, random.Random], bytes]) -> None:
    places = filled(tmp_path, 1)
    data = places.log.read_bytes()
    chance = random.Random(1)
    for _ in range(40):
        after = change(data, chance)
        if after != data:
            places.log.write_bytes(after)
            findings = verify(places).findings
            assert findings
            assert findings[0].line == first_difference(data, after)


def test_a_log_that_is_as_it_was_written(tmp_path: Path) -> None:
    verified = verify(with_history(tmp_path))
    assert (verified.intact, verified.findings, verified.lines) == (True, (), 39)
    assert verified.checkpoint is not None
    assert verified.checkpoint.size == 38
    assert [(note.kind, note.line) for note in verified.notes] == [("clock", 14), ("repaired", 15), ("unsigned", 19)]


def test_what_was_done_is_said(tmp_path: Path) -> None:
    places = filled(tmp_path, 8)
    lines = lines_of(places.log.read_bytes())

    def said(*altered: bytes) -> list[str]:
        places.log.write_bytes(b"".join(altered))
        return [f"{finding.kind} {finding}" for finding in verify(places).findings]

    assert said(*lines[:3], *lines[5:]) == ["missing line 4: 2 lines are missing before it"]
    assert said(*lines[:3], lines[2], *lines[3:]) == [
        "misplaced line 4: number 3 stands here, once more, where 4 belongs"
    ]
    assert said(*lines[:2], lines[6], *lines[3:6], lines[2], *lines[7:]) == [
        "misplaced line 3: number 7 stands here, where 3 belongs",
        "misplaced line 7: number 3 stands here, once more, where 7 belongs",
    ]
    assert said(*lines[:4], b"\n", *lines[4:]) == ["malformed line 5: it is blank"]
    assert said(*lines[:7]) == [
        "truncated line 8: 2 lines that the checkpoint was signed for should follow here: the log was cut off"
    ]
    assert said(*lines[:8], lines[8][:-1]) == [
        "torn line 9: it has no line break at its end: a write was cut off, or the file"
    ]
    assert said(b"") == [
        "truncated line 1: 9 lines that the checkpoint was signed for should follow here: the log was cut off"
    ]
    places.log.unlink()
    assert [finding.kind for finding in verify(places).findings] == ["truncated"]


def test_a_line_that_names_another_line_before_it(tmp_path: Path) -> None:
    places = filled(tmp_path, 6)
    lines = lines_of(places.log.read_bytes())
    fields: dict[str, object] = {**json.loads(lines[3]), "prev": "f" * 64}
    del fields["hash"]
    lines[3] = b"junk\n" + sealed(fields)[0] + b"\n"
    places.log.write_bytes(b"".join(lines))
    found = [(finding.kind, finding.line) for finding in verify(places).findings]
    assert found[:2] == [("malformed", 4), ("misplaced", 5)]


def test_very_many_findings_are_counted(tmp_path: Path) -> None:
    places = filled(tmp_path, 2)
    places.log.write_bytes(b"\n" * 3000 + places.log.read_bytes())
    verified = verify(places)
    assert verified.findings[0].line == 1
    assert len(verified.findings) <= 1000
    assert not verified.intact


def test_a_line_of_any_length_is_no_matter_of_memory(tmp_path: Path) -> None:
    places = filled(tmp_path, 2)
    data = places.log.read_bytes()
    places.log.write_bytes(data + b"x" * 3_000_000 + b"\n")
    assert [str(finding) for finding in verify(places).findings] == ["line 4: it is longer than any that is written"]
    places.log.write_bytes(b"[" * 100_000 + b"\n" + data)
    assert verify(places).findings[0].line == 1
