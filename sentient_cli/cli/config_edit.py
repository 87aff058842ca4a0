"""``sentient config edit``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sentient_cli.cli.config_options import UserOption
from sentient_cli.cli.invocation import current

if TYPE_CHECKING:
    from sentient_cli.cli.invocation import Invocation
    from sentient_cli.config.drafts import Draft
    from sentient_cli.config.writing import Written

__all__ = ["config_edit"]


def config_edit(user: UserOption = False) -> None:
    """Open the project's settings file, or your own, in an editor, and check what comes of it.

    The editor is that of VISUAL or EDITOR, and gets a copy. What is not valid is refused with its place; the copy can
    be opened again, and is kept until what it says is taken.
    """
    from sentient_cli.cli.config_options import changed_fields, told_place, told_version
    from sentient_cli.config.drafts import Draft
    from sentient_cli.config.writing import find_target

    here = current()
    target = find_target(here.project, user=user)
    command = _editor(here)
    with Draft(target) as draft:
        written = _edited(here, draft, command)
    if here.console.json:
        here.console.json_line(changed_fields(target, written))
    elif not written.changed:
        here.console.say("Nothing was changed.")
    else:
        number = told_version(here, written)
        here.console.say(f"{told_place(target)} is changed{number}.")


def _editor(here: Invocation) -> list[str]:
    import shlex
    import shutil

    from sentient_cli.errors import UsageError

    named = here.environment.get("VISUAL") or here.environment.get("EDITOR")
    try:
        command = shlex.split(named) if named else []
    except ValueError as error:
        raise UsageError("VISUAL or EDITOR is no command", why=str(error), fix="Correct its quotes") from None
    if not command and here.console.interactive:
        found = (shutil.which(name) for name in ("sensible-editor", "nano", "vi", "notepad"))
        command = [next((path for path in found if path), "")]
    if not command or not command[0]:
        raise UsageError(
            "There is no editor", fix="Set VISUAL or EDITOR, or use `sentient config set`, which needs none"
        )
    return command


def _edited(here: Invocation, draft: Draft, command: list[str]) -> Written:
    from sentient_cli.errors import ConfigError

    while True:
        _open(draft, command)
        try:
            return draft.take()
        except ConfigError as error:
            if not draft.path.is_file():
                raise
            kept = f"What you wrote is kept in {draft.path}"
            if not here.console.interactive:
                why = f"{error.why}. {kept}" if error.why else kept
                raise ConfigError(error.what, why=why, fix=error.fix, detail=error.detail, where=error.where) from None
            here.console.error(error)
            if not _again(here, kept):
                raise ConfigError("Nothing was changed", why=kept) from None


def _again(here: Invocation, kept: str) -> bool:
    from sentient_cli.errors import UsageError

    try:
        return here.console.ask("Open it again? [Y/n]", flag="EDITOR").strip().lower() not in {"n", "no"}
    except UsageError:  # the input has ended
        here.console.say("")
        return False
    except KeyboardInterrupt:
        here.console.say(f"\n{kept}.")
        raise


def _open(draft: Draft, command: list[str]) -> None:
    import subprocess

    from sentient_cli.errors import ConfigError

    try:
        code = subprocess.run([*command, str(draft.path)], check=False).returncode  # noqa: S603 - what the user named
    except OSError as error:
        raise ConfigError(
            f"The editor {command[0]} cannot be started",
            why=error.strerror or "",
            fix="Set VISUAL or EDITOR to a command that there is",
        ) from None
    if code:
        kept = f"; what you wrote is kept in {draft.path}" if draft.differs else ""
        raise ConfigError(f"The editor ended with code {code}{kept}", fix="Nothing was changed: try again")
