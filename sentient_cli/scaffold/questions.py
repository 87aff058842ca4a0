"""The questions of a template: which comes next, what its answer may be, and what is computed from the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar, cast

import yaml

from sentient_cli.errors import TemplateRenderError, UsageError
from sentient_cli.runtime.events import JsonValue

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

    from sentient_cli.scaffold.config import TemplateConfig

__all__ = ["Answers", "Choice", "Question", "Questionnaire"]

T = TypeVar("T")
_PAIR = 2
Answers = Mapping[str, JsonValue]
_YES = frozenset({"y", "yes", "t", "true", "on", "1"})
_NO = frozenset({"n", "no", "f", "false", "off", "0", "", "none", "null", "~"})
_KINDS: Final = {  # and what is said of an answer of another kind
    "bool": ("It is neither yes nor no", "Give `yes` or `no`"),
    "float": ("It is no number", "Give a number"),
    "int": ("It is no whole number", "Give a whole number"),
    "json": ("It is no JSON", "Give JSON, such as `[1, 2]`"),
    "path": ("It is no path", "Give a path"),
    "str": ("It is no text", "Give a text"),
    "yaml": ("It is no YAML", "Give YAML, such as `[1, 2]`"),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the answers that a question allows.

    Args:
        label: What a reader sees.
        value: What the template gets.
    """

    label: str
    value: JsonValue


@dataclass(frozen=True, slots=True)
class Question:
    """Something that a template wants to know.

    Args:
        name: What its answer is called in the template and after ``--data``.
        kind: bool, float, int, json, path, str or yaml.
        help: The question in words; may be empty.
        default: The answer when none is given.
        required: Whether there is no default.
        choices: The answers that are allowed; empty when all are.
        multiple: Whether the answer is a list of choices.
        secret: Whether the answer is kept nowhere.
    """

    name: str
    kind: str
    help: str = ""
    default: JsonValue = None
    required: bool = False
    choices: tuple[Choice, ...] = ()
    multiple: bool = False
    secret: bool = False


class Questionnaire:
    """The questions of one template, over the answers that are known so far.

    Args:
        config: The template's configuration.
        environment: Renders what is computed.
        context: Further names that a question may refer to.
        defaults: What takes the place of the template's own defaults.
        allowed: For a question the values that are possible here, out of its choices.
    """

    def __init__(
        self,
        config: TemplateConfig,
        environment: SandboxedEnvironment,
        *,
        context: Answers | None = None,
        defaults: Answers | None = None,
        allowed: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._config = config
        self._environment = environment
        self._context = dict(context or {})
        self._defaults = defaults or {}
        self._allowed = allowed or {}
        self.secrets: frozenset[str] = frozenset(
            name
            for name, fields in config.questions.items()
            if fields.get("secret") or name in config.texts("secret_questions")
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The name of every question, also of those that are never asked."""
        return tuple(self._config.questions)

    def next(self, given: Answers) -> Question | None:
        """The first question that is not answered yet and is to be asked; None when there is none.

        Raises:
            UsageError: an answer is not allowed.
            TemplateRenderError: a question cannot be computed.
        """
        return self._walk(given, ask=True)[0]

    def complete(self, given: Answers) -> dict[str, JsonValue]:
        """Every answer: those given, the defaults of the others, and what is computed.

        Raises:
            UsageError: an answer is not allowed, or one is missing that has no default.
            TemplateRenderError: a question cannot be computed.
        """
        return self._walk(given, ask=False)[1]

    def settle(self, given: Answers) -> dict[str, JsonValue]:
        """The answers that make a project: those given, and the defaults of the other questions that are asked.

        What is computed is left out, so that another version of the template may compute it anew.

        Raises:
            UsageError: an answer is not allowed, or one is missing that has no default.
            TemplateRenderError: a question cannot be computed.
        """
        answers = self.complete(given)
        fields = self._config.questions
        return {
            name: value
            for name, value in answers.items()
            if name in given or self._visible(name, fields[name], answers)
        }

    def _walk(self, given: Answers, *, ask: bool) -> tuple[Question | None, dict[str, JsonValue]]:
        answers: dict[str, JsonValue] = {}
        for name, fields in self._config.questions.items():
            visible = self._visible(name, fields, answers)
            if name in given:
                question = self._question(name, fields, answers)
                answers[name] = _cast(question, given[name])
                self._validate(question, fields, answers)  # also what is never asked: it gets into names and files
                continue
            question = self._question(name, fields, answers)
            if visible and ask and len(question.choices) != 1:
                return question, answers
            if visible and question.required:
                raise UsageError(f"A value for {name} is missing", fix=f"Give it with `--data {name}=...`")
            if not question.required:
                answers[name] = question.default
        return None, answers

    def _visible(self, name: str, fields: Mapping[str, object], answers: Answers) -> bool:
        when = self._render(name, fields.get("when", True), answers)
        return _truth(when) if isinstance(when, str) else bool(when)

    def _question(self, name: str, fields: Mapping[str, object], answers: Answers) -> Question:
        default = self._defaults.get(name, cast("JsonValue", fields.get("default")))
        kind = str(self._render(name, fields.get("type", ""), answers)) or type(fields.get("default")).__name__
        question = Question(
            name,
            kind if kind in _KINDS else "yaml",
            help=str(self._render(name, fields.get("help", ""), answers)).strip(),
            required=name not in self._defaults and "default" not in fields,
            choices=self._choices(name, fields.get("choices"), answers),
            multiple=bool(fields.get("multiselect")),
            secret=name in self.secrets,
        )
        if question.required:
            return question
        return _with_default(question, self._render(name, default, answers))

    def _choices(self, name: str, listed: object, answers: Answers) -> tuple[Choice, ...]:
        rendered = self._render(name, listed, answers)
        if isinstance(rendered, str):
            rendered = _yaml(rendered)
        pairs: list[object] = []
        if isinstance(rendered, dict):
            pairs = [list(pair) for pair in rendered.items()]
        elif isinstance(rendered, list):
            pairs = list(rendered)
        choices = tuple(_choice(pair) for pair in pairs)
        allowed = self._allowed.get(name)
        return choices if allowed is None else tuple(choice for choice in choices if choice.value in allowed)

    def _validate(self, question: Question, fields: Mapping[str, object], answers: Answers) -> None:
        said = str(self._render(question.name, fields.get("validator", ""), answers)).strip()
        if said:
            fix = f"Give another with `--data {question.name}=...`"
            raise UsageError(f"{question.name} cannot be {_shown(question, answers)}", why=said.rstrip("."), fix=fix)

    def _render(self, name: str, value: object, answers: Answers) -> JsonValue:
        match value:
            case str() if "{" in value:
                return self._attempt(name, lambda: self._text(value, answers))
            case list():
                return [self._render(name, one, answers) for one in cast("list[object]", value)]
            case dict():
                pairs = cast("dict[object, object]", value).items()
                return {str(self._render(name, key, answers)): self._render(name, one, answers) for key, one in pairs}
            case _:
                return cast("JsonValue", value)

    def _text(self, value: str, answers: Answers) -> str:
        return self._environment.from_string(value).render({**self._context, **answers})

    def _attempt(self, name: str, render: Callable[[], T]) -> T:
        try:
            return render()
        except Exception as error:
            raise TemplateRenderError(
                f"The question {name!r} of the template cannot be computed",
                why=f"{type(error).__name__}: {error}",
                fix="Correct the template",
            ) from error


def _with_default(question: Question, default: JsonValue) -> Question:
    if question.choices and not question.multiple:
        values = [choice.value for choice in question.choices]
        return replace(question, default=default if default in values else values[0])
    if question.multiple and default is None:
        return replace(question, default=[])
    if default is None and question.kind not in {"json", "yaml"}:
        return replace(question, required=True)
    return replace(question, default=_cast(question, default))


def _choice(pair: object) -> Choice:
    if not isinstance(pair, list) or len(parts := cast("list[JsonValue]", pair)) != _PAIR:
        single = cast("JsonValue", pair)
        return Choice(str(single), single)
    label, value = parts
    return Choice(str(label), value["value"] if isinstance(value, dict) and "value" in value else value)


def _cast(question: Question, raw: JsonValue) -> JsonValue:
    if question.multiple:
        parts = _several(raw)
        chosen = [_chosen(question, part) for part in parts]
        # In the order of the choices, each once: the same set of answers is the same rendering.
        return [choice.value for choice in question.choices if choice.value in chosen]
    if question.choices:
        return _chosen(question, raw)
    return _plain(question, raw)


def _several(raw: JsonValue) -> list[JsonValue]:
    if isinstance(raw, list):
        return raw
    text = str(raw).strip()
    if text.startswith("["):
        loaded = _yaml(text)
        return loaded if isinstance(loaded, list) else [text]
    return [part.strip() for part in text.split(",") if part.strip() and part.strip() != "none"]


def _chosen(question: Question, raw: JsonValue) -> JsonValue:
    for choice in question.choices:
        if raw == choice.value or str(raw) in {choice.label, str(choice.value)}:
            return choice.value
    names = ", ".join(f"`{choice.value}`" for choice in question.choices)
    raise UsageError(
        f"{question.name} cannot be {'what was given' if question.secret else repr(raw)}", fix=f"Choose {names}"
    )


def _plain(question: Question, raw: JsonValue) -> JsonValue:
    try:
        match question.kind:
            case "bool":
                return _truth(raw) if isinstance(raw, str) else bool(raw)
            case "int" | "float":
                return _number(question.kind, raw)
            case "json":
                return cast("JsonValue", json.loads(raw)) if isinstance(raw, str) else raw
            case "yaml":
                return _yaml(raw) if isinstance(raw, str) else raw
            case _:
                return str(raw)
    except ValueError as error:
        shown = "what was given" if question.secret else repr(raw)
        why, fix = _KINDS[question.kind]
        raise UsageError(f"{question.name} cannot be {shown}", why=why, fix=fix) from error


def _number(kind: str, raw: JsonValue) -> JsonValue:
    if not isinstance(raw, str | int | float):
        raise ValueError(kind)  # noqa: TRY004 - as `int` does for a text
    return int(raw) if kind == "int" else float(raw)


def _truth(text: str) -> bool:
    lower = text.strip().lower()
    if lower in _YES:
        return True
    if lower in _NO:
        return False
    raise ValueError(text)


def _yaml(text: str) -> JsonValue:
    try:
        return cast("JsonValue", yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _shown(question: Question, answers: Answers) -> str:
    return "what was given" if question.secret else repr(answers[question.name])
