"""What is wanted of an update, who can be asked, and what was decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sentient_cli.runtime.events import JsonValue
from sentient_cli.scaffold.changes import Change

if TYPE_CHECKING:
    from sentient_cli.scaffold.questions import Question
    from sentient_cli.scaffold.source import TemplateSource
    from sentient_cli.scaffold.trust import TemplateFacts

__all__ = ["Prepared", "User", "Wish"]


class User(Protocol):
    """Somebody who can be asked."""

    def question(self, question: Question, check: Callable[[JsonValue], object]) -> JsonValue:
        """The answer to a question that the template did not have before.

        Args:
            question: The question.
            check: Raises a `UsageError` when the template does not allow an answer.
        """
        ...

    def allows(self, source: TemplateSource, facts: TemplateFacts) -> bool:
        """Whether a template that is not ours may run what it wants to run."""
        ...


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of an update.

    Args:
        project: The project's directory.
        template: Where the template is now; empty: where it was.
        data: Answers that take the place of those given before.
        trust: Whether a template that is not ours may run what it wants to run.
    """

    project: Path
    template: str = ""
    data: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    trust: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """An update that is decided, and not carried out yet.

    Args:
        project: The project's directory.
        template: What the template is called.
        before: The version of it that the project has; empty when it has none, as that of a directory.
        now: The version that it gets; may be empty too.
        changes: What happens to each file.
        state: How what the project keeps of its template changes.
    """

    project: Path
    template: str
    before: str
    now: str
    changes: tuple[Change, ...]
    state: tuple[Change, ...]

    @property
    def conflicts(self) -> tuple[Change, ...]:
        """The files in which the user has to decide."""
        return tuple(change for change in self.changes if change.conflicts)

    @property
    def writes(self) -> int:
        """How many of the user's files become others."""
        return sum(change.writes for change in self.changes)

    @property
    def title(self) -> str:
        """The update in a few words."""
        versions = " to ".join(dict.fromkeys(version for version in (self.before, self.now) if version))
        return f"{self.template} {versions}".rstrip()
