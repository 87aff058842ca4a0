"""Brings the changes of a template into a project that was made from it, and leaves what the user changed."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from sentient_cli.errors import ProjectError, TemplateNotFoundError, UsageError
from sentient_cli.runtime.events import JsonValue
from sentient_cli.scaffold import undo
from sentient_cli.scaffold.changes import Change, Held, Obstacle, decide, look, writes
from sentient_cli.scaffold.lock import locked
from sentient_cli.scaffold.merge import marked
from sentient_cli.scaffold.names import require_free_names
from sentient_cli.scaffold.planned import Prepared, User, Wish
from sentient_cli.scaffold.pristine import STATE, Pristine, load, state_files
from sentient_cli.scaffold.tools import Interruption

if TYPE_CHECKING:
    from sentient_cli.scaffold.render import OpenTemplate
    from sentient_cli.scaffold.source import TemplateSource

__all__ = ["carry_out", "changing", "find_project", "open_conflicts", "prepare", "require_whole"]

_COMMIT_SHOWN = 12


def find_project(start: Path) -> Path:
    """The project that a directory belongs to: the nearest one upward that keeps something of a template.

    Raises:
        UsageError: ``start`` is no directory.
    """
    if not start.is_dir():
        raise UsageError(f"There is no directory {start}", fix="Check the path given with --project")
    start = start.absolute()
    return next((folder for folder in (start, *start.parents) if (folder / STATE).is_file()), start)


@contextmanager
def changing(project: Path, what: str) -> Generator[undo.Restored | None]:
    """Be the only one who changes the project, and first put back what an interrupted one left half done.

    Args:
        project: The project.
        what: What is going to be done, for those who come second.

    Yields:
        What was put back, if anything was.

    Raises:
        ProjectError: somebody else is changing it, or it keeps nothing of a template.
    """
    if not (project / STATE).parent.is_dir():
        load(project)  # says what is missing
    with _explained(), locked(undo.folder_of(project) / "lock", what):
        yield undo.heal(project)


@contextmanager
def _explained() -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise ProjectError(
            f"{error.filename or 'A file of the project'} cannot be read or written",
            why=error.strerror or str(error),
            fix="Mend that and run it again; what was half done is put back first",
        ) from error


def prepare(wish: Wish, *, user: User | None = None, interruption: Interruption | None = None) -> Prepared:
    """Render the template as it is now, and decide what that means for each file. Nothing is written.

    Args:
        wish: What is wanted.
        user: Is asked what the template did not ask before; without one such a question takes its default.
        interruption: Ends it early.

    Raises:
        ProjectError: the project keeps nothing of a template.
        TemplateError: the template cannot be read or rendered.
        TemplateUnsafeError: it wants to run something, and nobody allowed that.
        UsageError: an answer is missing or not allowed.
    """
    from sentient_cli.scaffold.render import open_template
    from sentient_cli.scaffold.source import open_source

    kept = load(wish.project)
    with _explained(), _found(wish, kept), open_source(wish.template or _where(kept)) as source:
        if source.trusted:
            require_free_names(wish.data)
        trust = wish.trust or _allowed(source, user)
        name = wish.project.resolve().name
        with open_template(source, name=name, trust=trust, interruption=interruption) as template:
            answers = template.settle(_asked(template, _given(template, kept, wish.data), user))
            rendering = template.render(answers, name)
        known = {question: answer for question, answer in answers.items() if question not in template.secrets}
        state: list[Change] = []
        if (rendering.files, known, source.id) != (kept.rendering.files, kept.answers, kept.template):
            files = state_files(source, known, rendering)
            state = _state(wish.project, {path: file.content for path, file in files.items()})
        changes = decide(kept.rendering, rendering, wish.project)
        return Prepared(
            wish.project,
            source.id,
            _version(kept.version, kept.ref),
            _version(source.version, source.ref),
            tuple(changes),
            tuple(state),
        )


def _version(version: str, ref: str) -> str:
    return version or ref[:_COMMIT_SHOWN]


def _where(kept: Pristine) -> str:
    # Whoever named a branch or tag meant it; of a commit that was merely the newest, the newest is wanted again.
    pinned = kept.ref and kept.version and kept.version != kept.ref[:_COMMIT_SHOWN]
    return f"{kept.template}@{kept.version}" if pinned else kept.template


@contextmanager
def _found(wish: Wish, kept: Pristine) -> Generator[None]:
    try:
        yield
    except TemplateNotFoundError as error:
        if wish.template:
            raise
        raise TemplateNotFoundError(
            f"The template of this project, {kept.template}, is not there any more",
            why=error.what,
            fix="Say where it is now: `sentient update --template ...`",
        ) from error


def _allowed(source: TemplateSource, user: User | None) -> bool:
    from sentient_cli.scaffold.trust import examine, require_trust

    facts = examine(source)
    if not facts.wants:
        return False
    if user is None or not user.allows(source, facts):
        require_trust(source, facts)
    return True


def _given(template: OpenTemplate, kept: Pristine, data: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    from sentient_cli.config.keys import nearest

    for name in data:
        if name not in template.names:
            near = nearest(name, list(template.names))
            raise UsageError(
                f"The template asks for no {name!r}",
                why=f"It asks for {', '.join(template.names)}",
                fix=f"Did you mean {near}?" if near else "Check the name after --data",
            )
    answers = {name: answer for name, answer in kept.answers.items() if name in template.names}
    return {**answers, **data}


def _asked(template: OpenTemplate, given: dict[str, JsonValue], user: User | None) -> dict[str, JsonValue]:
    while user is not None and (question := template.next(given)) is not None:
        given = {**given, question.name: user.question(question, partial(_try, template, given, question.name))}
    return given


def _try(template: OpenTemplate, given: Mapping[str, JsonValue], name: str, answer: JsonValue) -> None:
    template.next({**given, name: answer})


def _state(project: Path, files: Mapping[PurePosixPath, bytes]) -> list[Change]:
    found: list[Change] = []
    for path, content in files.items():
        held = look(project, path)
        if isinstance(held, Obstacle):
            raise ProjectError(f"{held.what}, and should be a file of this project", fix="Restore it from git")
        after = held.changed(content, executable=False) if held is not None else Held(content)
        if after != held:
            found.append(Change(path, "updated", held, after))
    return found


def carry_out(prepared: Prepared, *, interruption: Interruption | None = None) -> None:
    """Change the files, all of them or none. Where nothing changes, nothing is written.

    Args:
        prepared: What was decided.
        interruption: Takes everything back.

    Raises:
        ProjectError: a file cannot be written, or was changed meanwhile.
    """
    changed = writes((*prepared.changes, *prepared.state))
    if not changed:
        return
    with _explained():
        undo.carry_out(
            prepared.project,
            changed,
            title=prepared.title,
            conflicts=[change.path for change in prepared.conflicts],
            check=interruption.check if interruption else None,
        )


def open_conflicts(project: Path) -> tuple[PurePosixPath, ...]:
    """The files of the last update in which the marks are still there, or beside which the template's is."""
    return tuple(
        path
        for path, beside in undo.last_conflicts(project).items()
        if isinstance(found := look(project, path), Held)
        and (marked(found.content) or any(look(project, each) is not None for each in beside))
    )


def require_whole(project: Path) -> None:
    """Refuse a project that an interrupted update left half done; for those who may not put it right.

    Raises:
        ProjectError: it is half done.
    """
    if undo.is_pending(project):
        raise ProjectError(
            "An update of this project was interrupted",
            fix="Run `sentient update`, which first puts everything back, or only that: `sentient update --undo`",
        )
