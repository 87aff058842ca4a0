from __future__ import annotations

import itertools

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from sentient_cli.chat.flow import Flow, broken
from sentient_cli.chat.glyphs import ASCII, UNICODE
from sentient_cli.chat.growing import MAX_PENDING, GrowingMarkdown
from sentient_cli.chat.markdown import MarkdownPainter


def drawn(pieces: list[str], width: int = 40) -> list[str]:
    growing = GrowingMarkdown(MarkdownPainter(UNICODE))
    found: list[str] = []
    for piece in pieces:
        growing.feed(piece)
        found.extend(line.plain for line in growing.finished(width))
        assert all(line.cell_len <= width for line in growing.tail(width))
    found.extend(line.plain for line in growing.rest(width))
    return found


def lines(source: str, width: int = 40) -> list[str]:
    return drawn([source], width)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("# Title\ntext", ["Title", "", "text"]),
        ("a *b* **c** ~~d~~ `e`", ["a b c d e"]),
        ("a\nb  \nc", ["a b", "c"]),
        ("see [here](https://h/x)", ["see here (https://h/x)"]),
        ("<https://h/x> [https://h](https://h)", ["https://h/x https://h"]),
        ("![alt](http://h/i.png)", ["[alt] (http://h/i.png)"]),
        ("- a\n- b\n  - c\n- d", ["• a", "• b", "  • c", "• d"]),
        ("3. a\n4. b\n", ["3. a", "4. b"]),
        ("- a\n\n  b\n\nc", ["• a", "", "  b", "", "c"]),
        ("> a\n> b\n\nc", ["│ a b", "", "c"]),
        ("```py\na\n\n  b\n```\nc", ["  a", "", "    b", "", "c"]),
        ("```\n```\na", ["a"]),
        ("    code\n\na", ["  code", "", "a"]),
        ("a\n\n---\n\nb", ["a", "", "─" * 40, "", "b"]),
        ("<b>x</b>\n\n<div>\ny\n</div>", ["<b>x</b>", "", "<div>", "y", "</div>"]),
        ("| a | bb |\n|:-:|--:|\n| ccc | d |", [" a   bb", "───  ──", "ccc   d"]),
        ("[a]: http://h\n\n[x][a]", ["x (http://h)"]),
        ("", []),
        ("\n\n\n", []),
    ],
)
def test_what_is_drawn(source: str, expected: list[str]) -> None:
    assert [line.rstrip() for line in lines(source)] == expected
    assert [line.rstrip() for line in drawn(list(source))] == expected


@pytest.mark.parametrize(
    "source",
    [
        "> " * 30 + "deep",
        "- " * 15 + "deep",
        "> - " * 9 + "deep",
        "1. > " * 9 + "deep",
        "\n".join("  " * level + f"- {level}" for level in range(15)) + " deep",
        "> " * 30 + "```\n" + "> " * 30 + "deep\n",
    ],
)
def test_words_that_are_nested_too_deeply_are_not_lost(source: str) -> None:
    for found in (lines(source), drawn(list(source)), lines(source, 8)):
        assert "deep" in "".join(found).replace(" ", "")


def test_a_table_wraps_its_wide_columns_and_turns_when_there_is_no_room() -> None:
    source = "| a | b |\n|---|---|\n| one | a long cell of words |\n"
    assert lines(source, 16) == ["a    b", "───  ───────────", "one  a long cell", "     of words"]
    assert lines(source, 10) == ["a: one", "b: a long", "cell of", "words"]


def test_code_lines_are_given_as_soon_as_they_are_whole() -> None:
    growing = GrowingMarkdown(MarkdownPainter(UNICODE))
    growing.feed("```py\none\ntwo\nthr")
    assert [line.plain for line in growing.finished(40)] == ["  one", "  two"]
    assert [line.plain for line in growing.tail(40)] == ["  thr"]
    growing.feed("ee\n```\n")
    assert [line.plain for line in growing.finished(40) + growing.rest(40)] == ["  three"]


def test_items_are_given_when_the_next_begins() -> None:
    growing = GrowingMarkdown(MarkdownPainter(ASCII))
    growing.feed("- one\n- two\n- thr")
    assert [line.plain for line in growing.finished(40)] == ["- one"]
    assert [line.plain for line in growing.tail(40)] == ["- two", "- thr"]
    growing.feed("ee\n")
    assert [line.plain for line in growing.finished(40)] == ["- two"]


def test_a_link_that_is_still_written_does_not_spoil_its_target() -> None:
    source = "[a]: https://example.org/long\n\n[x][a] and more\n"
    assert drawn(list(source), 60) == ["x (https://example.org/long) and more"]


def test_a_block_without_end_is_cut_and_nothing_of_it_lost() -> None:
    words = [f"word{number}" for number in range(20_000)]
    growing = GrowingMarkdown(MarkdownPainter(UNICODE))
    found: list[str] = []
    for start in range(0, len(words), 500):
        growing.feed(" ".join(words[start : start + 500]) + " ")
        found.extend(line.plain for line in growing.finished(80))
        assert sum(len(line.plain) for line in growing.tail(80)) < 2 * MAX_PENDING
    found.extend(line.plain for line in growing.rest(80))
    assert " ".join(found).split() == words


_SOURCE = """\

word
two words *and* `more`
- item
  - nested
1. first
2. second
> quote
```
```py
    indented
# head
---
===
| a | b |
|---|---|
**bold
[x](y)
[r]: /u
[r]
* star
long long long long long long long long long long long
<div>
&#27;[2J
~~~
+ plus
\\
  two spaces
	tab
漢字漢字漢字
🏠 house"""
_LINES = st.sampled_from(_SOURCE.split("\n"))


@pytest.mark.slow
@example(source="```\n```\nword\n\nword", cuts=[9])
@example(source="> quote\n**bold\nword", cuts=[9])
@example(source="- item\n---\nword", cuts=[8])
@example(source="\n\n```\n```\n[r]: /u\n\n  - nested", cuts=[288])
@example(source="```py\n  two spaces\n```\n[r]: /u\n&#27;[2J\nword\nword", cuts=[42])
@given(source=st.lists(_LINES, max_size=12).map("\n".join), cuts=st.lists(st.integers(0, 500), max_size=12))
def test_however_it_arrives_the_same_lines_are_drawn(source: str, cuts: list[int]) -> None:
    # What was given is on the screen: the target of a link cannot come later. A first line that looks like one may be
    # the end of a paragraph.
    assume(source.count("[r]: /u") < 2)
    assume("[r]" not in source.partition("[r]: /u")[0] or "[r]: /u" not in source)
    points = sorted({0, len(source), *(cut % (len(source) + 1) for cut in cuts)})
    pieces = [source[start:end] for start, end in itertools.pairwise(points)]
    assert drawn(pieces) == lines(source)


@pytest.mark.slow
@given(source=st.text(max_size=200), width=st.integers(8, 60))
def test_any_text_can_be_drawn_in_any_width(source: str, width: int) -> None:
    drawn([source[index : index + 7] for index in range(0, len(source), 7)], width)


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize(
    "source",
    [
        *("*a **b " * 2000, "[" * 4_000, "> " * 5000, "`" * 9000 + "x", "- " * 3000, "|" * 9000),
        pytest.param("[" * 16_000, marks=pytest.mark.slow),
    ],
)
def test_hostile_markdown_does_not_blow_up(source: str) -> None:
    growing = GrowingMarkdown(MarkdownPainter(UNICODE))
    growing.feed(source)
    growing.finished(80)
    growing.rest(80)


@given(words=st.lists(st.text("ab漢", min_size=1, max_size=9), max_size=30), width=st.integers(4, 20))
def test_words_flow_into_lines_however_they_arrive(words: list[str], width: int) -> None:
    text = " ".join(words)
    whole = broken(text, width)
    assert whole.split("\n") == [line.rstrip() for line in whole.split("\n")]
    assert "".join(whole.split()) == "".join(words)
    flow = Flow(width)
    pieces = [flow.feed(char) for char in text] + [flow.flush()]
    assert "".join("".join(pieces).split()) == "".join(words)


def test_text_without_spaces_is_not_held_back() -> None:
    flow = Flow(10)
    assert flow.feed("漢字漢字漢") == "漢字漢字漢"
    assert flow.feed("字") + flow.flush() == "\n字"
