"""The models of a file that starts no server of ours, made when it first asks for them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from sentient_cli.llm.current import standing_manager

if TYPE_CHECKING:
    from sentient_cli.llm.manager import LLMManager

__all__ = ["ScriptModels"]

_logger = logging.getLogger(__name__)


class ScriptModels:
    """Gives plain calls, such as ``llm.generate``, a model of ours.

    Args:
        make: Makes what answers; called once, and what it gives is closed at the end. It raises a `ConfigError` where
            a setting leads nowhere.

    Example:
        >>> from sentient_cli import llm
        >>> models = ScriptModels(lambda: llm.LLMManager([llm.OfflineProvider()], default_model="offline:echo"))
        >>> with models.given():
        ...     print(asyncio.run(llm.generate("Hello")).text)
        Hello
        >>> models.used
        True
    """

    def __init__(self, make: Callable[[], LLMManager]) -> None:
        self.used: bool = False
        """Whether anybody asked for them."""
        self._make = make
        self._lock = threading.Lock()
        self._manager: LLMManager | None = None

    def prepare(self) -> LLMManager:
        """Make them now.

        Raises:
            ConfigError: a setting leads nowhere.
        """
        with self._lock:
            if self._manager is None:
                self._manager = self._make()
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

    def _asked(self) -> LLMManager:
        self.used = True
        return self.prepare()

    def _close(self, manager: LLMManager) -> None:
        try:
            asyncio.run(manager.aclose())
        except Exception as error:  # noqa: BLE001 - connections of event loops that are gone cannot say farewell
            _logger.debug("Models were not closed: %s", error)
