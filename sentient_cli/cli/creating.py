"""What ``sentient create`` does with its options: asks what is missing, makes the project, says what is next."""

from __future__ import annotations

import difflib
import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sentient_cli.cli.progress import make_reporter, show_created, show_preview
from sentient_cli.cli.wizard import Wizard
from sentient_cli.errors import TemplateUnsafeError, UsageError
from sentient_cli.redact import redactor
from sentient_cli.scaffold import answers as remembered
from sentient_cli.scaffold.builtin import BUILTIN
from sentient_cli.scaffold.create import Plan, create, preview
from sentient_cli.scaffold.limits import Limits
from sentient_cli.scaffold.names import package_name, require_free_names
from sentient_cli.scaffold.place import require_place
from sentient_cli.scaffold.render import OpenTemplate, open_template
from sentient_cli.scaffold.source import TemplateSource, open_source
from sentient_cli.scaffold.tools import Interruption
from sentient_cli.scaffold.trust import TemplateFacts, require_trust

if TYPE_CHECKING:
    from sentient_cli.cli.invocation import Invocation
    from sentient_cli.runtime.events import JsonValue

__all__ = ["Wishes", "run_create"]

_SECONDS = 600.0
_NAMES = ("name", "project_name")
"""Questions of any template whose answer is the project's name unless another is given."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """The options of ``sentient create``, as `sentient_cli.cli.create` describes them."""

    directory: str | None
    template: str | None = None
    data: Sequence[str] = ()
    yes: bool = False
    defaults: bool = False
    dry_run: bool = False
    git: bool = True
    install: bool = True
    force: bool = False
    trust: bool = False
    timeout: float | None = None

    @property
    def limits(self) -> Limits:
        """How much a template that is not ours may take."""
        return Limits() if self.timeout is None else Limits(seconds=self.timeout)


def run_create(here: Invocation, wishes: Wishes) -> None:
    """Make a project.

    Raises:
        SentientError: it cannot be made; nothing of it is left.
        KeyboardInterrupt: the user wants no more; nothing of it is left.
    """
    wizard = Wizard(here.console, asks=here.console.interactive and not wishes.yes)
    with Interruption().listening() as stop:
        target = _target(here, wishes, wizard)
        require_place(target, force=wishes.force)
        spec = _template(wishes, wizard) if wishes.template is None else wishes.template
        here.console.detail(f"Project: {target}")
        with open_source(spec, limits=wishes.limits) as source, _opened(source, target, wishes, wizard, stop) as plan:
            _tell_plan(here, plan)
            if wishes.dry_run:
                show_preview(here.console, target, preview(plan))
                return
            with make_reporter(here.console) as report:
                created = create(plan, report, stop)
            show_created(here.console, created, source)


def _tell_plan(here: Invocation, plan: Plan) -> None:
    """Say, if ``-v`` asks for it, which template this is, and what it was answered."""
    source = plan.source
    version = " ".join(part for part in (source.version, source.ref) if part)
    here.console.detail(f"Template: {source.id} {version}".rstrip() + f", read from {source.root}")
    for name, answer in plan.kept_answers.items():
        here.console.detail(f"{name} = {answer}")


def _target(here: Invocation, wishes: Wishes, wizard: Wizard) -> Path:
    """The directory of the project, which may be named by its last part."""
    base = here.project or Path()
    if wishes.directory is not None:
        if not wishes.directory.strip():
            raise UsageError("A project cannot be called ''", fix="Give it a name: `sentient create my-agent`")
        return _resolved((base / wishes.directory).expanduser().absolute())
    if not wizard.asks:
        raise UsageError("The project has no name", fix="Give it one: `sentient create my-agent`")
    name = wizard.text("What is the project called?", default="my-agent", flag="NAME", check=package_name)
    return _resolved((base / name).absolute())


def _resolved(path: Path) -> Path:
    """The directory itself, where a link leads to one; a link that leads nowhere is no place, and stays one."""
    real = Path(os.path.realpath(path))
    return real if os.path.lexists(real) or not os.path.lexists(path) else path


def _template(wishes: Wishes, wizard: Wizard) -> str:
    if not wizard.asks or wishes.defaults:
        return BUILTIN[0].name
    names = [template.name for template in BUILTIN]
    last = remembered.recall().get("template")
    width = max(map(len, names))
    labels = [f"{template.name:{width}}  {template.summary}" for template in BUILTIN]
    default = names.index(last) if isinstance(last, str) and last in names else 0
    return names[wizard.choice("Which template?", labels, default=default, flag="--template", values=names)]


@contextmanager
def _opened(
    source: TemplateSource, target: Path, wishes: Wishes, wizard: Wizard, stop: Interruption
) -> Generator[Plan]:
    trust = wishes.trust or _confirmed(source, wishes, wizard)
    asks = wizard.asks and not wishes.defaults
    defaults: dict[str, JsonValue] = dict(remembered.recall()) if asks and source.trusted else {}
    if not source.trusted:
        defaults |= dict.fromkeys(_NAMES, target.name)
    with open_template(
        source, name=target.name, defaults=defaults, limits=wishes.limits, trust=trust, interruption=stop
    ) as template:
        given = _given(wishes, template)
        if source.trusted:
            given = {"name": target.name, **given}
            require_free_names(given)
        answers = _answers(given, template, wizard, asks=asks)
        plan = Plan(
            target,
            source,
            template,
            answers,
            install=wishes.install,
            git=wishes.git,
            force=wishes.force,
            seconds=wishes.timeout or _SECONDS,
        )
        yield plan if source.trusted or trust or wishes.dry_run else _careful(plan, wizard)


def _confirmed(source: TemplateSource, wishes: Wishes, wizard: Wizard) -> bool:
    """Whether the user allows what a template that is not ours wants to run."""
    if source.trusted:
        return False
    with open_template(source, limits=wishes.limits) as template:
        facts = TemplateFacts(template.names, template.programs, template.extensions, 0, 0)
    if not facts.wants:
        return False
    if not wizard.asks:
        require_trust(source, facts)
    wizard.show(f"The template {source.id} wants, on this machine and as you:", facts.wants)
    if not wizard.confirm("Allow it?", flag="--trust"):
        raise TemplateUnsafeError("The template was not allowed to run its programs", fix="Use another template")
    return True


def _careful(plan: Plan, wizard: Wizard) -> Plan:
    """Installing a project runs its code: that of a template that is not ours only when it is allowed."""
    if not plan.install:
        return plan
    if wizard.asks and wizard.confirm("Install its packages and run its tests? That runs its code.", flag="--trust"):
        return plan
    wizard.say("Nothing is installed: that would run the code of a template that is not ours. Allow it with --trust.")
    return replace(plan, install=False)


def _given(wishes: Wishes, template: OpenTemplate) -> dict[str, JsonValue]:
    given: dict[str, JsonValue] = {}
    for pair in wishes.data:
        name, separator, value = pair.partition("=")
        name = name.strip()
        if not separator or not name:
            raise UsageError(f"--data {pair!r} is no answer", fix="Write it as `--data name=value`")
        if name not in template.names:
            near = difflib.get_close_matches(name, template.names, n=1)
            raise UsageError(
                f"The template has no question {name!r}",
                why=f"Did you mean `{near[0]}`?" if near else "",
                fix=f"It asks for {', '.join(template.names) or 'nothing'}",
            )
        given[name] = value
        if name in template.secrets:
            redactor.register(value)
    return given


def _answers(
    given: dict[str, JsonValue], template: OpenTemplate, wizard: Wizard, *, asks: bool
) -> dict[str, JsonValue]:
    answers = dict(given)
    while asks and (question := template.next(answers)) is not None:
        answers[question.name] = wizard.question(question, partial(_try, template, answers, question.name))
    return template.settle(answers)


def _try(template: OpenTemplate, answers: dict[str, JsonValue], name: str, raw: JsonValue) -> None:
    """See whether the template allows an answer; later questions may still lack theirs."""
    template.next({**answers, name: raw})
