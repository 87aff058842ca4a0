"""Which profile is meant: chosen by this user, or bound to a project's directory. Kept with the user, not the project.

So nobody gets another key because a project says so: what it names counts once its user has agreed.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import msgspec

from sentient_cli import paths
from sentient_cli.credentials.choices import ChoiceFile
from sentient_cli.credentials.names import check_profile
from sentient_cli.errors import CredentialStoreError
from sentient_cli.sanitize import sanitize_line

__all__ = ["Bindings", "Chosen", "Named", "Refusal"]

_DEFAULT: Final = "default"


Refusal: TypeAlias = Callable[[], CredentialStoreError | None]
"""Why stored keys of a profile are left alone; None: they are not, or no longer."""


class Named(NamedTuple):
    """A profile that somebody names.

    Args:
        profile: Its name.
        by: By what, for people, such as a flag or the place in a file.

    Example:
        >>> Named("staging", "--profile").by
        '--profile'
    """

    profile: str
    by: str


class Chosen(NamedTuple):
    """A profile, and why it is the one.

    Args:
        profile: Its name.
        why: For people.
        refusal: Where only a project names it: makes the error of stored keys in it, and nothing once its user has
            agreed. None: its user means it.

    Example:
        >>> Chosen("default", "nothing else was chosen").profile
        'default'
    """

    profile: str
    why: str
    refusal: Refusal | None = None


class _File(msgspec.Struct, frozen=True, tag_field="format", tag="sentient.profiles"):
    chosen: str = _DEFAULT
    projects: dict[str, str] = {}


class Bindings:
    """The profiles that were chosen, for all projects and for single ones.

    Args:
        path: The file; that of this user unless given.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     bindings = Bindings(Path(folder, "profiles.json"))
        ...     bindings.use("staging")
        ...     bindings.use("production", project=Path(folder, "shop"))
        ...     bindings.chosen(Path(folder)).profile, bindings.chosen(Path(folder, "shop", "src")).profile
        ('staging', 'production')
    """

    def __init__(self, path: Path | None = None) -> None:
        self._file = ChoiceFile(
            path or paths.data_dir() / "profiles.json",
            _File,
            "The choice of profiles",
            "Remove the file, and choose anew with `sentient keys use`; no key is in it",
        )

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    def use(self, profile: str, *, project: Path | None = None) -> None:
        """Have a profile be meant from now on.

        Args:
            profile: Its name.
            project: In this directory and below it; everywhere else unless given.

        Raises:
            UsageError: no profile can be called so.
            CredentialStoreError: the file cannot be written.
        """
        check_profile(profile)
        if project is None:
            self._file.change(lambda file: msgspec.structs.replace(file, chosen=profile))
            return
        folder = str(project.resolve())
        self._file.change(lambda file: msgspec.structs.replace(file, projects={**file.projects, folder: profile}))

    def forget(self, project: Path) -> None:
        """Bind a directory to no profile any more.

        Raises:
            CredentialStoreError: the file cannot be written.
        """
        folder = str(project.resolve())
        self._file.change(
            lambda file: msgspec.structs.replace(
                file, projects={each: profile for each, profile in file.projects.items() if each != folder}
            )
        )

    def chosen(
        self,
        project: Path | None = None,
        *,
        named: Named | None = None,
        own: Named | None = None,
        proposed: Named | None = None,
    ) -> Chosen:
        """The profile that is meant.

        Args:
            project: The directory that is worked in.
            named: The one that a flag or a variable of the shell names; it goes before all others.
            own: The one that this user's own settings name; it goes before what was chosen for all projects.
            proposed: The one that the project names. It is agreed to once it is also the user's choice, and counts for
                nothing where the directory is bound to another one.

        Raises:
            UsageError: no profile can be called so.
            CredentialStoreError: the file cannot be read.
        """
        if named is not None:
            return Chosen(check_profile(named.profile), f"named by {named.by}")
        file = self._file.read()
        folder = project.resolve() if project is not None else None
        for each in (folder, *folder.parents) if folder is not None else ():
            if str(each) in file.projects:
                return Chosen(check_profile(file.projects[str(each)]), f"bound to {each}")
        users = _users_choice(file, own)
        if proposed is None or proposed.profile == users.profile:
            return users
        profile = check_profile(proposed.profile)

        def refused() -> CredentialStoreError | None:
            now = self.chosen(project, own=own, proposed=proposed)
            is_meant = now.refusal is None and now.profile == profile
            return None if is_meant else _not_agreed(profile, proposed.by, folder)

        return Chosen(profile, f"named by {proposed.by}", refused)


def _users_choice(file: _File, own: Named | None) -> Chosen:
    if own is not None:
        return Chosen(check_profile(own.profile), f"named by {own.by}")
    if file.chosen != _DEFAULT:
        return Chosen(check_profile(file.chosen), "chosen with `sentient keys use`")
    return Chosen(_DEFAULT, "nothing else was chosen")


def _not_agreed(profile: str, by: str, folder: Path | None) -> CredentialStoreError:
    there = shlex.quote(sanitize_line(str(folder or "DIR")))
    return CredentialStoreError(
        f"Nobody has agreed to the keys of the profile {profile}",
        why=f"Only the project names it ({sanitize_line(by)}), and a project may say anything",
        fix=f"If you mean them, run `sentient keys use {profile} --project {there}`; or name another profile so. For"
        " one call --profile, or SENTIENT_PROFILE in the shell, says which one you mean",
    )
