"""Making a project: step by step, and all of it taken back when a step fails or the user wants no more."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

from sentient_cli.config.environ import process_environment
from sentient_cli.errors import ProjectError, ProjectExistsError, SentientError
from sentient_cli.paths import state_dir
from sentient_cli.redact import redactor
from sentient_cli.runtime.events import JsonValue
from sentient_cli.scaffold import answers as remembered
from sentient_cli.scaffold.environment import Environment, prepare
from sentient_cli.scaffold.place import Placed, place, require_place
from sentient_cli.scaffold.pristine import state_files
from sentient_cli.scaffold.questions import Answers
from sentient_cli.scaffold.render import OpenTemplate
from sentient_cli.scaffold.rendering import Rendering
from sentient_cli.scaffold.repository import commit_project
from sentient_cli.scaffold.source import TemplateSource
from sentient_cli.scaffold.tools import Interruption
from sentient_cli.scaffold.verify import verify
from sentient_cli.scaffold.work import Reporter, Workshop

__all__ = ["STEPS", "Created", "Plan", "Step", "create", "preview"]

_LOGS_KEPT = 10
_LOG_KEPT = 4 << 20


@dataclass(frozen=True, slots=True)
class Plan:
    """A project to be made.

    Args:
        target: Its directory, absolute.
        source: Its template.
        template: The same, open.
        answers: Those that were given; the template computes the others.
        install: Whether its packages are installed and its tests run.
        git: Whether it becomes a repository.
        force: Whether the directory may hold other files, and files of the same name be replaced.
        seconds: How long one program may run.
    """

    target: Path
    source: TemplateSource
    template: OpenTemplate
    answers: Answers
    install: bool = True
    git: bool = True
    force: bool = False
    seconds: float = 600.0

    @property
    def kept_answers(self) -> dict[str, JsonValue]:
        """The answers that the project keeps: no secrets."""
        return {name: value for name, value in self.answers.items() if name not in self.template.secrets}


@dataclass(slots=True)
class Created:
    """A project that was made.

    Args:
        target: Its directory.
        files: How many files were written.
        environment: What its packages were installed into; None when they were not.
        verified: What proved that it works: its tests, or a question to its agent.
        committed: Whether it has a first commit.
        seconds: How long it took.
    """

    target: Path
    files: int = 0
    environment: Environment | None = None
    verified: Literal["tests", "agent"] | None = None
    committed: bool = False
    seconds: float = 0.0


@dataclass(slots=True)
class _Making:
    plan: Plan
    work: Workshop
    created: Created
    rendering: Rendering = field(default_factory=lambda: Rendering({}))
    placed: Placed | None = None

    def in_place(self) -> Placed:
        if self.placed is None:
            raise ProjectError("The project is not in its place")
        return self.placed


def _count(files: int) -> str:
    return "1 file" if files == 1 else f"{files} files"


def _render(making: _Making) -> str:
    plan = making.plan
    making.rendering = plan.template.render(plan.answers, plan.target.name)
    return f"Rendered {_count(len(making.rendering.files))}"


def _place(making: _Making) -> str:
    plan = making.plan
    files = {**making.rendering.files, **state_files(plan.source, plan.kept_answers, making.rendering)}
    making.placed = place(files, plan.target, force=plan.force)
    making.created.files = len(making.rendering.files)
    return f"Wrote {plan.target}"


def _install(making: _Making) -> str:
    making.created.environment = prepare(making.work, making.in_place())
    environment = making.created.environment
    if environment is None:
        return "Installed nothing: the project has no [project] in a pyproject.toml"
    if environment.linked:
        return "No network: linked to the packages of `sentient` itself; install its own later"
    return "Installed its packages into .venv"


def _verify(making: _Making) -> str:
    environment = making.created.environment
    if environment is None:
        raise ProjectError("There is nothing to verify with")
    making.created.verified = verify(making.work, environment)
    if making.created.verified == "tests":
        return "Its tests pass"
    has_tests = (making.plan.target / "tests").is_dir()
    return "Its agent answers" + ("; its tests did not run, since pytest is not installed" if has_tests else "")


def _commit(making: _Making) -> str:
    template = making.plan.source.id
    why_not = commit_project(making.work, making.in_place(), template=template)
    making.created.committed = not why_not
    return f"Made no git repository: {why_not}" if why_not else "Made a git repository with a first commit"


def _always(_making: _Making) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Args:
        name: A stable word.
        title: What it does, for a reader.
        run: Does it, and says what was done.
        wanted: Whether it is to be done.
    """

    name: str
    title: str
    run: Callable[[_Making], str]
    wanted: Callable[[_Making], bool] = _always


STEPS: tuple[Step, ...] = (
    Step("render", "Rendering the template", _render),
    Step("write", "Writing the project", _place),
    Step("install", "Installing its packages", _install, lambda making: making.plan.install),
    Step("verify", "Running its tests", _verify, lambda making: making.created.environment is not None),
    Step("commit", "Making a git repository", _commit, lambda making: making.plan.git),
)
"""Every step, in order."""


def preview(plan: Plan) -> Rendering:
    """What would be made; nothing is written.

    Raises:
        TemplateError: it cannot be rendered.
        ProjectExistsError: there is no room for it.
    """
    _require_room(plan)
    return plan.template.render(plan.answers, plan.target.name)


def create(plan: Plan, report: Reporter, stop: Interruption | None = None) -> Created:
    """Make a project.

    Args:
        plan: What is to be made.
        report: Is told how it goes on.
        stop: Ends it early.

    Raises:
        ProjectExistsError: there is something in its place.
        TemplateError: the template cannot be rendered.
        SetupFailedError: it cannot be installed, or its tests fail.
        KeyboardInterrupt: the user wants no more.

        Whatever is raised, nothing of the project is left, and what was there before is there again.
    """
    start = time.monotonic()
    stop = stop or Interruption()
    _require_room(plan)
    with _log(plan.target.name) as (log, file), stop.deferred():
        work = Workshop(plan.target, log, file, report, stop, process_environment(), plan.seconds)
        making = _Making(plan, work, Created(plan.target))
        try:
            _walk(making)
        except BaseException:
            with stop.shielded():
                _take_back(making)
            raise
        with stop.shielded():
            making.in_place().settle()
    remembered.remember({**plan.kept_answers, "template": plan.source.id})
    making.created.seconds = time.monotonic() - start
    return making.created


def _require_room(plan: Plan) -> None:
    require_place(plan.target, force=plan.force)
    if plan.install and os.path.lexists(plan.target / ".venv"):
        raise ProjectExistsError(
            f"{plan.target / '.venv'} is there already",
            why="The packages of the project would be installed into it",
            fix="Move it away, or install nothing with `--no-install`",
        )


def _walk(making: _Making) -> None:
    for step in STEPS:
        if step.wanted(making):
            making.work.stop.check()
            making.work.report.step(step.name, step.title)
            making.work.report.done(step.run(making))
    making.work.stop.check()


def _take_back(making: _Making) -> None:
    if making.placed is None:
        return
    try:
        making.placed.undo()
    except OSError as error:
        making.work.report.note(f"Not everything could be taken back: {error}")
    else:
        kept = "as it was" if os.path.lexists(making.plan.target) else "gone"
        making.work.report.note(f"Taken back: {making.plan.target} is {kept}")


@contextlib.contextmanager
def _log(name: str) -> Generator[tuple[IO[bytes], Path]]:
    """A file for what the programs say. It stays when something fails, and is private to the user."""
    folder = state_dir() / "create"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = folder / f"{int(time.time())}-{name}.log"  # short: its path is shown in a panel
        descriptor = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError:  # nowhere to keep anything; the project may still be made
        descriptor, temporary = tempfile.mkstemp(prefix=f"sentient-{name}-", suffix=".log")
        file = Path(temporary)
    with os.fdopen(descriptor, "r+b", buffering=0) as log:
        try:
            yield log, file
        except SentientError:
            _mask(log)
            _prune(folder)  # not where the file is: that may be the directory for everybody's temporary files
            raise
        except BaseException:
            file.unlink(missing_ok=True)
            raise
    file.unlink(missing_ok=True)


def _mask(log: IO[bytes]) -> None:
    """What stays has no secrets: installers repeat the addresses that they were given, passwords included."""
    with contextlib.suppress(OSError):
        size = log.seek(0, os.SEEK_END)
        log.seek(max(0, size - _LOG_KEPT))
        said = redactor.redact(log.read())
        log.seek(0)
        log.truncate(0)
        log.write(said)


def _prune(folder: Path) -> None:
    with contextlib.suppress(OSError):
        for old in sorted(folder.glob("*.log"))[:-_LOGS_KEPT]:
            old.unlink(missing_ok=True)
