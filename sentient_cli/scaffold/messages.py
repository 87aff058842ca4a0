"""What is said between this process and the one in which a template that is not ours is rendered: lines of JSON."""

from __future__ import annotations

from typing import Literal, cast

import msgspec

from sentient_cli.errors import SentientError, TemplateError, TemplateRenderError, TemplateUnsafeError, UsageError
from sentient_cli.runtime.events import JsonValue
from sentient_cli.scaffold.questions import Choice, Question

__all__ = ["Ask", "Asked", "Failure", "Opening", "Reply"]


# What the other side may make us raise; anything else that it names is a failed rendering.
_KINDS: tuple[type[SentientError], ...] = (TemplateError, TemplateRenderError, TemplateUnsafeError, UsageError)


class Opening(msgspec.Struct, frozen=True):
    """The first line: the template, and how much it may take."""

    root: str
    trust: bool
    memory: int
    seconds: int
    total: int
    context: dict[str, object]
    defaults: dict[str, object]


class Ask(msgspec.Struct, frozen=True):
    """A request."""

    what: Literal["next", "complete", "settle", "render"]
    given: dict[str, object]
    into: str = ""


class Failure(msgspec.Struct, frozen=True):
    """An error of ours, or the text of another."""

    kind: str
    what: str
    why: str = ""
    fix: str = ""

    def error(self) -> SentientError:
        """The error to raise."""
        kind = next((kind for kind in _KINDS if kind.__name__ == self.kind), TemplateRenderError)
        return kind(self.what, why=self.why, fix=self.fix)


class Asked(msgspec.Struct, frozen=True):
    """A question, as it travels."""

    name: str
    kind: str
    help: str
    default: object
    required: bool
    choices: tuple[tuple[str, object], ...]
    multiple: bool
    secret: bool

    @classmethod
    def of(cls, question: Question) -> Asked:
        """A question to send."""
        choices = tuple((choice.label, choice.value) for choice in question.choices)
        return cls(
            question.name,
            question.kind,
            question.help,
            question.default,
            question.required,
            choices,
            question.multiple,
            question.secret,
        )

    def question(self) -> Question:
        """The question that was sent."""
        return Question(
            self.name,
            self.kind,
            self.help,
            cast("JsonValue", self.default),
            required=self.required,
            choices=tuple(Choice(label, cast("JsonValue", value)) for label, value in self.choices),
            multiple=self.multiple,
            secret=self.secret,
        )


class Reply(msgspec.Struct, frozen=True):
    """An answer: the fields that were asked for."""

    failure: Failure | None = None
    question: Asked | None = None
    answers: dict[str, object] = {}
    names: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
