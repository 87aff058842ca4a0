"""What comes besides an answer, piece by piece, is whole at its end."""

from __future__ import annotations

from base64 import b64decode, b64encode

from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.llm.assembly import Assembly
from sentient_cli.llm.types import Chunk, JsonValue

_NAME = st.sampled_from(["content", "refusal"])


@given(st.lists(st.tuples(_NAME, st.lists(st.integers()) | st.none())))
def test_log_probabilities_are_those_of_all_pieces(pieces: list[tuple[str, list[int] | None]]) -> None:
    assembly = Assembly()
    came: list[dict[str, JsonValue]] = [
        {"logprobs": {name: None if values is None else [*values]}} for name, values in pieces
    ]
    for extra in came:
        assembly.add(Chunk(extra=extra))
    told = (assembly.extra or {}).get("logprobs", {})
    assert isinstance(told, dict)
    for name in {name for name, _ in pieces}:
        whole = [value for each, values in pieces if each == name for value in values or ()]
        assert (told[name] or []) == whole
    # What came is not changed by what came after it.
    assert came == [{"logprobs": {name: values}} for name, values in pieces]


@given(st.lists(st.binary(max_size=7), min_size=1))
def test_sound_is_that_of_all_pieces(pieces: list[bytes]) -> None:
    assembly = Assembly()
    for piece in pieces:
        assembly.add(Chunk(extra={"audio": {"data": b64encode(piece).decode()}}))
    told = (assembly.extra or {})["audio"]
    assert isinstance(told, dict)
    assert b64decode(str(told["data"])) == b"".join(pieces)


def test_an_answer_that_begins_anew_has_nothing_of_the_first() -> None:
    assembly = Assembly()
    first: dict[str, JsonValue] = {"logprobs": {"content": [1]}, "audio": {"data": "AQ=="}, "tier": "flex"}
    assembly.add(Chunk(extra=first))
    assembly.add(Chunk(restarted=True))
    assert assembly.extra is None
    assembly.add(Chunk(extra={"logprobs": {"content": [2]}}))
    assert assembly.extra == {"logprobs": {"content": [2]}}
