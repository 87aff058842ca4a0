"""Text that reaches a terminal cannot act on it."""

from __future__ import annotations

import re
from itertools import pairwise

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.sanitize import MAX_SEQUENCE_LENGTH, Sanitizer, sanitize, sanitize_line

_PIECES = st.sampled_from(
    [
        "\x1b",
        "[",
        "]",
        "31m",
        "0;t",
        "\x07",
        "\x1b\\",
        "\x9b",
        "\x9d",
        "\x9c",
        "P",
        "(",
        "B",
        "?",
        "text",
        "\n",
        "\t",
        "\u200b",
        "\u202e",
        "\U000e0041",
        "\ud800",
        "\u2028",
        "\x18",
        "\x85",
        "\r",
        "é",
        "😀",
        ";",
        " ",
    ]
)
_HOSTILE = st.lists(_PIECES | st.text(max_size=3), max_size=40).map("".join)
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff\ud800-\udfff]"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hostile", "safe"),
    [
        ("plain\ttext\nwith é and 😀\ufe0f", "plain\ttext\nwith é and 😀\ufe0f"),
        ("a\x1b[31;1mb\x1b[0mc", "abc"),
        ("a\x1b[?25lb", "ab"),
        ("a\x1b[2 qb", "ab"),
        ("a\x9b31mb", "ab"),
        ("a\x1b]0;title\x07b", "ab"),
        ("a\x1b]8;;https://example.com\x1b\\link\x1b]8;;\x1b\\b", "alinkb"),
        ("a\x9d0;title\x9cb", "ab"),
        ("a\x1bP1;2|payload\x1b\\b", "ab"),
        ("a\x1b_Gpayload\x1b\\b", "ab"),
        ("a\x1b^private\x1b\\b", "ab"),
        ("a\x1bXstring\x1b\\b", "ab"),
        ("a\x1b(Bb", "ab"),
        ("a\x1bcb", "ab"),
        ("a\x1b7\x1b8b", "ab"),
        ("a\x1b\x1b[31mb", "ab"),
        ("a\x1b[3\x1b[1mb", "ab"),
        ("a\x1b]0;x\x1b[1mb", "ab"),
        ("a\x1b]0;x\x18b", "ab"),
        ("a\x1b[31\nb", "a\nb"),
        ("a\x1béb", "aéb"),
        ("a\x07\x08\x7f\x00\rb", "ab"),
        ("a\x85b", "ab"),
        ("a\u2028b\u2029c", "a\nb\nc"),
        ("a\u202eb\u2066c\u200bd\u200de\ufefff", "abcdef"),
        ("a\U000e0041\U000e007fb\U000e0100", "ab"),
        ("a\ud800b", "a\ufffdb"),
        ("open \x1b]0;never ended", "open "),
        ("", ""),
    ],
)
def test_known_tricks(hostile: str, safe: str) -> None:
    assert sanitize(hostile) == safe


@given(text=st.text() | _HOSTILE)
def test_nothing_dangerous_is_left_and_it_is_stable(text: str) -> None:
    safe = sanitize(text)
    assert not _FORBIDDEN.search(safe)
    assert sanitize(safe) == safe


@given(text=st.text() | _HOSTILE, cuts=st.lists(st.integers(min_value=0, max_value=200)))
def test_every_way_to_cut_a_stream_gives_the_same_text(text: str, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    sanitizer = Sanitizer()
    pieces = [sanitizer.feed(text[start:end]) for start, end in pairwise(edges)]
    assert "".join(pieces) + sanitizer.flush() == sanitize(text)


@given(head=st.text(), tail=_HOSTILE)
def test_text_before_a_sequence_is_shown_at_once(head: str, tail: str) -> None:
    sanitizer = Sanitizer()
    assert sanitizer.feed(sanitize(head)) == sanitize(head)
    sanitizer.feed(tail)
    assert sanitizer.flush() == ""


@given(text=_HOSTILE)
def test_a_terminal_only_prints(text: str) -> None:
    screen = pyte.Screen(80, 200)
    pyte.Stream(screen).feed(sanitize(text).replace("\n", "\r\n"))
    assert screen.title == ""
    assert screen.icon_name == ""
    assert screen.mode == pyte.Screen(1, 1).mode
    assert screen.margins is None
    assert all(char.fg == "default" and not char.bold for row in screen.buffer.values() for char in row.values())


@pytest.mark.parametrize("introducer", ["\x1b]", "\x1bP", "\x9f", "\x1b["])
def test_a_sequence_that_never_ends_cannot_hide_the_rest(introducer: str) -> None:
    filler = "1" * MAX_SEQUENCE_LENGTH
    assert sanitize(f"{introducer}{filler}answer") == "answer"
    sanitizer = Sanitizer()
    shown = sanitizer.feed(introducer) + "".join(sanitizer.feed(char) for char in filler) + sanitizer.feed("answer")
    assert shown == "answer"


def test_a_flush_ends_an_open_sequence() -> None:
    sanitizer = Sanitizer()
    assert sanitizer.feed("a\x1b]0;") == "a"
    assert sanitizer.flush() == ""
    assert sanitizer.feed("b") == "b"


def test_a_line_stays_one_line() -> None:
    assert sanitize_line("a\tb\r\nc\u2028d\x1b[0m") == "a b c d"
