"""Places in a text that was never written become places that are there."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.config.drafted import in_file
from sentient_cli.errors import ConfigError, SentientError

_LINES = st.lists(st.sampled_from(["", "a = 1", "b = 2", "[server]", "# c", "é = 3"]), max_size=12)
_FILE = Path("/project (1)/sentient.toml")


@given(_LINES, _LINES, st.integers(min_value=1, max_value=12))
def test_a_line_becomes_the_same_line_or_none(before: list[str], after: list[str], line: int) -> None:
    error = ConfigError("Wrong", why=f"It stands in {_FILE}:{line}:3", where=f"{_FILE}:{line}:3")
    told = in_file(error, _FILE, "\n".join([*before, ""]), "\n".join([*after, ""]), "what was given")
    assert error.where == f"{_FILE}:{line}:3"
    assert told.why == f"It stands in {told.where}"
    if told.where != "what was given":
        found = int(told.where.removeprefix(f"{_FILE}:").partition(":")[0])
        assert before[found - 1] == after[line - 1]
    if before == after and line <= len(after):
        assert told.where == error.where


@given(_LINES, st.integers(min_value=0, max_value=12), st.integers(min_value=1, max_value=12))
def test_what_stands_around_a_new_line_keeps_its_place(before: list[str], at: int, line: int) -> None:
    at = min(at, len(before))
    after = [*before[:at], "new = 1", *before[at:]]
    old, new = ("\n".join([*lines, ""]) for lines in (before, after))
    told = in_file(ConfigError("Wrong", where=f"{_FILE}:{line}:3"), _FILE, old, new, "-")
    if line <= len(after):
        assert told.where == ("-" if line == at + 1 else f"{_FILE}:{line - (line > at + 1)}:3")


def test_places_of_other_files_and_of_variables_stay() -> None:
    where = f"/home/ann{_FILE}:3:1 and SENTIENT_LLM_PRESET and {_FILE}.bak"
    told = in_file(SentientError("Wrong", why=where, fix=where, detail=f"{_FILE}:3"), _FILE, "", "a\nb\nc\n", "-")
    assert (told.why, told.fix, told.detail) == (where, where, "-")
