"""A key of a TOML document is set or taken away, and nothing else in it changes."""

from __future__ import annotations

import copy
import re
import tomllib
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.config.lines import marks
from sentient_cli.config.toml_edit import set_key, unset_key
from sentient_cli.config.toml_scan import scan
from sentient_cli.config.toml_text import key_text, value_text
from sentient_cli.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "key", "value", "expected"),
    [
        ("", "agent", "a", 'agent = "a"\n'),
        ("", "server.port", 1, "[server]\nport = 1\n"),
        ("# Mine\n", "agent", "a", '# Mine\nagent = "a"\n'),
        ("# Mine\n\n[server]\n", "agent", "a", '# Mine\n\nagent = "a"\n\n[server]\n'),
        ("agent = 'a' # b", "agent", "c", "agent = 'c' # b"),
        ("agent = 'a'", "profile", "c", "agent = 'a'\nprofile = \"c\"\n"),
        (
            "[server]\r\nport = 1 # x\r\n\r\n[llm]\r\n",
            "server.host",
            "h",
            '[server]\r\nport = 1 # x\r\nhost = "h"\r\n\r\n[llm]\r\n',
        ),
        ("server.port = 1\n[llm]\n", "server.host", "h", 'server.port = 1\nserver.host = "h"\n[llm]\n'),
        ("server = { port = 1 } # x\n", "server.host", "h", 'server = { port = 1, host = "h" } # x\n'),
        ("server = {}\n", "server.port", 1, "server = { port = 1 }\n"),
        ("server = { }\n", "server.port", 1, "server = { port = 1 }\n"),
        ("[llm]\nretry = { cap = 1 }\n", "llm.retry.base", 0.5, "[llm]\nretry = { cap = 1, base = 0.5 }\n"),
        ("[llm]\n\n[log]\n", "llm.retry.cap", 1, "[llm]\n\n[llm.retry]\ncap = 1\n\n[log]\n"),
        ("# a\n[llm.retry]\ncap = 1\n", "llm.model", "m", '[llm]\nmodel = "m"\n\n# a\n[llm.retry]\ncap = 1\n'),
        ("  [server]\n  port = 1\n", "server.host", "h", '  [server]\n  port = 1\n  host = "h"\n'),
        ("[server]\nports = [\n  1, # one\n]\n", "server.x", 2, "[server]\nports = [\n  1, # one\n]\nx = 2\n"),
        ("[a.b]\nx = 1\n[a]\ny = 1\n", "a.b.x", 2, "[a.b]\nx = 2\n[a]\ny = 1\n"),
        ("[a]\nb.c = 1\n", "a.b.d", 2, "[a]\nb.c = 1\nb.d = 2\n"),
        ("[a.b]\nc = 1\n", "a.b", {"d": 2}, "[a]\nb = { d = 2 }\n"),
    ],
)
def test_a_key_is_set_where_it_belongs(text: str, key: str, value: object, expected: str) -> None:
    assert set_key(text, key.split("."), value) == expected


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("a = 1\nb = 2\n", "a", "b = 2\n"),
        ("# keep\na = [ # drop\n1,\n] # drop\n# keep\n", "a", "# keep\n# keep\n"),
        ("a = { b = 1, c = 2 }\n", "a.b", "a = { c = 2 }\n"),
        ("a = { b = 1, c = 2 }\n", "a.c", "a = { b = 1 }\n"),
        ("a = { b = 1 }\n", "a.b", "a = {  }\n"),
        ("a = { b = { d = 1 }, c = [1, 2] }\n", "a.c", "a = { b = { d = 1 } }\n"),
        ("a.b = 1\na.c = 2\n", "a.b", "a.c = 2\n"),
        ("[a]\nb = 1\n[a.c]\nd = 1\n# keep\n[e]\nf = 1\n", "a", "# keep\n[e]\nf = 1\n"),
        ("a = 1\n", "b.c", "a = 1\n"),
        ("[a]\nb.c.d = 1\n[e]\nf = 2\n", "a.b.c.d", "[e]\nf = 2\n"),
        ("[a]\nb.c = 1\nd = 2\n", "a.b.c", "[a]\nd = 2\n"),
        ("[a]\n[a.b]\nc.d = 1\n", "a.b.c.d", "[a]\n"),
    ],
)
def test_a_key_is_taken_away(text: str, key: str, expected: str) -> None:
    assert unset_key(text, key.split(".")) == expected


@pytest.mark.parametrize(
    ("text", "key"), [("a = 1\n", "a.b"), ("[[a]]\nb = 1\n", "a.c"), ("a = [{ b = 1 }]\n", "a.b"), ("a = [", "a")]
)
def test_what_cannot_be_done_is_refused(text: str, key: str) -> None:
    with pytest.raises(ConfigError):
        set_key(text, key.split("."), 1)


_NAMES = st.sampled_from(["a", "b", "c", "d-1", "é b", 'q"', ""])
_SCALARS = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.dates()
    | st.datetimes()
    | st.times()
)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3), max_leaves=4
)
_END = st.sampled_from(["", " # inline 1", "  #", '\t# [x] = \'y\' """'])
_LINE = st.sampled_from(["", "# above", "  # b = 2", "#[a]"])
_WRITTEN = st.sampled_from(
    [
        '"""\n[a]\nb = 1\n"""',
        "'''\na = 1 # no\n'''",
        "[\n 1, # in\n [2, { a = 1 }],\n]",
        "'lit'",
        "0x1F",
        "1979-05-27 07:32:00Z",
    ]
)


@st.composite
def _documents(draw: st.DrawFn) -> str:
    """Documents of every kind of table, with comments wherever one may stand."""
    lines: list[str] = []
    for header in [None, *draw(st.lists(st.lists(_NAMES, min_size=1, max_size=3), max_size=4))]:
        if header is not None:
            many = draw(st.integers(0, 6)) == 0
            around = ("[[", "]]") if many else ("[", "]")
            lines += [draw(_LINE), around[0] + key_text(header) + around[1] + draw(_END)]
        for _ in range(draw(st.integers(0, 3))):
            key = key_text(draw(st.lists(_NAMES, min_size=1, max_size=2)))
            value = draw(_VALUES.map(value_text) | _WRITTEN)
            lines += [draw(_LINE), f"{draw(st.sampled_from(['', '  ']))}{key} = {value}{draw(_END)}"]
            if not _is_toml("\n".join(lines)):
                del lines[-2:]
        if not _is_toml("\n".join(lines)):
            del lines[-2:]
    text = "\n".join(lines) + draw(st.sampled_from(["", "\n"]))
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _comments(text: str) -> list[str]:
    """The comments that stand between values, told by a parser: without one of them a document stays the same."""
    inside = [(spot.value, spot.end) for spot in scan(text) if spot.kind == "key"]
    return [
        found[0].rstrip()
        for found in re.finditer(r"#[^\n]*", text)
        if not any(start <= found.start() < end for start, end in inside)
        and text[: found.start()].rpartition("\n")[2].count("#") == 0
    ]


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in sorted(cast("dict[str, object]", value).items())}
    if isinstance(value, list):
        return [_plain(inner) for inner in cast("list[object]", value)]
    return repr(value)


def _without_empty(value: object) -> object:
    if not isinstance(value, dict):
        return value
    table = {name: _without_empty(inner) for name, inner in cast("dict[str, object]", value).items()}
    return {name: inner for name, inner in table.items() if inner != {}}


@given(text=_documents(), path=st.lists(_NAMES, min_size=1, max_size=3), value=_VALUES)
def test_to_set_a_key_changes_nothing_else(text: str, path: list[str], value: object) -> None:
    before = tomllib.loads(text)
    try:
        edited = set_key(text, path, value)
    except ConfigError:
        return
    expected = copy.deepcopy(before)
    table = expected
    for name in path[:-1]:
        table = table.setdefault(name, {})
    under = [spot for spot in scan(text) if spot.path[: len(path)] == tuple(path)]
    replaces_a_table = bool(under) and not any(len(spot.path) == len(path) and spot.kind != "header" for spot in under)
    table[path[-1]] = tomllib.loads("x = " + value_text(value))["x"]
    assert _plain(tomllib.loads(edited)) == _plain(expected)
    if not replaces_a_table:
        assert _comments(edited) == _comments(text)
    assert ("\r\n" in text) <= ("\n" not in edited.replace("\r\n", ""))


@given(text=_documents(), path=st.lists(_NAMES, min_size=1, max_size=3))
def test_most_keys_can_be_set(text: str, path: list[str]) -> None:
    around: object = tomllib.loads(text)
    for name in path[:-1]:
        around = cast("dict[str, object]", around).get(name, {}) if isinstance(around, dict) else None
    if isinstance(around, dict) and "[[" not in text:
        value = {"x": 7} if isinstance(cast("dict[str, object]", around).get(path[-1]), dict) else 7
        assert set_key(text, path, value)


@given(text=_documents())
def test_each_key_can_be_taken_away(text: str) -> None:
    before = tomllib.loads(text)
    for spot in scan(text):
        if spot.kind == "item" or any(name.isdigit() for name in spot.path):
            continue
        edited = unset_key(text, spot.path)
        expected = copy.deepcopy(before)
        table = expected
        for name in spot.path[:-1]:
            table = table[name]
        del table[spot.path[-1]]
        assert _plain(_without_empty(tomllib.loads(edited))) == _plain(_without_empty(expected))


@given(text=_documents())
def test_every_key_has_its_place(text: str) -> None:
    found = marks(text)
    lines = text.split("\n")
    for path, mark in found.items():
        if not any(name.isdigit() for name in path):
            shown = lines[mark.line - 1][mark.column - 1 :]
            assert shown.startswith((path[-1], '"', "'")), (path, mark)
