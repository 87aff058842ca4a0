"""What is told by a look is what the checks themselves say."""

from __future__ import annotations

from enum import StrEnum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sentient_cli.config.fields import Section
from sentient_cli.config.plain import plain
from sentient_cli.config.settings import (
    DevSettings,
    LlmSettings,
    LogSettings,
    RootSettings,
    ServerSettings,
    Settings,
)

KINDS: tuple[type[Section], ...] = (
    RootSettings,
    *(
        field.annotation
        for field in Settings.model_fields.values()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
    ),
)

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-3, 70_000),
    st.floats(),
    st.sampled_from((0.0, -0.0, 0.5, 1e308, 2**53, 2**53 + 1, 10**400)),
    st.text(st.characters(), max_size=5),
    st.sampled_from(("", "offline", "auto", "order", "memory", "info", "cancel", "\ud800", "caf\u00e9.py", "a\udc80b")),
    st.lists(st.text(max_size=3), max_size=2),
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[type[Section], dict[str, object]]:
    kind = draw(st.sampled_from(KINDS))
    return kind, draw(_values(kind))


def _values(kind: type[Section]) -> st.SearchStrategy[dict[str, object]]:
    possible: dict[str, st.SearchStrategy[object]] = {"no_such_setting": leaves}
    for name, field in kind.model_fields.items():
        inner = field.annotation
        possible[name] = leaves
        if isinstance(inner, type) and issubclass(inner, Section):
            possible[name] = st.one_of(leaves, _values(inner))
    names = st.lists(st.sampled_from(sorted(possible)), max_size=4, unique=True)
    return names.flatmap(lambda chosen: st.fixed_dictionaries({name: possible[name] for name in chosen}))


@given(table=tables())
@settings(max_examples=600, deadline=None)
def test_a_look_says_what_the_checks_say_or_nothing(table: tuple[type[Section], dict[str, object]]) -> None:
    kind, values = table
    found = plain(kind, values)
    if found is None:
        return
    try:
        checked = kind.model_validate(values)
    except ValidationError as error:
        raise AssertionError(f"{values} was taken by a look") from error
    assert found == checked
    assert found.model_fields_set == checked.model_fields_set
    # Equal is not enough: True is 1, and 3 is 3.0.
    assert repr(found) == repr(checked)


def test_the_usual_values_need_no_checks_to_be_made() -> None:
    usual: tuple[tuple[type[Section], dict[str, object]], ...] = (
        (RootSettings, {"agent": "agent.py", "profile": "staging"}),
        (ServerSettings, {"host": "localhost", "port": 8000, "run_timeout": 60, "on_disconnect": "continue"}),
        (LlmSettings, {"model": "openai:gpt-5", "retry": {"attempts": 3, "base": 0.2}, "deadline": 30.0}),
        (LogSettings, {"level": "debug", "format": "text"}),
        (DevSettings, {"keep_runs": 10, "start": "spawn"}),
    )
    for kind, values in usual:
        found = plain(kind, values)
        assert found is not None
        assert found == kind.model_validate(values)


class _Level(StrEnum):
    INFO = "info"


class _Text(str):
    __slots__ = ()


@pytest.mark.parametrize("value", [_Level.INFO, _Text("info")])
def test_what_only_equals_a_word_is_left_to_the_checks(value: str) -> None:
    assert plain(LogSettings, {"level": value}) is None
    assert type(LogSettings.model_validate({"level": value}).level) is str


def test_no_table_that_a_look_may_make_has_a_setting_that_must_be_there() -> None:
    def below(kind: type[Section]) -> list[type[Section]]:
        return [kind, *(each for child in kind.__subclasses__() for each in below(child))]

    for kind in below(Section):
        if any(field.is_required() for field in kind.model_fields.values()):
            assert plain(kind, {}) is None, kind
