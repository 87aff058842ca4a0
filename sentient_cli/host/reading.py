"""Reading settings anew: what their files held then is remembered, and a project that is gone is no project."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from sentient_cli.config import Loaded
from sentient_cli.config.changes import changed_variables
from sentient_cli.config.files import SettingsFile
from sentient_cli.config.watching import Contents, contents_of, is_doubtful, settings_files
from sentient_cli.errors import ConfigError, SentientError
from sentient_cli.host.config_watch import ConfigWatch

__all__ = ["Checking", "Reading", "refuse"]

_TRIES: Final = 5

_logger = logging.getLogger(__name__)


class Reading:
    """Reads settings again and again.

    Args:
        loaded: The settings that there are.
        load: Reads them.
        start: Where the project is looked for; the current directory unless given.
    """

    def __init__(self, loaded: Loaded, load: Callable[[], Loaded], start: Path | None = None) -> None:
        self.loaded: Loaded = loaded
        """The settings that were last taken up."""
        self.known: Contents | None = None
        """What the files held when it was last decided about them."""
        self._load = load
        self._start = start or Path.cwd()

    def files(self) -> tuple[Path, ...]:
        """The files that the settings come from."""
        return settings_files(self.loaded, self._start)

    def read(self) -> tuple[Contents, Loaded | SentientError]:
        """What the files hold, and the settings in them, or what is wrong with these."""
        seen, found = contents_of(self.files()), self._found()
        for _ in range(_TRIES):
            after = contents_of(self.files())
            if after == seen:  # so this is what was loaded
                break
            seen, found = after, self._found()
        return seen, found

    def is_doubtful(self, seen: Contents) -> bool:
        """Whether it looks as if somebody is in the middle of writing.

        Args:
            seen: What the files hold.
        """
        return self.known is not None and is_doubtful(self.known, seen)

    def _found(self) -> Loaded | SentientError:
        try:
            loaded = self._load()
        except SentientError as error:
            return error
        file = self.loaded.project_file
        if file is not None and (lost := self._lost(file, loaded)):
            return ConfigError(
                lost,
                why="The settings of the project stood in it",
                fix="Put them back; or start the server again, to do without them",
            )
        return loaded

    def _lost(self, file: Path, loaded: Loaded) -> str:
        """Whether a project has lost its settings, such as to a disk that was full when they were saved."""
        if loaded.project_dir != self.loaded.project_dir and not file.exists():
            return f"There is no {file} any more"
        had = any(each.table for each in self.loaded.files if each.path == file)
        now = any(each.table for each in loaded.files if each.path.parent == file.parent)
        return f"There is nothing in {file} any more" if had and not now else ""

    def saved(self, seen: Contents, loaded: Loaded) -> Sequence[SettingsFile]:
        """The settings files that hold something else than when it was last decided about them.

        Args:
            seen: What the files hold.
            loaded: The settings in them.
        """
        known = self.known or {}
        return [file for file in loaded.files if known.get(file.path) != seen.get(file.path)]

    def differs(self, loaded: Loaded) -> bool:
        """Whether settings are others than those that were last taken up."""
        return loaded.settings != self.loaded.settings or bool(changed_variables(self.loaded, loaded))


class Checking:
    """Finds out whether settings are sound, for a process whose children take them up.

    Args:
        reading: Reads them.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._tell: Callable[[], None] = _nobody

    @property
    def known(self) -> Contents | None:
        """What the files of settings held when they were last tried."""
        return self._reading.known

    def files(self) -> tuple[Path, ...]:
        """The files that the settings come from."""
        return self._reading.files()

    def is_sound(self) -> bool:
        """Whether the settings can be read; what is wrong with them is logged."""
        seen, found = self._reading.read()
        self._reading.known = seen
        if isinstance(found, SentientError):
            refuse(found)
            return False
        self._reading.loaded = found
        return True

    async def take(self, *, sure: bool) -> bool:
        """Tell when the settings are others, and sound.

        Args:
            sure: Whether the files hold what they are meant to hold; if not, faults are not told.

        Returns:
            Whether there was no fault.
        """
        seen, found = await asyncio.to_thread(self._reading.read)
        if not sure and self._reading.is_doubtful(seen):
            return False
        if isinstance(found, SentientError):
            if sure:
                self._reading.known = seen
                refuse(found)
            return False
        different = self._reading.differs(found)
        self._reading.known, self._reading.loaded = seen, found
        if different:
            self._tell()
        return True

    async def watch(self, tell: Callable[[], None]) -> None:
        """Tell of other settings as soon as they are saved, until it is cancelled.

        Args:
            tell: Is told, in the loop.
        """
        self._tell = tell
        await ConfigWatch(self).run()


def _nobody() -> None:
    """Whoever does not watch is told nothing."""


def refuse(error: SentientError) -> None:
    """Log that settings are not taken.

    Args:
        error: What is wrong with them.
    """
    told = ConfigError(error.what, why=error.why, fix=error.fix)
    where = error.where if isinstance(error, ConfigError) else ""
    _logger.error("The settings are not taken, and the models stay as they are. %s", told, extra={"where": where})
