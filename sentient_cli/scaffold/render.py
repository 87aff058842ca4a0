"""A template that is open: its questions and its rendering, the same for ours and for others."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable
from typing import Protocol

from sentient_cli import __version__
from sentient_cli.runtime.events import JsonValue
from sentient_cli.scaffold.config import read_config
from sentient_cli.scaffold.jinja import make_environment
from sentient_cli.scaffold.limits import Limits
from sentient_cli.scaffold.plain import render_plain
from sentient_cli.scaffold.questions import Answers, Question, Questionnaire
from sentient_cli.scaffold.rendering import Rendering
from sentient_cli.scaffold.source import TemplateSource
from sentient_cli.scaffold.tools import Interruption

__all__ = ["PROVIDERS", "OpenTemplate", "open_template", "render"]

PROVIDERS: tuple[str, ...] = ("offline", "openai", "anthropic", "compatible")
"""Who may run a project's language model, as far as this version knows them."""
_OURS = {"sentient_version": __version__}


class OpenTemplate(Protocol):
    """A template that can be asked and rendered."""

    @property
    def names(self) -> tuple[str, ...]:
        """The name of every question, also of those that are never asked."""
        ...

    @property
    def secrets(self) -> frozenset[str]:
        """The questions whose answers are kept nowhere."""
        ...

    @property
    def programs(self) -> tuple[str, ...]:
        """The commands that it would run."""
        ...

    @property
    def extensions(self) -> tuple[str, ...]:
        """The Python modules that it would load."""
        ...

    def next(self, given: Answers) -> Question | None:
        """The first question that is not answered yet and is to be asked; None when there is none.

        Raises:
            UsageError: an answer is not allowed.
        """
        ...

    def complete(self, given: Answers) -> dict[str, JsonValue]:
        """Every answer: those given, the defaults of the others, and what is computed.

        Raises:
            UsageError: an answer is not allowed, or one is missing that has no default.
        """
        ...

    def settle(self, given: Answers) -> dict[str, JsonValue]:
        """The answers that make a project and that it keeps: those given, and the defaults of others that are asked.

        What is computed is left out, so that another version of the template may compute it anew.

        Raises:
            UsageError: an answer is not allowed, or one is missing that has no default.
        """
        ...

    def render(self, given: Answers, name: str) -> Rendering:
        """Render it.

        Args:
            given: The answers that it does not compute by itself.
            name: What the directory of the project is called.

        Raises:
            TemplateRenderError: it cannot be rendered.
            TemplateUnsafeError: it renders what it may not.
        """
        ...


class _Ours:
    """A template that comes with this package."""

    programs: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()

    def __init__(self, source: TemplateSource, defaults: Answers) -> None:
        self._root = source.root
        self._config = read_config(source.root)
        self._environment = make_environment(source.root, self._config, ours=True)
        self._questions = Questionnaire(
            self._config, self._environment, defaults=defaults, allowed={"provider": PROVIDERS}
        )
        self.names = self._questions.names
        self.secrets = self._questions.secrets

    def next(self, given: Answers) -> Question | None:
        return self._questions.next(self._with_ours(given))

    def complete(self, given: Answers) -> dict[str, JsonValue]:
        return self._questions.complete(self._with_ours(given))

    def settle(self, given: Answers) -> dict[str, JsonValue]:
        ours = set(_OURS) - set(given)
        return {
            name: value for name, value in self._questions.settle(self._with_ours(given)).items() if name not in ours
        }

    def render(self, given: Answers, name: str) -> Rendering:
        del name
        return render_plain(self._root, self._config, self._environment, self.complete(given))

    def _with_ours(self, given: Answers) -> Answers:
        return {**{name: value for name, value in _OURS.items() if name in self.names}, **given}


@contextlib.contextmanager
def open_template(
    source: TemplateSource,
    *,
    name: str = "",
    defaults: Answers | None = None,
    limits: Limits | None = None,
    trust: bool = False,
    interruption: Interruption | None = None,
) -> Generator[OpenTemplate]:
    """Open a template for as long as the block lasts: ours in this process, others in one of their own.

    Args:
        source: Where its files are.
        name: What the directory of the project is called.
        defaults: What takes the place of the template's own defaults.
        limits: How much one that is not ours may take.
        trust: Whether one that is not ours may run its tasks and load its extensions.
        interruption: Ends it early.

    Raises:
        TemplateError: it cannot be read.

    Example:
        >>> from sentient_cli.scaffold.source import open_source
        >>> with open_source("basic") as source, open_template(source) as template:
        ...     "name" in template.names
        True
    """
    if source.trusted:
        yield _Ours(source, defaults or {})
        return
    from sentient_cli.scaffold.sandbox import open_sandbox

    context: dict[str, JsonValue] = {"_folder_name": name, "_copier_phase": "prompt"}
    with open_sandbox(
        source.root,
        context=context,
        defaults=defaults or {},
        limits=limits or Limits(),
        trust=trust,
        interruption=interruption,
    ) as sandbox:
        yield sandbox


def render(
    source: TemplateSource,
    answers: Answers,
    *,
    name: str = "project",
    limits: Limits | None = None,
    trust: bool = False,
    known: Iterable[str] | None = None,
) -> Rendering:
    """Render a template with answers that are kept, such as those of an older version of it.

    Answers to questions that the template no longer has are left out; questions without an answer take their defaults.

    Args:
        source: Where its files are.
        answers: The answers.
        name: What the directory of the project is called.
        limits: How much one that is not ours may take.
        trust: Whether one that is not ours may run its tasks and load its extensions.
        known: Which answers to use; all that the template asks for unless given.

    Raises:
        TemplateError: it cannot be read or rendered.
        UsageError: an answer is no longer allowed, or one is missing that has no default.
    """
    with open_template(source, name=name, limits=limits, trust=trust) as template:
        wanted = set(template.names if known is None else known)
        given = {question: value for question, value in answers.items() if question in wanted}
        return template.render(given, name)
