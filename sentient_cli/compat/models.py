"""The models of a file that starts no server of ours: those of the settings, made when it first asks for them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

from sentient_cli.llm.current import standing_manager

if TYPE_CHECKING:
    from sentient_cli.config.settings import Settings
    from sentient_cli.host.llm import ConfiguredLLM
    from sentient_cli.llm.hooks import CallHook

__all__ = ["ScriptModels"]

_logger = logging.getLogger(__name__)


class ScriptModels:
    """Gives plain calls, such as ``llm.generate``, the model and the script of the settings.

    Args:
        settings: All settings.
        hooks: Who is told about calls.

    Example:
        >>> from sentient_cli import llm
        >>> from sentient_cli.config.settings import LlmSettings, Settings
        >>> models = ScriptModels(Settings(llm=LlmSettings(model="offline:echo", usage=False)))
        >>> with models.given():
        ...     print(asyncio.run(llm.generate("Hello")).text)
        Hello
        >>> models.used
        True
    """

    def __init__(self, settings: Settings, hooks: Sequence[CallHook] = ()) -> None:
        self.used: bool = False
        """Whether anybody asked for them."""
        self._settings = settings
        self._hooks = hooks
        self._lock = threading.Lock()
        self._manager: ConfiguredLLM | None = None

    def prepare(self) -> ConfiguredLLM:
        """Make them now.

        Raises:
            ConfigError: a setting leads nowhere.
        """
        from sentient_cli.clock import SystemClock, SystemIds  # noqa: PLC0415 - most files ask no model
        from sentient_cli.host.llm import build_llm  # noqa: PLC0415

        with self._lock:
            if self._manager is None:
                clock, settings = SystemClock(), self._settings
                ids = SystemIds(clock)
                self._manager = build_llm(settings.llm, clock, ids, profile=settings.profile, hooks=self._hooks)
            return self._manager

    @contextlib.contextmanager
    def given(self) -> Generator[None]:
        """Have plain calls use them for as long as this is entered, in any thread."""
        try:
            with standing_manager(self._asked):
                yield
        finally:
            if self._manager is not None:
                self._close(self._manager)

    def _asked(self) -> ConfiguredLLM:
        self.used = True
        return self.prepare()

    def _close(self, manager: ConfiguredLLM) -> None:
        try:
            asyncio.run(manager.aclose())
        except Exception as error:  # noqa: BLE001 - connections of event loops that are gone cannot say farewell
            _logger.debug("Models were not closed: %s", error)
