"""Other settings of models for a host that serves: read anew, tried, and put in the place of those that there are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from sentient_cli.config import Loaded
from sentient_cli.config.changes import changed_keys, changed_variables
from sentient_cli.config.files import SettingsFile
from sentient_cli.config.settings import Settings
from sentient_cli.config.values import Source
from sentient_cli.config.watching import Contents
from sentient_cli.errors import ConfigError, SentientError
from sentient_cli.host.config_watch import ConfigWatch
from sentient_cli.host.experiments import plans_of
from sentient_cli.host.host import Host
from sentient_cli.host.key_watch import KeyWatch
from sentient_cli.host.llm_doubts import doubts_of
from sentient_cli.host.reading import Reading, refuse
from sentient_cli.host.taken import Waiting, concerns_models, said_of

if TYPE_CHECKING:
    from sentient_cli.host.llm import ConfiguredLLM

__all__ = ["Renewal"]

_LATER: Final = 0.3
_TRIES: Final = 10
_WAIT: Final = 0.05

_logger = logging.getLogger(__name__)


class Renewal:
    """Takes up what has changed in the settings of models: when it is told to, or when their files hold something else.

    Runs that go on have the new ones too, for the calls that they begin from then on; a call that has begun ends as it
    began. What is wrong is logged, and nothing changes.

    Args:
        host: Whose models they are.
        loaded: The settings that it was made of.
        load: Reads the settings; called in a thread.
        start: Where the project is looked for; the current directory unless given.
        others: What else can be changed while a server runs: settings by their dotted names, and what does it.
        recorded: Puts files on record whose settings are taken, and says who has changed them; called in a thread.
    """

    def __init__(
        self,
        host: Host,
        loaded: Loaded,
        load: Callable[[], Loaded],
        *,
        start: Path | None = None,
        others: Mapping[str, Callable[[Settings], None]] = MappingProxyType({}),
        recorded: Callable[[Sequence[SettingsFile]], str] | None = None,
    ) -> None:
        self._host = host
        self._reading = Reading(loaded, load, start)
        self._others = others
        self._recorded = recorded
        self._waiting = Waiting(loaded.settings, others)
        self._refused = False
        self._old: dict[ConfiguredLLM, asyncio.Task[None]] = {}
        self._working: asyncio.Task[None] | None = None
        self._watching: list[asyncio.Task[None]] = []
        self._asked: set[str] = set()
        self._lock = asyncio.Lock()

    @property
    def known(self) -> Contents | None:
        """What the files of settings held when they were last tried."""
        return self._reading.known

    def files(self) -> tuple[Path, ...]:
        """The files that the settings come from."""
        return self._reading.files()

    def begin(self, why: str = "") -> None:
        """Read the settings and take them up, without waiting for it.

        Args:
            why: What has changed, if it is known.
        """
        self._asked.add(why)
        if self._working is None:
            self._working = asyncio.get_running_loop().create_task(self._work())

    def watch_keys(self) -> None:
        """Take other values of credentials up too, from now on: whoever rotates one tells no server of it."""
        seconds = self._reading.loaded.settings.credentials.watch
        watch = KeyWatch(seconds, lambda: self.begin("a stored credential"), self._retire)
        self._watching.append(asyncio.get_running_loop().create_task(watch.run()))

    def watch_files(self) -> None:
        """Take other settings up, from now on, as soon as their files are saved."""
        self._watching.append(asyncio.get_running_loop().create_task(ConfigWatch(self).run()))

    def record_later(self) -> None:
        """Put the settings on record that there are, in a moment in which there is nothing more urgent."""
        self._watching.append(asyncio.get_running_loop().create_task(self._record_later()))

    async def _record_later(self) -> None:
        await asyncio.sleep(_LATER)
        await self._record(self._reading.loaded.files)

    def _retire(self) -> None:
        retire: object = getattr(self._host.models.made, "retire", None)
        if callable(retire):  # it is one that settings describe
            retire()

    async def _work(self) -> None:
        try:
            while self._asked:
                asked, self._asked = self._asked, set()
                await self._take(asked, sure=True)
        finally:
            self._working = None

    async def take(self, *, sure: bool) -> bool:
        """Take up what the files of settings hold, if that changes anything.

        Args:
            sure: Whether that is what they are meant to hold; if not, faults are not told.

        Returns:
            Whether there was no fault.
        """
        return await self._take(frozenset(), sure=sure)

    async def _take(self, asked: Collection[str], *, sure: bool) -> bool:
        async with self._lock:
            seen, found = await asyncio.to_thread(self._reading.read)
            for _ in range(_TRIES if asked else 0):
                if self._reading.is_doubtful(seen):  # whoever asked may be at the next change already
                    await asyncio.sleep(_WAIT)
                    seen, found = await asyncio.to_thread(self._reading.read)
            if not sure and self._reading.is_doubtful(seen):
                return False
            if isinstance(found, Loaded):
                saved = self._reading.saved(seen, found)
                found = await self._renew(found, asked, saved) or found
            if isinstance(found, SentientError):
                if sure:
                    self._reading.known, self._refused = seen, True
                    refuse(found)
                return False
            self._reading.known, self._refused = seen, False
            return True

    async def _renew(
        self, loaded: Loaded, asked: Collection[str], saved: Sequence[SettingsFile]
    ) -> SentientError | None:
        before = self._reading.loaded
        keys = changed_keys(before.settings, loaded.settings)
        variables = changed_variables(before, loaded)
        if not (asked or self._refused or keys or variables):
            await self._record(saved)
            return None
        try:
            plans = plans_of(loaded.settings)
            if asked or variables or any(map(concerns_models, keys)):
                await self._exchange(loaded)
        except SentientError as error:
            return error
        except Exception:  # a provider of somebody else's may raise whatever it likes
            _logger.exception("The settings are not taken, and the models stay as they are")
            return None
        self._host.experimenting.take(plans, loaded.settings.experiment_names)
        self._reading.loaded = loaded
        by = await self._record(saved)
        taken = (*(key for key in keys if not self._waiting.waits(key)), *variables, *sorted(filter(None, asked)))
        quiet = not _logger.isEnabledFor(logging.INFO)
        if quiet:
            self._take_others(keys, loaded.settings)
        if taken or asked or self._refused:
            self._tell(taken, by, loaded)
        if not quiet:
            self._take_others(keys, loaded.settings)
        for doubt in sorted({*doubts_of(loaded.settings.llm)} - {*doubts_of(before.settings.llm)}):
            _logger.warning("%s", doubt)
        self._waiting.tell(loaded.settings)
        return None

    async def _record(self, saved: Sequence[SettingsFile]) -> str:
        return await asyncio.to_thread(self._recorded, saved) if saved and self._recorded is not None else ""

    async def _exchange(self, loaded: Loaded) -> None:
        """Put other models in the place of those that there are, if they can answer.

        Raises:
            SentientError: they could not.
        """
        from sentient_cli.host.key_stores import stored_keys  # noqa: PLC0415 - only when models are exchanged
        from sentient_cli.host.llm import ConfiguredLLM, build_llm  # noqa: PLC0415 - the same
        from sentient_cli.host.llm_made import carry_over  # noqa: PLC0415 - the same

        current = self._host.llm
        if not isinstance(current, ConfiguredLLM):
            return
        new = build_llm(
            loaded.settings.llm,
            self._host.clock,
            self._host.ids,
            environment=loaded.environment,
            profile=loaded.settings.profile,
            stores=stored_keys(loaded.settings, environment=loaded.environment, project=loaded.project_dir),
            hooks=() if self._host.observing is None else self._host.observing.hooks,
        )
        shared = carry_over(current, current.made, new)
        try:
            await asyncio.to_thread(new.prepare)
            new.check_default()
            await new.warm()
        except BaseException as error:
            await _close(new, shared)
            if isinstance(error, SentientError):
                raise _with_place(error, loaded.sources["llm.model"]) from error
            raise
        current.exchange(new)
        if self._host.observing is not None:
            self._host.observing.watch(current)
        self._old[new] = asyncio.get_running_loop().create_task(self._let_go(new, shared))

    def _take_others(self, keys: Collection[str], settings: Settings) -> None:
        for key in self._others.keys() & set(keys):
            self._others[key](settings)

    def _tell(self, changed: Sequence[str], by: str, loaded: Loaded) -> None:
        current = self._host.llm
        model = "" if current is None else f"; the model is {current.default_model}, from {loaded.sources['llm.model']}"
        said = f"{said_of(changed)} ({by})" if by else said_of(changed)
        _logger.info("The settings are taken: %s%s", said, model, extra={"changed": ", ".join(changed)})

    async def _let_go(self, old: ConfiguredLLM, shared: list[str]) -> None:
        try:
            for run in self._host.runs:  # one may hold a stream that it has not read from
                await run.wait()
            await old.going_on.wait()
        finally:
            await _close(old, shared)
            del self._old[old]

    async def aclose(self) -> None:
        """Close what calls were waited for; they must have ended."""
        working = [*self._watching, *([] if self._working is None else [self._working])]
        for task in (*working, *self._old.values()):
            task.cancel()
        await asyncio.gather(*working, *self._old.values(), return_exceptions=True)


async def _close(manager: ConfiguredLLM, shared: Sequence[str]) -> None:
    for name in shared:  # another one goes on with them
        manager.remove(name)
    await manager.aclose()


def _with_place(error: SentientError, source: Source) -> ConfigError:
    more = "" if source.layer == "default" else f"`llm.model` is from {source}"
    return ConfigError(error.what, why=". ".join(part for part in (error.why, more) if part), fix=error.fix)
