"""Everything that is wrong with the settings at once, where `load` says the first thing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, ParamSpec, TypeAlias, TypeVar

import msgspec

from sentient_cli import paths
from sentient_cli.config.check import check, faults_in
from sentient_cli.config.colliding import check_apart, variant_places
from sentient_cli.config.envfile import find_env_file, read_env_file
from sentient_cli.config.files import SettingsFile, read_settings_file
from sentient_cli.config.keys import all_keys
from sentient_cli.config.loading import (
    DEFAULT_PROFILE,
    USERS_KEYS,
    Loaded,
    load,
    no_profile,
    starting_directory,
    users_own,
)
from sentient_cli.config.places import find_project_file
from sentient_cli.config.presets import preset_values
from sentient_cli.config.values import Source, Value, text_value
from sentient_cli.errors import ConfigError, ConfigurationNotFoundError, SentientError, UsageError

__all__ = ["Fault", "Level", "Validated", "validate", "validate_file"]

Level: TypeAlias = Literal["error", "warning"]

_PLACE = re.compile(r"(?P<file>.+?):(?P<line>[0-9]+)(?::(?P<column>[0-9]+))?")


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong, or doubtful.

    Args:
        level: Which of the two.
        what: What it is.
        why: The reason.
        fix: What the reader can do.
        where: The place: a file with line and column, or a variable.
    """

    level: Level
    what: str
    why: str = ""
    fix: str = ""
    where: str = ""

    def place(self) -> tuple[str, int | None, int | None]:
        """The file, the line and the column that are at fault; the file is empty where it is none.

        Example:
            >>> Fault(level="error", what="It is wrong", where="sentient.toml:3:8").place()
            ('sentient.toml', 3, 8)
        """
        found = _PLACE.fullmatch(self.where)
        if found is None:
            return "", None, None
        return found["file"], int(found["line"]), int(found["column"]) if found["column"] else None


class Validated(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at, and what is wrong with it.

    Args:
        faults: What is wrong, in the order of the places.
        files: The files that were read.
        loaded: The settings, where they can be loaded.
        others: The same with each profile that is not chosen.
    """

    faults: tuple[Fault, ...]
    files: tuple[Path, ...]
    loaded: Loaded | None = None
    others: Mapping[str, Loaded] = {}

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong; what is doubtful does not count."""
        return all(fault.level != "error" for fault in self.faults)


class _Faults:
    """Faults without those that say the same of the same place."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], Fault] = {}

    def add(self, error: SentientError) -> None:
        where = error.where if isinstance(error, ConfigError) else ""
        same = any(what == error.what and (where in {"", place}) for what, place in self.found)
        if not same:
            fault = Fault(level="error", what=error.what, why=error.why, fix=error.fix, where=where)
            self.found[error.what, where] = fault

    def sorted(self) -> list[Fault]:
        def order(fault: Fault) -> tuple[bool, str, int, int]:
            file, line, column = fault.place()
            return not file, file or fault.where, line or 0, column or 0

        return sorted(self.found.values(), key=order)


def validate(
    *,
    project: Path | None = None,
    profile: str | None = None,
    env_file: Path | None = None,
    use_env_file: bool = True,
    environment: Mapping[str, str],
) -> Validated:
    r"""Look at all that the settings of a project come from: files with every profile in them, and variables.

    Args:
        project: Where to look for the project, upward from there; the current directory unless given.
        profile: The profile that is chosen.
        env_file: A file of variables in the place of the project's ``.env``.
        use_env_file: Whether a file of variables is read at all.
        environment: The variables of the process.

    Raises:
        UsageError: ``project`` is no directory.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "sentient.toml").write_text("[server]\nprot = 1\nport = 'x'\n")
        ...     found = validate(project=Path(folder), environment={})
        >>> [(fault.what, fault.place()[1:]) for fault in found.faults]
        [('There is no setting `server.prot`', (2, 1)), ('The setting `server.port` is wrong: it must be a valid integer', (3, 8))]
    """  # noqa: E501 - one error a line
    start = starting_directory(project)
    project_file = find_project_file(start)
    faults = _Faults()
    candidates = [path for path in (paths.user_config_file(), project_file) if path and path.is_file()]
    files = [file for path in candidates if (file := _tried(faults, read_settings_file, path)) is not None]
    home = project_file.parent if project_file else start
    found_env = _tried(faults, find_env_file, home, env_file) if use_env_file else None
    of_file = (_tried(faults, read_env_file, found_env) or {}) if found_env is not None else {}
    hidden = {name: text for name, text in of_file.items() if not environment.get(name)}
    upper = {**_of_variables(hidden, f" in {found_env}"), **_of_variables(environment, "")}
    if profile is not None:
        upper["profile"] = Value(profile, Source("flag", "--profile"), start)
    _look_into(files, upper, faults, project_file=project_file, of_project=f" in {found_env}")
    read = partial(load, project=project, env_file=env_file, use_env_file=use_env_file, environment=environment)
    loaded = _tried(faults, partial(read, profile=profile))
    doubts = loaded.warnings if loaded is not None else ()
    chosen = loaded.settings.profile if loaded is not None else ""
    names = sorted({name for file in files for name in file.profiles(faults.add)} - {chosen})
    others = {name: found for name in names if (found := _tried(faults, partial(read, profile=name))) is not None}
    return Validated(
        faults=(*faults.sorted(), *(Fault(level="warning", what=doubt) for doubt in doubts)),
        files=tuple(path for path in (*candidates, found_env) if path is not None),
        loaded=loaded,
        others=others,
    )


def validate_file(path: Path) -> Validated:
    """Look at one settings file by itself, with every profile in it.

    Args:
        path: The file. One that is called ``pyproject.toml`` has its settings in ``[tool.sentient]``.

    Raises:
        ConfigurationNotFoundError: there is no such file.
        UsageError: it is a directory.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a directory", fix=f"Name a file, or a project with `--project {path}`")
    if not path.exists():
        raise ConfigurationNotFoundError(f"There is no file {path}", fix="Check the path")
    faults = _Faults()
    found = _tried(faults, read_settings_file, path.absolute())
    if found is not None:
        is_users = found.path == paths.user_config_file()
        _look_into([found], {}, faults, project_file=None if is_users else found.path)
    return Validated(faults=tuple(faults.sorted()), files=(path,))


_P = ParamSpec("_P")
_T = TypeVar("_T")


def _tried(faults: _Faults, read: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T | None:
    try:
        return read(*args, **kwargs)
    except UsageError:
        raise
    except SentientError as error:
        faults.add(error)
        return None


def _look_into(
    files: Sequence[SettingsFile],
    upper: Mapping[str, Value],
    faults: _Faults,
    *,
    project_file: Path | None,
    of_project: str = "",
) -> None:
    """Look at the values one by one, and at what they come to with no profile and with each.

    Args:
        files: The settings files.
        upper: The values of the layers above them.
        faults: Where what is wrong goes.
        project_file: Which of the files is the project's.
        of_project: How the places of variables end that are of the project.
    """
    base: dict[str, Value] = {}
    profiles: dict[str, dict[str, Value]] = {}
    for file in files:
        base |= _each(file.values("project" if file.path == project_file else "user", faults.add), faults)
        for name in sorted(file.profiles(faults.add)):
            profiles.setdefault(name, {}).update(_each(file.profile_values(name, faults.add), faults))
    values = {**base, **_each(upper, faults)}
    chosen = values.get("profile")
    if chosen is not None and isinstance(chosen.raw, str) and chosen.raw not in {DEFAULT_PROFILE, *profiles}:
        faults.add(no_profile(chosen.raw, sorted(profiles), chosen))
    for key in USERS_KEYS:
        where = str(values[key].source) if key in values and values[key].raw else ""
        if where and (where.startswith(f"{project_file}:") or (of_project and where.endswith(of_project))):
            faults.add(users_own(key, where))
    for profile in ({}, *profiles.values()):
        _look_at_whole({**base, **profile, **upper}, faults)


def _each(values: Mapping[str, Value], faults: _Faults) -> Mapping[str, Value]:
    """Check each value by itself, so that one that another covers is looked at too."""
    for name, value in values.items():
        for fault in faults_in({name: value}, whole=False):
            if isinstance(fault, ConfigError) and fault.where:  # else other values would give what is missing
                faults.add(fault)
    return values


def _look_at_whole(values: Mapping[str, Value], faults: _Faults) -> None:
    whole = {**(_tried(faults, preset_values, values) or {}), **values}
    wrong = faults_in(whole)
    for fault in wrong:
        faults.add(fault)
    if not wrong:
        _tried(faults, check_apart, check(whole), variant_places(whole))


def _of_variables(variables: Mapping[str, str], place: str) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for key in all_keys().values():
        text = variables.get(key.variable)
        if text:
            source = Source("environment", f"{key.variable}{place}")
            found[key.name] = Value(text_value(text, is_list=key.is_list), source, Path.cwd())
    return found
