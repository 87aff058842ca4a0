"""A stream of text is masked however it is cut, and held back no longer than it has to be."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.host.pieces import RedactedPieces
from sentient_cli.redact import MAX_MATCH, REDACTED, Redactor

_SECRET = 'pa/ss "wörd"+\\%=1'
_JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N"
_WORDS = st.sampled_from(
    [
        *("token=", "Bearer ", "abcdef123456", "sk-", "a" * 20, "0" * 17, "AKIA", "://u:", "@host", " ", "\n", '"'),
        *(
            "'",
            "\\",
            "-----BEGIN PRIVATE KEY-----",
            "-----END PRIVATE KEY-----",
            _JWT,
            _SECRET,
            _SECRET[:5],
            "password",
        ),
        *(": ", "none", "api_", "key", "The answer is "),
    ]
)
_TEXT = st.lists(_WORDS | st.text(max_size=4), max_size=25).map("".join)
_RECOGNISED = 10


def _knowing() -> Redactor:
    redactor = Redactor()
    assert redactor.register(_SECRET)
    return redactor


def _cut(text: str, cuts: list[int]) -> list[str]:
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    return [text[start:end] for start, end in zip(edges, edges[1:], strict=False)]  # noqa: RUF007


def _allowed(redactor: Redactor, whole: str) -> re.Pattern[str]:
    """The whole without its secrets; the few characters by which one is recognised may stand before its mark."""
    parts: list[str] = []
    at = 0
    for hidden in redactor.hidden(whole):
        parts.append(re.escape(whole[at : hidden.cover]))
        first = whole[hidden.cover : min(hidden.cover + _RECOGNISED, hidden.end)]
        parts.append("".join(f"(?:{re.escape(char)}" for char in first) + ")?" * len(first) + re.escape(REDACTED))
        at = hidden.end
    return re.compile("".join([*parts, re.escape(whole[at:])]))


@given(text=_TEXT, cuts=st.lists(st.integers(0, 200), max_size=30))
def test_no_cut_saves_a_secret(text: str, cuts: list[int]) -> None:
    redactor = _knowing()
    pieces = RedactedPieces(redactor)
    parts = _cut(text, cuts)
    given_out = [masked for part in parts for masked in pieces.feed([part])] + pieces.finish()
    assert len(given_out) == len(parts)
    assert _allowed(redactor, text).fullmatch("".join(given_out)), "".join(given_out)
    if not list(redactor.hidden(text)):
        assert given_out == parts


@pytest.mark.slow
@given(text=_TEXT)
def test_character_by_character(text: str) -> None:
    redactor = _knowing()
    pieces = RedactedPieces(redactor)
    masked = "".join("".join(pieces.feed([char])) for char in text) + "".join(pieces.finish())
    assert _allowed(redactor, text).fullmatch(masked), masked


@given(text=_TEXT, cuts=st.lists(st.integers(0, 200), max_size=8), covered=st.sets(st.integers(0, 8)))
def test_what_is_covered_early_shows_no_more(text: str, cuts: list[int], covered: set[int]) -> None:
    redactor = _knowing()
    pieces = RedactedPieces(redactor)
    parts = _cut(text, cuts)
    given_out: list[str] = []
    for number, part in enumerate(parts):
        given_out += pieces.feed([part])
        if number in covered:
            given_out += pieces.cover()
            assert len(given_out) == number + 1
    given_out += pieces.finish()
    assert len(given_out) == len(parts)
    for hidden in redactor.hidden(text):
        rest = text[hidden.cover + _RECOGNISED : hidden.end]
        if len(rest) > _RECOGNISED and text.count(rest) == 1:
            assert rest not in "".join(given_out)


@pytest.mark.parametrize("text", ["Hello ", "The task, a park, see:", "s", "pa", "http:", "user@host", "tokens", "1.5"])
def test_harmless_text_is_not_held_back(text: str) -> None:
    assert RedactedPieces(_knowing()).feed([text]) == [text]


@pytest.mark.parametrize(
    "text", [_SECRET[:3], "sk-", "eyJ", "my token: ", "https://exam", "Bearer x", "ghp_1", "-----BEGIN RSA"]
)
def test_what_may_be_the_beginning_is_held_back_until_it_is_not(text: str) -> None:
    pieces = RedactedPieces(_knowing())
    assert pieces.feed([text]) == []
    assert pieces.feed(["\n.\n"]) == [text, "\n.\n"]


def test_what_never_ends_is_not_held_for_ever() -> None:
    pieces = RedactedPieces(Redactor())
    given_out = pieces.feed(["-----BEGIN PRIVATE KEY-----"])
    for _ in range(3 * MAX_MATCH // 64):
        given_out += pieces.feed(["A" * 64])
    assert given_out[0] == REDACTED
    assert len(given_out) > MAX_MATCH // 64
    assert "A" * 64 not in given_out[: MAX_MATCH // 64 - 10]


def test_a_stream_can_be_used_again() -> None:
    pieces = RedactedPieces(_knowing())
    assert pieces.feed([_SECRET[:4]]) == []
    assert pieces.feed([_SECRET[4:]]) == []
    assert pieces.finish() == [REDACTED, ""]
    assert pieces.feed(["x"]) + pieces.finish() == ["x"]
