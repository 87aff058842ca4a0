"""The project's git repository, with everything that is ours in a first commit."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final, NoReturn

from sentient_cli.redact import redactor
from sentient_cli.sanitize import sanitize_line
from sentient_cli.scaffold.place import Placed
from sentient_cli.scaffold.tools import Ended
from sentient_cli.scaffold.work import Workshop

__all__ = ["commit_project", "enclosing_repository"]

# No hooks, signatures or templates of the user's: this commit is ours, and nobody is there to unlock a key. What the
# user leaves out of every repository, such as archives, is in it: `sentient update` needs the one that a project keeps.
_QUIET = (
    "core.excludesFile=/dev/null",
    "core.hooksPath=/dev/null",
    "commit.gpgSign=false",
    "core.safecrlf=false",
    "core.fsmonitor=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "init.defaultBranch=main",
    "user.useConfigOnly=true",
)
_OWN = ("user.name=sentient", "user.email=sentient@localhost")
_KEPT = ("GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_CONFIG_")
_NAMED = "--literal-pathspecs"
_IGNORED = "are ignored by one of your .gitignore files"
_UNREADABLE: Final = re.compile(r"bad (\w+ )?config .*|error processing config file.*")
_AT_ONCE = 100
_MESSAGE = "Create {name} from the template {template}"


def enclosing_repository(folder: Path) -> Path | None:
    """The work tree that a directory is in, itself included; None when it is in none."""
    return next((place for place in (folder, *folder.parents) if (place / ".git").exists()), None)


def commit_project(work: Workshop, placed: Placed, *, template: str) -> str:
    """Make a repository and commit what is ours in it, unless git is missing or the project is in one already.

    Args:
        work: Where the project is made.
        placed: Takes ``.git`` back when the project is taken back.
        template: Stands in the message of the commit.

    Returns:
        Why there is no commit; empty when there is one.

    Raises:
        SetupFailedError: git failed.
    """
    around = enclosing_repository(work.project.resolve())
    if around is not None:
        return f"{around} is one already"
    git = shutil.which("git", path=work.environment.get("PATH"))
    if git is None:
        return "git is not installed"
    placed.adopt(".git")
    for arguments in (("init", "--quiet", "--template="), *_additions(work, placed)):
        ended = work.run(*_command(git, arguments), environment=_environment(work))
        # Of files that are given by name, those that the project's own .gitignore leaves out are no failure.
        if not (ended.ok or (_NAMED in arguments and _IGNORED in ended.output)):
            return _without(work, ended) or _fail(work, "No git repository could be made", ended)
    message = _MESSAGE.format(name=work.project.name, template=template)
    commit = ("commit", "--quiet", "--no-verify", "--message", message)
    ended = work.run(*_command(git, commit), environment=_environment(work))
    if not ended.ok and _lacks_identity(ended.output):
        work.report.note("git does not know your name: the first commit is by `sentient`; set user.name and user.email")
        ended = work.run(*_command(git, commit, *_OWN), environment=_environment(work))
    if not ended.ok:
        return _without(work, ended) or _fail(work, "The first commit could not be made", ended)
    return ""


def _without(work: Workshop, ended: Ended) -> str:
    """Why the project goes without a repository, where git cannot read the user's own settings; else nothing."""
    fault = _UNREADABLE.search(ended.output)
    if fault is None:
        return ""
    shutil.rmtree(work.project / ".git", ignore_errors=True)
    return f"git cannot read its settings: {sanitize_line(redactor.redact(fault[0]))}"


def _fail(work: Workshop, what: str, ended: Ended) -> NoReturn:
    raise work.failure(what, ended, fix="Repair git, or leave it out with `--no-git`")


def _additions(work: Workshop, placed: Placed) -> list[tuple[str, ...]]:
    """What is committed: all that is in a directory of ours, and of another only what is ours."""
    if placed.created:
        return [("add", "--all")]
    names = [path.relative_to(work.project).as_posix() for path in placed.ours]
    return [(_NAMED, "add", "--", *names[start : start + _AT_ONCE]) for start in range(0, len(names), _AT_ONCE)]


def _command(git: str, arguments: tuple[str, ...], *settings: str) -> list[str]:
    return [git, *(part for setting in (*_QUIET, *settings) for part in ("-c", setting)), *arguments]


def _environment(work: Workshop) -> dict[str, str]:
    # GIT_DIR and the like, set where a hook calls us, would lead git to another repository.
    kept = {
        name: value for name, value in work.environment.items() if not name.startswith("GIT_") or name.startswith(_KEPT)
    }
    return {**kept, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}


def _lacks_identity(output: str) -> bool:
    return "tell me who you are" in output or "empty ident" in output or "no email was given" in output
