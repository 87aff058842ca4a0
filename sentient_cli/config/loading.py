"""The layers of the settings: defaults < preset < user < project < profile < environment < flags."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from typing_extensions import override

from sentient_cli import paths
from sentient_cli.config.check import check
from sentient_cli.config.envfile import find_env_file, read_env_file
from sentient_cli.config.environ import process_environment, shell_environment
from sentient_cli.config.files import SettingsFile, read_settings_file
from sentient_cli.config.keys import PREFIX, all_keys, nearest, sections
from sentient_cli.config.places import look_for_project_file
from sentient_cli.config.presets import preset_values
from sentient_cli.config.secret import Secret
from sentient_cli.config.values import LAYERS, FlagValue, Layer, Source, Value, text_value
from sentient_cli.errors import ConfigError, ConfigurationNotFoundError, UsageError
from sentient_cli.redact import redactor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sentient_cli.config.settings import ProfileBy, Settings

    _Profiles: TypeAlias = Mapping[tuple[Path, str], Mapping[str, Value]]

__all__ = ["DEFAULT_PROFILE", "USERS_KEYS", "Loaded", "load", "no_profile", "starting_directory", "users_own"]

DEFAULT_PROFILE = "default"
SECRET_KEYS = ("server.token",)
USERS_KEYS = (
    "audit.checkpoint",
    "credentials.aws.ca_file",
    "credentials.azure.ca_file",
    "credentials.core_dumps",
    "credentials.default_profile",
    "credentials.encrypted_file",
    "credentials.passphrase_env",
    "credentials.passphrase_file",
    "credentials.passphrase_keyring",
    "credentials.vault.ca_file",
)
"""What a project decides for none of those who work in it."""


@dataclass(frozen=True, slots=True, repr=False)
class Loaded:
    """Settings, and where they come from.

    Args:
        settings: The settings.
        sources: For each setting by its dotted name, the layer and place that won.
        project_dir: The directory of the project's settings file; None without one.
        project_file: That file.
        env_file: The ``.env`` that was read.
        environment: The variables of the process and, below them, those of ``env_file``. Nothing is exported until
            `export_environment` is called with it.
        layers: What each layer gives, by its dotted name and as it was found, whether or not it won. Defaults are not
            among them.
        files: The settings files that were read, the user's own before the project's.
        warnings: What is probably not meant so, each one sentence.

    Example:
        >>> loaded = load({"server.port": 9000}, environment={"SENTIENT_LLM_MODEL": "offline:echo"})
        >>> loaded.settings.server.port, str(loaded.sources["server.port"])
        (9000, '--port')
        >>> loaded.settings.llm.model, str(loaded.sources["llm.model"])
        ('offline:echo', 'SENTIENT_LLM_MODEL')
        >>> str(loaded.layers["flag"]["server.port"].source), dict(loaded.layers["profile"])
        ('--port', {})
    """

    settings: Settings
    sources: Mapping[str, Source]
    project_dir: Path | None
    project_file: Path | None
    env_file: Path | None
    environment: Mapping[str, str]
    layers: Mapping[Layer, Mapping[str, Value]]
    files: tuple[SettingsFile, ...]
    warnings: tuple[str, ...] = ()

    @override
    def __repr__(self) -> str:
        return f"Loaded(settings={self.settings!r}, files={[str(file.path) for file in self.files]})"


def load(
    flags: Mapping[str, FlagValue] | None = None,
    *,
    project: Path | None = None,
    profile: str | None = None,
    env_file: Path | None = None,
    use_env_file: bool = True,
    environment: Mapping[str, str] | None = None,
    drafts: Mapping[Path, str] = MappingProxyType({}),
) -> Loaded:
    r"""Gather the settings from all layers.

    Args:
        flags: Values by dotted name that flags gave; None for one that was not given.
        project: Where to look for the project, upward from there; the current directory unless given.
        profile: The name of a profile, as ``--profile`` gives it.
        env_file: A file of variables in the place of the project's ``.env``.
        use_env_file: Whether a file of variables is read at all.
        environment: The variables; those of the process unless given.
        drafts: What settings files would hold, to try a change before it is written.

    Raises:
        ConfigError: a file cannot be read, or a setting is unknown or wrong.
        ConfigurationNotFoundError: a profile or file that was named does not exist.
        UsageError: ``project`` is no directory, or a flag has a wrong value.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "sentient.toml").write_text("[server]\nport = 9000")
        ...     loaded = load(project=Path(folder), environment={"SENTIENT_SERVER_WORKERS": "2"})
        >>> loaded.settings.server.port, loaded.settings.server.workers, loaded.settings.server.host
        (9000, 2, '127.0.0.1')
    """
    start = starting_directory(project)
    looked = look_for_project_file(start)
    project_file = looked.path or next((path for path in drafts if path.parent == start), None)
    home = project_file.parent if project_file else start
    found_env = find_env_file(home, env_file) if use_env_file else None
    from_file: Mapping[str, str] = read_env_file(found_env) if found_env else {}
    shell = process_environment() if environment is None else environment
    settings_of_file = {key.variable for key in all_keys().values() if from_file.get(key.variable)}
    # An empty variable of ours is one that is not set.
    above = {name: value for name, value in shell.items() if value or name not in settings_of_file}
    merged = MappingProxyType({**from_file, **above})
    redactor.register_environment(merged)

    files = [
        read_settings_file(path, drafts.get(path))
        for path in (paths.user_config_file(), project_file)
        if path and (path in drafts or path.is_file())
    ]
    given = {**(flags or {}), **({"profile": profile} if profile is not None else {})}
    layers: dict[Layer, dict[str, Value]] = {
        **_from_files(files, project_file),
        "environment": _from_environment(merged, _not_exported(above, from_file, environment), found_env),
        "flag": _from_flags(given),
    }
    profiles = {(file.path, name): file.profile_values(name) for file in files for name in file.profiles()}
    layers["profile"] = _from_profile(files, profiles, _merged(layers).get("profile"))
    layers["preset"] = preset_values(_merged(layers))
    layers = {name: _opaque(found) for name, found in layers.items()}
    values = _merged(layers)
    _require_users_own(values, project_file, found_env)
    settings = check(values)
    if settings.experiments:
        from sentient_cli.config.colliding import check_apart, variant_places  # noqa: PLC0415 - most have none

        check_apart(settings, variant_places(values))
    for key in SECRET_KEYS:
        _register(settings, key)
    return Loaded(
        settings=settings.as_read(_profile_by(values, project_file, found_env), _experiments_in(profiles)),
        sources=MappingProxyType(
            {key: values[key].source if key in values else Source("default") for key in all_keys()}
        ),
        project_dir=home if project_file else None,
        project_file=project_file,
        env_file=found_env,
        environment=merged,
        warnings=(*map(_passed_over, looked.passed_over), *_unknown_variables(merged)),
        layers=MappingProxyType({name: MappingProxyType(layers[name]) for name in LAYERS if name in layers}),
        files=tuple(files),
    )


def _merged(layers: Mapping[Layer, Mapping[str, Value]]) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for name in LAYERS:
        values |= layers.get(name, {})
    return values


def _opaque(values: dict[str, Value]) -> dict[str, Value]:
    """The same with secrets that do not show themselves; what is no text or empty is refused when types are checked."""
    hidden = {key: values[key] for key in SECRET_KEYS if key in values}
    return values | {
        key: Value(Secret(value.raw), value.source, value.directory, value.places)
        for key, value in hidden.items()
        if isinstance(value.raw, str) and value.raw
    }


def starting_directory(project: Path | None) -> Path:
    """Where to begin to look for a project.

    Args:
        project: The directory that was given; None: the current one.

    Raises:
        UsageError: it is no directory, or the current one was removed.

    Example:
        >>> starting_directory(None) == Path.cwd()
        True
    """
    try:
        start = (project or Path()).absolute()
    except FileNotFoundError:
        raise UsageError("The current directory is gone", fix="Go to another one, and try again") from None
    if not start.is_dir():
        raise UsageError(f"There is no directory {project}", fix="Check the path given with --project")
    return start


def _from_files(files: Sequence[SettingsFile], project_file: Path | None) -> dict[Layer, dict[str, Value]]:
    found: dict[Layer, dict[str, Value]] = {"user": {}, "project": {}}
    for file in files:
        layer: Layer = "project" if file.path == project_file else "user"
        found[layer] |= file.values(layer)
    return found


def _require_users_own(values: Mapping[str, Value], project_file: Path | None, env_file: Path | None) -> None:
    for key in USERS_KEYS:
        if key in values and values[key].raw and _is_projects(values[key].source, project_file, env_file):
            raise users_own(key, str(values[key].source))


def _is_projects(source: Source, project_file: Path | None, env_file: Path | None) -> bool:
    where = str(source)
    return bool(
        (project_file and where.startswith(f"{project_file}:")) or (env_file and where.endswith(f" in {env_file}"))
    )


def _profile_by(values: Mapping[str, Value], project_file: Path | None, env_file: Path | None) -> ProfileBy:
    if "profile" not in values:
        return "nobody"
    source = values["profile"].source
    if _is_projects(source, project_file, env_file):
        return "project"
    return "user" if source.layer == "user" else "call"


def users_own(key: str, where: str) -> ConfigError:
    """The error for a setting that a project made and that is not for it to make."""
    return ConfigError(
        f"The setting `{key}` is not for a project to make",
        why=f"It stands in {where}",
        fix=f"Write it into {paths.user_config_file()}, or set {all_keys()[key].variable} in the shell",
        where=where,
    )


def no_profile(name: str, known: list[str], chosen: Value | None) -> ConfigurationNotFoundError:
    """The error for a profile that no file has."""
    from sentient_cli.config.toml_text import key_text  # noqa: PLC0415 - only for the error

    near, table = nearest(name, known), key_text(("profile", name, "server"))
    return ConfigurationNotFoundError(
        f"There is no profile {name!r}",
        why=f"It is named by {chosen.source}" if chosen else "",
        fix=f"Did you mean {near!r}?" if near else f"Write [{table}] into the project's settings file",
        where=str(chosen.source) if chosen else "",
    )


def _from_profile(files: Sequence[SettingsFile], found: _Profiles, chosen: Value | None) -> dict[str, Value]:
    name = chosen.raw if chosen is not None else DEFAULT_PROFILE
    known = sorted({profile for _, profile in found})
    if not isinstance(name, str):
        return {}  # The check of types says what is wrong with it.
    if name not in known and name != DEFAULT_PROFILE:
        raise no_profile(name, known, chosen)
    values: dict[str, Value] = {}
    for file in files:
        values |= found.get((file.path, name), {})
    return values


def _experiments_in(profiles: _Profiles) -> set[str]:
    """The names of the experiments of all profiles, chosen or not."""
    return {key.split(".")[1] for values in profiles.values() for key in values if key.startswith("experiments.")}


def _not_exported(
    shell: Mapping[str, str], from_file: Mapping[str, str], given: Mapping[str, str] | None
) -> Mapping[str, str]:
    """The variables of the shell without those that came into this process out of the file."""
    said = shell_environment() if given is None else shell
    return {name: value for name, value in shell.items() if name in said or name not in from_file}


def _from_environment(merged: Mapping[str, str], shell: Mapping[str, str], env_file: Path | None) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for key in all_keys().values():
        text = merged.get(key.variable, "")
        if not text:
            continue  # An empty variable is one that is not set.
        from_file = env_file is not None and key.variable not in shell
        where = f"{key.variable} in {env_file}" if from_file else key.variable
        directory = env_file.parent if from_file and env_file else Path.cwd()
        raw = text_value(text, is_list=key.is_list)
        values[key.name] = Value(raw, Source("environment", where), directory)
    return values


def _from_flags(flags: Mapping[str, FlagValue]) -> dict[str, Value]:
    known = all_keys()
    return {
        key: Value(value, Source("flag", known[key].flag if key in known else key), Path.cwd())
        for key, value in flags.items()
        if value is not None
    }


def _passed_over(path: Path) -> str:
    return f"{path} is passed over: somebody else has put it into a directory that everybody can write to"


def _unknown_variables(environment: Mapping[str, str]) -> list[str]:
    known = [key.variable for key in all_keys().values()]
    ours = tuple(f"{PREFIX}{section.upper()}_" for section in sections())
    unknown = [name for name in environment if name.startswith(ours) and name not in known]
    short = [name.removeprefix(PREFIX) for name in known]
    hints = [(name, nearest(name.removeprefix(PREFIX), short)) for name in sorted(unknown)]
    return [f"{name} is no setting" + (f"; did you mean {PREFIX}{near}?" if near else "") for name, near in hints]


def _register(settings: Settings, key: str) -> None:
    value: object = settings
    for part in key.split("."):
        value = getattr(value, part)
    reveal: object = getattr(value, "reveal", None)
    if callable(reveal):
        redactor.register(str(reveal()))
