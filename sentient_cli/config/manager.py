"""The settings for programs: read, changed, watched."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar, cast, get_args, overload

from sentient_cli.config.changes import changed_keys
from sentient_cli.config.explain import Explanation, explain, unknown_setting
from sentient_cli.config.following import follow
from sentient_cli.config.given import refuse_secret, require_setting
from sentient_cli.config.loading import Loaded, load
from sentient_cli.config.rollback import roll_back
from sentient_cli.config.snapshot import ConfigChange, Snapshot, snapshot
from sentient_cli.config.versions import Version, Versions
from sentient_cli.config.writing import Target, find_target, key_path, note_by_hand, note_versions, write
from sentient_cli.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from sentient_cli.config.settings import Settings
    from sentient_cli.config.values import FlagValue

__all__ = ["ConfigurationManager", "UpdateLayer"]

UpdateLayer: TypeAlias = Literal["project", "user", "profile", "flag"]
"""Where a change belongs: the project's file, the user's own, the chosen profile, or this manager alone."""

_T = TypeVar("_T")
_logger = logging.getLogger(__name__)


class ConfigurationManager:
    r"""Reads settings, changes them, and tells of changes. It may be used by several threads.

    Its sources are those of the command line: files, variables of the environment, and values that the program gives.
    What is read is one snapshot of them all; a change is tried as a whole and takes its place at once, or is refused,
    and the old settings stay.

    Args:
        project: Where to look for the project, upward from there; the current directory unless given.
        profile: The profile; the one that settings choose unless given.
        values: Values by dotted name, over those of all other sources.
        environment: The variables; those of the process unless given.
        env_file: A file of variables in the place of the project's ``.env``.
        use_env_file: Whether a file of variables is read at all.

    Raises:
        ConfigError: a file cannot be read, or a setting is unknown or wrong.
        ConfigurationNotFoundError: a profile or file that was named does not exist.
        UsageError: ``project`` is no directory, or one of ``values`` is wrong.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "sentient.toml").write_text("[server]\nport = 9000  # ours\n")
        ...     config = ConfigurationManager(Path(folder), environment={})
        ...     changed = config.update({"server.port": 9001, "log.level": "debug"})
        ...     changed.keys, config.get("server.port", int), Path(folder, "sentient.toml").read_text()
        (('server.port', 'log.level'), 9001, '[server]\nport = 9001  # ours\n\n[log]\nlevel = "debug"\n')
    """

    def __init__(
        self,
        project: Path | None = None,
        *,
        profile: str | None = None,
        values: Mapping[str, FlagValue] | None = None,
        environment: Mapping[str, str] | None = None,
        env_file: Path | None = None,
        use_env_file: bool = True,
    ) -> None:
        self._project = None if project is None else Path(project)
        self._profile = profile
        self._given: Mapping[str, FlagValue] = dict(values or {})
        self._environment = environment
        self._env_file = env_file
        self._use_env_file = use_env_file
        self._lock = threading.RLock()
        self._callbacks: dict[object, tuple[tuple[str, ...], Callable[[ConfigChange], None]]] = {}
        self._current = snapshot(self._load(self._given))
        self._values = self._current.values

    @property
    def snapshot(self) -> Snapshot:
        """The settings as they are now; it stays as it is when they change."""
        return self._current

    @property
    def settings(self) -> Settings:
        """The settings as they are now, typed."""
        return self._current.loaded.settings

    @overload
    def get(self, key: str) -> object: ...

    @overload
    def get(self, key: str, kind: type[_T]) -> _T: ...

    def get(self, key: str, kind: type[_T] | None = None) -> object:
        """The value of a setting, or a table of settings.

        Args:
            key: Its dotted name, such as ``llm.parameters.temperature``.
            kind: The type that is wanted.

        Raises:
            ConfigurationNotFoundError: there is no such setting.
            ConfigError: its value is of another type, or it has none.

        Example:
            >>> config = ConfigurationManager(values={"server.port": 9000}, environment={})
            >>> config.get("server.port", int) + 1, config.get("server.token")
            (9001, None)
        """
        try:
            value = self._values[key]
        except KeyError:
            raise unknown_setting(self._current.loaded, key) from None
        if kind is not None and not isinstance(value, kind):
            have = "has no value" if value is None else f"is of the type {type(value).__name__}"
            raise ConfigError(
                f"The setting `{key}` {have}", why=f"{kind.__name__} is wanted", fix="Set it, or take it as it is"
            )
        return value

    def explain(self, key: str) -> Explanation:
        """What each layer says of a setting, and which one won.

        Args:
            key: Its dotted name.

        Raises:
            ConfigurationNotFoundError: there is no such setting.
        """
        return explain(self._current.loaded, key)

    def update(self, changes: Mapping[str, object], *, layer: UpdateLayer = "project") -> ConfigChange | None:
        """Change settings: all of them, or none.

        Args:
            changes: New values by dotted name; None takes a setting away.
            layer: Where the change belongs. In a file it is a version, and whoever watches that file takes it up.

        Returns:
            What has changed of what holds; None: nothing, such as where a higher layer says otherwise.

        Raises:
            AuditError: the change cannot be told to the audit log; nothing was changed.
            ConfigError: what would come of it is not valid, holds a secret, or cannot be written; nothing was changed.
            ConfigurationNotFoundError: there is no such setting, or no project.
            UsageError: a value for this manager alone is wrong, or there is no such layer.
        """
        for key in changes:
            require_setting(key_path(key))
        with self._lock:
            if layer == "flag":
                return self._take({**self._given, **cast("Mapping[str, FlagValue]", changes)})  # types are checked
            for key, value in changes.items():
                refuse_secret(key_path(key), value)
            write(self._target(layer), changes, means="api")
            return self.reload()

    def reload(self) -> ConfigChange | None:
        """Read all sources anew.

        Returns:
            What has changed; None: nothing.

        Raises:
            ConfigError: something in them is wrong now; the old settings stay.
        """
        with self._lock:
            change = self._take(self._given)
            if change is not None:
                with contextlib.suppress(ConfigError):  # a disk that is full is no reason not to go on
                    note_versions(change.after.loaded, "file")
            return change

    def subscribe(self, callback: Callable[[ConfigChange], None], *keys: str) -> Callable[[], None]:
        """Have a function called after each change, in the thread that makes it.

        Args:
            callback: What is called; what it raises is logged.
            keys: Settings, or tables of them; all, if none is named.

        Returns:
            Ends it.

        Example:
            >>> config = ConfigurationManager(environment={})
            >>> end = config.subscribe(lambda change: print(change.keys), "server")
            >>> _ = config.update({"log.level": "debug"}, layer="flag")
            >>> _ = config.update({"server.port": 9000}, layer="flag")
            ('server.port',)
            >>> end()
        """
        mark = object()
        with self._lock:
            self._callbacks[mark] = (keys, callback)

        def end() -> None:
            with self._lock:
                self._callbacks.pop(mark, None)

        return end

    def watch(self, *keys: str, every: float = 0.5) -> AsyncGenerator[ConfigChange]:
        """Changes, one after another, as they happen: by this manager, and of the files, which are looked at meanwhile.

        Those that come while nobody waits are told as one. What is wrong in a file is logged once, and the old
        settings stay.

        Args:
            keys: Settings, or tables of them; all, if none is named.
            every: Seconds between two looks at the files.
        """
        return follow(self, keys, every)

    def history(self, layer: Literal["project", "user"] = "project") -> Sequence[Version]:
        """The versions of a settings file, the oldest first.

        Args:
            layer: Whose file.

        Raises:
            ConfigurationNotFoundError: there is no project.
        """
        target = self._target(layer)
        note_by_hand(target)
        return Versions(target.file).all()

    def rollback(self, number: int, *, layer: Literal["project", "user"] = "project") -> ConfigChange | None:
        """Set a settings file back to what it was in a version. Secrets, comments and order stay as they are.

        Args:
            number: The version.
            layer: Whose file.

        Returns:
            What has changed of what holds; None: nothing.

        Raises:
            ConfigError: that version is no longer valid; nothing was changed.
            ConfigurationNotFoundError: there is no such version.
        """
        with self._lock:
            roll_back(self._target(layer), number)
            return self.reload()

    def _target(self, layer: UpdateLayer) -> Target:
        if layer not in get_args(UpdateLayer):  # of a program whose types nobody checks, it would be a wrong file
            raise UsageError(
                f"There is no layer {layer!r:.60} to change", fix=f"Use {', '.join(get_args(UpdateLayer))}"
            )
        profile = self.settings.profile if layer == "profile" else None
        loaded = self._current.loaded
        return find_target(loaded.project_dir or self._project, user=layer == "user", profile=profile)

    def _load(self, given: Mapping[str, FlagValue]) -> Loaded:
        return load(
            given,
            project=self._project,
            profile=self._profile,
            env_file=self._env_file,
            use_env_file=self._use_env_file,
            environment=self._environment,
        )

    def _take(self, given: Mapping[str, FlagValue]) -> ConfigChange | None:
        loaded, before = self._load(given), self._current
        self._given = given
        keys = changed_keys(before.loaded.settings, loaded.settings)
        after = snapshot(loaded, before.number + 1)
        self._current, self._values = after, after.values
        if not keys:
            return None
        change = ConfigChange(keys, before, after)
        for wanted, callback in tuple(self._callbacks.values()):
            if change.concerns(wanted):
                _tell(callback, change)
        return change


def _tell(callback: Callable[[ConfigChange], None], change: ConfigChange) -> None:
    try:
        callback(change)
    except Exception:  # what a program does with a change is its own
        _logger.exception("A subscriber to settings failed")
