"""Which profile is meant: chosen by this user, or bound to a project's directory. Kept with the user, not the project.

So nobody gets another key because a project says so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from sentient_cli import paths
from sentient_cli.credentials.choices import ChoiceFile
from sentient_cli.credentials.names import check_profile

__all__ = ["Bindings", "Chosen"]

_DEFAULT: Final = "default"


class Chosen(NamedTuple):
    """A profile, and why it is the one.

    Args:
        profile: Its name.
        why: For people.

    Example:
        >>> Chosen("default", "nothing else was chosen").profile
        'default'
    """

    profile: str
    why: str


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

    def chosen(self, project: Path | None = None, *, named: str | None = None, named_by: str = "") -> Chosen:
        """The profile that is meant.

        Args:
            project: The directory that is worked in.
            named: A profile that was named, by a flag, a variable or settings; it goes before all others.
            named_by: By which of them.

        Raises:
            UsageError: no profile can be called so.
            CredentialStoreError: the file cannot be read.
        """
        if named:
            return Chosen(check_profile(named), f"named by {named_by}" if named_by else "named")
        file = self._file.read()
        folder = project.resolve() if project is not None else None
        for each in (folder, *folder.parents) if folder is not None else ():
            if str(each) in file.projects:
                return Chosen(check_profile(file.projects[str(each)]), f"bound to {each}")
        if file.chosen != _DEFAULT:
            return Chosen(check_profile(file.chosen), "chosen with `sentient keys use`")
        return Chosen(_DEFAULT, "nothing else was chosen")
