"""Other settings of models for a host that serves: read anew, tried, and put in the place of those that there are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from sentient_cli.config import Loaded
from sentient_cli.config.settings import Settings
from sentient_cli.errors import ConfigError, SentientError
from sentient_cli.host.host import Host
from sentient_cli.host.key_stores import stored_keys
from sentient_cli.host.key_watch import KeyWatch
from sentient_cli.host.llm import ConfiguredLLM, build_llm
from sentient_cli.host.llm_made import carry_over

__all__ = ["Renewal", "is_sound"]

_logger = logging.getLogger(__name__)


class Renewal:
    """Takes up what has changed in the settings of models, when it is told to.

    Runs that go on have the new ones too, for the calls that they begin from then on; a call that has begun ends as it
    began. What is wrong is logged, and nothing changes.

    Args:
        host: Whose models they are.
        loaded: The settings that it was made of.
        load: Reads the settings.
    """

    def __init__(self, host: Host, loaded: Loaded, load: Callable[[], Loaded]) -> None:
        self._host = host
        self._settings = loaded.settings
        self._load = load
        self._old: dict[ConfiguredLLM, asyncio.Task[None]] = {}
        self._working: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._again = False

    def begin(self) -> None:
        """Read the settings and take them up, without waiting for it."""
        self._again = True
        if self._working is None:
            self._working = asyncio.get_running_loop().create_task(self._work())

    def watch_keys(self) -> None:
        """Take other values of credentials up too, from now on: whoever rotates one tells no server of it."""
        watch = KeyWatch(self._settings.credentials.watch, self.begin, self._retire)
        self._watching = asyncio.get_running_loop().create_task(watch.run())

    def _retire(self) -> None:
        current = self._host.llm
        if isinstance(current, ConfiguredLLM):
            current.retire()

    async def _work(self) -> None:
        try:
            while self._again:
                self._again = False
                await self._renew()
        except Exception:  # a provider of somebody else's may raise whatever it likes
            _logger.exception("The settings are not taken, and the models stay as they are")
        finally:
            self._working = None

    async def _renew(self) -> None:
        current = self._host.llm
        if not isinstance(current, ConfiguredLLM):
            return
        try:
            loaded = self._load()
            new = build_llm(
                loaded.settings.llm,
                self._host.clock,
                self._host.ids,
                environment=loaded.environment,
                profile=loaded.settings.profile,
                stores=stored_keys(loaded.settings, environment=loaded.environment, project=loaded.project_dir),
                hooks=() if self._host.observing is None else self._host.observing.hooks,
            )
        except SentientError as error:
            _refuse(error)
            return
        shared = carry_over(current, current.made, new)
        source = loaded.sources["llm.model"]
        try:
            await asyncio.to_thread(new.prepare)
            new.check_default()
            await new.warm()
        except SentientError as error:
            await _close(new, shared)
            _refuse(error, "" if source.layer == "default" else f"`llm.model` is from {source}")
            return
        current.exchange(new)
        if self._host.observing is not None:
            self._host.observing.watch(current)
        self._old[new] = asyncio.get_running_loop().create_task(self._let_go(new, shared))
        _logger.info("The settings are taken: the model is %s, from %s", current.default_model, source)
        self._tell_of_others(loaded.settings)

    async def _let_go(self, old: ConfiguredLLM, shared: list[str]) -> None:
        try:
            for run in self._host.runs:  # one may hold a stream that it has not read from
                await run.wait()
            await old.going_on.wait()
        finally:
            await _close(old, shared)
            del self._old[old]

    def _tell_of_others(self, settings: Settings) -> None:
        before, self._settings = self._settings, settings
        changed = [
            name
            for name in type(settings).model_fields
            if name not in {"llm", "profile"} and getattr(before, name) != getattr(settings, name)
        ]
        if changed:
            named = ", ".join(f"`{name}`" for name in changed)
            _logger.warning("What has changed of %s is taken when the server starts again", named)

    async def aclose(self) -> None:
        """Close what calls were waited for; they must have ended."""
        working = [task for task in (self._working, self._watching) if task is not None]
        for task in (*working, *self._old.values()):
            task.cancel()
        await asyncio.gather(*working, *self._old.values(), return_exceptions=True)


def is_sound(load: Callable[[], Loaded]) -> bool:
    """Whether settings can be read; what is wrong with them is logged.

    Args:
        load: Reads them.
    """
    try:
        load()
    except SentientError as error:
        _refuse(error)
        return False
    return True


async def _close(manager: ConfiguredLLM, shared: Sequence[str]) -> None:
    for name in shared:  # another one goes on with them
        manager.remove(name)
    await manager.aclose()


def _refuse(error: SentientError, more: str = "") -> None:
    told = ConfigError(error.what, why=". ".join(part for part in (error.why, more) if part), fix=error.fix)
    _logger.error("The settings are not taken, and the models stay as they are. %s", told)
