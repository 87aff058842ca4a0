"""The questions of a template: kinds, choices, what is computed, and answers that are refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from jinja2.sandbox import SandboxedEnvironment

from sentient_cli.errors import TemplateRenderError, UsageError
from sentient_cli.runtime.events import JsonValue
from sentient_cli.scaffold.config import TemplateConfig
from sentient_cli.scaffold.questions import Questionnaire


def asked(
    questions: Mapping[str, Mapping[str, object]],
    *,
    defaults: Mapping[str, JsonValue] | None = None,
    allowed: Mapping[str, Sequence[str]] | None = None,
) -> Questionnaire:
    environment = SandboxedEnvironment(autoescape=False)
    return Questionnaire(TemplateConfig(questions), environment, defaults=defaults, allowed=allowed)


def completed(questions: Mapping[str, Mapping[str, object]], **given: JsonValue) -> dict[str, JsonValue]:
    return asked(questions).complete(given)


@pytest.mark.parametrize(
    ("kind", "typed", "value"),
    [
        ("str", 5, "5"),
        ("path", "a/b", "a/b"),
        ("int", "12", 12),
        ("float", "2.5", 2.5),
        ("bool", "on", True),
        ("bool", "No", False),
        ("bool", 1, True),
        ("json", '{"a": [1]}', {"a": [1]}),
        ("json", [1], [1]),
        ("yaml", "[a, b]", ["a", "b"]),
        ("yaml", 7, 7),
    ],
)
def test_an_answer_is_of_the_kind_that_is_asked_for(kind: str, typed: JsonValue, value: JsonValue) -> None:
    assert completed({"it": {"type": kind, "default": None}}, it=typed) == {"it": value}


@pytest.mark.parametrize(
    ("kind", "typed", "why"),
    [
        ("int", "twelve", "It is no whole number"),
        ("int", [1], "It is no whole number"),
        ("float", "?", "It is no number"),
        ("bool", "maybe", "It is neither yes nor no"),
        ("json", "{", "It is no JSON"),
        ("yaml", "[a", "It is no YAML"),
    ],
)
def test_an_answer_of_another_kind_is_refused_and_shown(kind: str, typed: JsonValue, why: str) -> None:
    with pytest.raises(UsageError, match="it cannot be") as refused:
        completed({"it": {"type": kind, "default": None}}, it=typed)
    assert refused.value.why == why
    assert repr(typed) in refused.value.what


def test_a_secret_answer_is_never_shown() -> None:
    for questions in (
        {"key": {"type": "int", "secret": True, "default": 0}},
        {"key": {"type": "str", "secret": True, "default": "a", "choices": ["a", "b"]}},
        {"key": {"type": "str", "secret": True, "default": "a", "validator": "{{ 'too short' }}"}},
    ):
        with pytest.raises(UsageError, match="what was given") as refused:
            completed(questions, key="hunter2")
        assert "hunter2" not in str(refused.value)


def test_one_of_several_is_chosen_by_its_label_or_its_value() -> None:
    questions: dict[str, dict[str, object]] = {
        "size": {"choices": {"Small one": "s", "Large one": {"value": "l"}}, "default": "l"},
        "port": {"type": "int", "choices": [["low", 80], ["high", 8080]], "default": 0},
    }
    assert completed(questions) == {"size": "l", "port": 80}
    assert completed(questions, size="Small one", port="8080") == {"size": "s", "port": 8080}
    with pytest.raises(UsageError) as refused:
        completed(questions, size="m")
    assert refused.value.fix == "Choose `s`, `l`"


def test_several_are_chosen_in_the_order_of_the_choices() -> None:
    questions: dict[str, dict[str, object]] = {
        "parts": {"choices": ["a", "b", "c"], "multiselect": True, "default": None}
    }
    assert completed(questions) == {"parts": []}
    assert completed(questions, parts="c, a") == {"parts": ["a", "c"]}
    assert completed(questions, parts="[b, a]") == {"parts": ["a", "b"]}
    assert completed(questions, parts=["c"]) == {"parts": ["c"]}
    assert completed(questions, parts="none") == {"parts": []}


def test_choices_and_defaults_are_computed_from_other_answers() -> None:
    questions: dict[str, dict[str, object]] = {
        "name": {"type": "str"},
        "title": {"type": "str", "default": "{{ name | upper }}"},
        "tag": {"choices": "[{{ name }}-x, {{ name }}-y]", "default": ""},
        "listed": {"type": "yaml", "default": ["{{ name }}", {"in": "{{ title }}"}]},
        "never": {"type": "str", "default": "x", "when": "{{ name == 'other' }}"},
    }
    answers = asked(questions)
    first = answers.next({})
    assert first is not None
    assert (first.name, first.required) == ("name", True)
    settled = answers.settle({"name": "ann"})
    assert settled == {"name": "ann", "title": "ANN", "tag": "ann-x", "listed": ["ann", {"in": "ANN"}]}
    assert answers.complete({"name": "ann"})["never"] == "x"
    with pytest.raises(UsageError, match="A value for name is missing"):
        answers.complete({})


def test_only_what_is_possible_here_is_offered_and_one_choice_is_no_question() -> None:
    questions: dict[str, dict[str, object]] = {"provider": {"choices": ["a", "b"], "default": "b"}}
    narrow = asked(questions, allowed={"provider": ["a"]})
    assert narrow.next({}) is None
    assert narrow.complete({}) == {"provider": "a"}


def test_remembered_answers_take_the_place_of_defaults() -> None:
    remembering = asked({"name": {"type": "str"}}, defaults={"name": "ann"})
    question = remembering.next({})
    assert question is not None
    assert (question.default, question.required) == ("ann", False)


def test_what_cannot_be_computed_names_the_question() -> None:
    with pytest.raises(TemplateRenderError, match="The question 'it' of the template cannot be computed"):
        completed({"it": {"type": "str", "default": "{{ 1 / 0 }}"}})
