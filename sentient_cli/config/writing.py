"""Settings files are changed: tried as a whole first, written atomically, and recorded as a version."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from sentient_cli import paths
from sentient_cli.config.auditing import require_checkpoint, tell_change
from sentient_cli.config.check import check
from sentient_cli.config.differences import is_entry, leaves
from sentient_cli.config.disk import locked, replace
from sentient_cli.config.drafted import in_file
from sentient_cli.config.files import read_settings_file
from sentient_cli.config.loading import load
from sentient_cli.config.places import MAXIMUM_SIZE, PROJECT_FILE, PYPROJECT, find_project_file, read_bytes, read_text
from sentient_cli.config.toml_edit import has_key, set_key, unset_key
from sentient_cli.config.versions import Means, Version, Versions
from sentient_cli.errors import ConfigError, ConfigurationNotFoundError, SentientError, UsageError

if TYPE_CHECKING:
    from sentient_cli.config.files import SettingsFile
    from sentient_cli.config.loading import Loaded

__all__ = [
    "Target",
    "Written",
    "find_target",
    "key_path",
    "note_by_hand",
    "note_versions",
    "rewrite",
    "settings_in",
    "text_of",
    "try_text",
    "write",
]

FileLayer: TypeAlias = Literal["user", "project"]

_BOM: Final = "\ufeff"
_PROJECT_RIGHTS: Final = 0o644
_PRIVATE: Final = 0o600


class Target(msgspec.Struct, frozen=True):
    """Where settings are written to.

    Args:
        file: The settings file; it need not exist.
        layer: Whose it is.
        profile: The profile in it; None: outside of profiles.

    Example:
        >>> Target(Path("pyproject.toml"), "project", "production").prefix
        ('tool', 'sentient', 'profile', 'production')
    """

    file: Path
    layer: FileLayer = "project"
    profile: str | None = None

    @property
    def root(self) -> tuple[str, ...]:
        """Where in the file all settings stand."""
        return ("tool", "sentient") if self.file.name == PYPROJECT else ()

    @property
    def prefix(self) -> tuple[str, ...]:
        """Where in the file these settings stand."""
        return (*self.root, *(("profile", self.profile) if self.profile is not None else ()))


class Written(msgspec.Struct, frozen=True):
    """What came of a change.

    Args:
        file: The settings file.
        version: Its new version; None where the settings are what they were.
        changed: Whether another text was written.
        unrecorded: Why the change is not a version yet, such as a full disk; the next look at the versions records it.
    """

    file: Path
    version: Version | None
    changed: bool
    unrecorded: str = ""


def find_target(project: Path | None, *, user: bool = False, profile: str | None = None) -> Target:
    """Where settings are to be written.

    Args:
        project: The directory that was named; None: the project is looked for from the current directory upward.
        user: Whether they are the user's own.
        profile: The profile that they belong to.

    Raises:
        ConfigurationNotFoundError: there is no project, and none was named.
        UsageError: ``project`` is no directory.
    """
    if user:
        return Target(paths.user_config_file(), "user", profile)
    start = (project or Path()).absolute()
    if not start.is_dir():
        raise UsageError(f"There is no directory {project}", fix="Check the path given with --project")
    file = find_project_file(start)
    if file is None and project is None:
        raise ConfigurationNotFoundError(
            "There is no project here",
            why=f"No settings file was found in {start} and above it",
            fix="Add --user to set it for yourself, or --project . to begin a sentient.toml here",
        )
    return Target(file or start / PROJECT_FILE, "project", profile)


def key_path(key: str) -> tuple[str, ...]:
    """The parts of a dotted name; one with other characters than letters, digits, ``-`` and ``_`` is in quotes.

    Raises:
        UsageError: it is no such name.

    Example:
        >>> key_path('llm.providers.work.headers."X-Team: A"')
        ('llm', 'providers', 'work', 'headers', 'X-Team: A')
    """
    try:
        found = list(leaves(tomllib.loads(f"{key} = 0")))
    except (ValueError, RecursionError):
        found = []
    if len(found) != 1 or found[0][1] != 0 or "\n" in key:
        raise UsageError(f"`{key:.200}` is no name of a setting", fix="Give one such as `server.port`")
    return found[0][0]


def write(target: Target, changes: Mapping[str, object], *, means: Means, note: str = "") -> Written:
    """Change settings in a file.

    Args:
        target: Where.
        changes: New values by dotted name; None takes a setting away.
        means: How the change comes about.
        note: What more there is to say of it.

    Raises:
        AuditError: the change cannot be told to the audit log; nothing was changed.
        ConfigError: what would come of it is not valid, or the file cannot be read or written; nothing was changed.
        UsageError: a key is no dotted name.
    """
    edits = {(*target.prefix, *key_path(key)): value for key, value in changes.items()}

    def edited(text: str) -> str:
        read_settings_file(target.file, text.replace("\r\n", "\n"))  # which tells the place of what is no TOML
        for path, value in edits.items():
            if path == (*target.root, "profile") and value is not None:
                _require_no_profiles(target, text)
            text = _without(text, path, len(target.root)) if value is None else set_key(text, path, value)
        return text

    return rewrite(target, edited, means=means, note=note)


def _without(text: str, path: tuple[str, ...], root: int) -> str:
    """Without a key. A table that says something by being there, such as a variant, stays with nothing in it."""
    edited, table = unset_key(text, path), path[:-1]
    if not is_entry(table[root:]) or not has_key(text, path) or has_key(edited, table):
        return edited
    edited = unset_key(text, path, keep_table=True)
    return edited if has_key(edited, table) else set_key(edited, table, {})


def _require_no_profiles(target: Target, text: str) -> None:
    if any(path[:-1] and path[0] == "profile" for path, _ in leaves(settings_in(target, text))):
        raise ConfigError(
            f"{target.file} holds profiles, and so cannot choose one",
            fix="Choose it with --profile, SENTIENT_PROFILE, or `sentient config set profile NAME --user`",
        )


def rewrite(
    target: Target, change: Callable[[str], str], *, means: Means, note: str = "", origin: str = "what was given"
) -> Written:
    """Change the text of a settings file.

    What was changed by hand meanwhile becomes a version of its own before.

    Args:
        target: Which file.
        change: Makes the new text of the old one, which is empty where there is no file.
        means: How the change comes about.
        note: What more there is to say of it.
        origin: What an error names in the place of lines that the file does not have yet; empty: nothing.

    Raises:
        AuditError: as for `write`.
        ConfigError: as for `write`.
    """
    versions = Versions(target.file)
    with locked(versions.lock):
        before = _read(target.file)
        if before is not None:
            _note_as_is(versions, target, before)
        mark = _BOM if before is not None and before.startswith(_BOM) else ""
        after = mark + change((before or "").removeprefix(mark))
        if after == (before or ""):
            return Written(target.file, None, changed=False)
        try:
            table = try_text(target, after).table
        except SentientError as error:
            raise in_file(error, target.file, before or "", after, origin) if origin else error from None
        rights = _PRIVATE if target.layer == "user" else _PROJECT_RIGHTS
        if _read(target.file) != before:  # an editor asks nobody
            raise ConfigError(f"{target.file} was changed meanwhile", fix="Try again")
        checkpoint = _checkpoint(target, {})
        if target.layer == "user" and (then := _checkpoint(target, {target.file: _source(after)})) != checkpoint:
            require_checkpoint(then)
        tell_change(target.file, _settings_or_none(target, before), table, means, checkpoint)
        replace(target.file, after.encode(), mode=rights)
        try:
            return Written(target.file, versions.note(table, means, note=note), changed=True)
        except ConfigError as error:
            return Written(target.file, None, changed=True, unrecorded=str(error))


def _settings_or_none(target: Target, text: str | None) -> Mapping[str, object]:
    try:
        return settings_in(target, (text or "").removeprefix(_BOM))
    except ConfigError:  # what was no TOML held no settings
        return {}


def _checkpoint(target: Target, drafts: Mapping[Path, str]) -> Path | None:
    """Where this user wants the checkpoint of the audit log, as far as the settings can be read."""
    project = target.file.parent if target.layer == "project" else None
    try:
        return load(project=project, drafts=drafts).settings.audit.checkpoint
    except SentientError:
        return None


def try_text(target: Target, text: str) -> SettingsFile:
    """Check what a settings file would hold: by itself with each of its profiles, and with the other files.

    Args:
        target: Which file.
        text: What it would hold.

    Returns:
        The settings in it.

    Raises:
        ConfigError: something in it is wrong.
    """
    source = _source(text)
    if len(text.encode()) > MAXIMUM_SIZE:
        raise ConfigError(f"{target.file} would be larger than 1 MiB", fix="Take something out of it")
    file = read_settings_file(target.file, source)
    own = file.values(target.layer)
    for values in (own, *(own | file.profile_values(name) for name in sorted(file.profiles()))):
        check(values)
    if _is_sound(target):  # what another file has wrong is no reason to refuse this one
        for name in (None, *sorted(file.profiles())):
            _load(target, {target.file: source}, name)
    return file


def _source(text: str) -> str:
    """A text as the parser takes it."""
    return text.removeprefix(_BOM).replace("\r\n", "\n")


def note_versions(loaded: Loaded, means: Means) -> Sequence[Version]:
    """Record what the settings files hold that were read, where that is new.

    Args:
        loaded: The settings.
        means: Who noticed it: ``file``, ``dev``, ``serve``.

    Returns:
        The new versions.

    Raises:
        ConfigError: they cannot be recorded.

    Example:
        >>> from sentient_cli.config import load
        >>> loaded = load(environment={}, use_env_file=False)
        >>> isinstance(note_versions(loaded, "file"), list)
        True
    """
    noted = (Versions(file.path).note(file.table, means) for file in loaded.files)
    return [version for version in noted if version is not None]


def settings_in(target: Target, text: str | None = None) -> Mapping[str, object]:
    """All settings of a file, of which nothing but TOML is asked.

    Args:
        target: Which file.
        text: What it holds, where that is known; else it is read.

    Raises:
        ConfigError: it is no TOML.
    """
    text = text_of(target) if text is None else text
    return read_settings_file(target.file, text.replace("\r\n", "\n")).table


def text_of(target: Target) -> str:
    """The text of a settings file, with the line ends that it has; empty where there is none.

    Args:
        target: Which file.

    Raises:
        ConfigError: it cannot be read.
    """
    return (_read(target.file) or "").removeprefix(_BOM)


def note_by_hand(target: Target) -> str:
    """Record what was changed in a file by hand, if it is valid.

    Args:
        target: Which file.

    Returns:
        Why it could not be recorded, such as a disk that is read-only; empty where nothing is left to record.
    """
    try:
        text = _read(target.file)
        if text is not None:
            _note_as_is(Versions(target.file), target, text)
    except ConfigError as error:
        return str(error)
    return ""


def _note_as_is(versions: Versions, target: Target, text: str) -> Version | None:
    try:
        file = read_settings_file(target.file, _source(text))
        settings = check(file.values(target.layer))
    except ConfigError:
        return None  # what is wrong was never in force
    if settings.experiments and not _is_sound(target):
        return None  # nor was what collides
    return versions.note(file.table, "file")


def _is_sound(target: Target) -> bool:
    try:
        _load(target, {}, None)
    except SentientError:
        return False
    return True


def _load(target: Target, drafts: Mapping[Path, str], profile: str | None) -> None:
    project = target.file.parent if target.layer == "project" else None
    load(project=project, profile=profile, use_env_file=False, environment={}, drafts=drafts)


def _read(path: Path) -> str | None:
    """The text of a file with the line ends that it has; None: there is no file."""
    try:
        data = read_bytes(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read", why=error.strerror or "", fix="Check its rights") from None
    try:
        return data.decode()
    except UnicodeDecodeError:
        read_text(path)  # which tells the place
        raise ConfigError(f"{path} is not UTF-8", fix="Save it as UTF-8") from None
