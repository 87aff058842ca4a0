"""What a host has of models: their manager, or what makes it for the first call that needs it."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from sentient_cli.llm.ambient import current_manager, later_manager

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from sentient_cli.llm.manager import LLMManager

__all__ = ["Models"]


class Models:
    """Has a manager, or none, or makes one when somebody asks for it. For any thread.

    Args:
        manager: It; None: there is none, unless ``make`` makes it.
        make: Makes it, once.
    """

    def __init__(self, manager: LLMManager | None = None, make: Callable[[], LLMManager] | None = None) -> None:
        self._manager = manager
        self._make = make
        self._one_at_a_time = threading.Lock()

    @property
    def made(self) -> LLMManager | None:
        """The manager, if there is one by now."""
        return self._manager

    def get(self) -> LLMManager | None:
        """The manager, made now if it has to be.

        Raises:
            ConfigError: a setting leads nowhere.
        """
        if self._make is not None:
            with self._one_at_a_time:
                if self._make is not None:
                    self._manager = self._make()
                    self._make = None
        return self._manager

    def drop(self) -> None:
        """Make none any more."""
        with self._one_at_a_time:
            self._make = None

    @contextlib.contextmanager
    def offered(self) -> Generator[None]:
        """For the block, and what is started in it: `sentient_cli.llm` uses the manager."""
        later = later_manager.set(None if self._make is None else self.get)
        current = current_manager.set(self._manager)
        try:
            yield
        finally:
            current_manager.reset(current)
            later_manager.reset(later)
