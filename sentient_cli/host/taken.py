"""What is said of settings that a running server takes up: names, and never values."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Final

from sentient_cli.config.changes import changed_keys
from sentient_cli.config.settings import Settings

__all__ = ["Waiting", "concerns_models", "said_of"]

_NAMED: Final = 8
_OF_MODELS: Final = ("llm.", "profile", "credentials.")
_NOT_OF_MODELS: Final = ("credentials.watch", "credentials.core_dumps")
_TRIED: Final = ("experiments.",)
"""Settings of what is put on trial: it is taken up beside the models."""
_NOBODYS: Final = ("dev.",)
"""Settings that no server reads."""

_logger = logging.getLogger(__name__)


def concerns_models(key: str) -> bool:
    """Whether models are made of a setting, so that others have to be made when it changes.

    Args:
        key: Its dotted name.

    Example:
        >>> concerns_models("llm.model"), concerns_models("server.port")
        (True, False)
    """
    return key.startswith(_OF_MODELS) and key not in _NOT_OF_MODELS


def said_of(names: Sequence[str]) -> str:
    """What has changed, as the end of a sentence; of many only some are named.

    Args:
        names: Settings and variables; what has a space in it is told in words.

    Example:
        >>> said_of(["llm.model"]), said_of(["llm.model", "log.level"])
        ('`llm.model` has changed', '`llm.model` and `log.level` have changed')
        >>> said_of([])
        'nothing in them has changed'
    """
    if not names:
        return "nothing in them has changed"
    quoted = [name if " " in name else f"`{name}`" for name in names[:_NAMED]]
    if len(names) > _NAMED:
        quoted.append(f"{len(names) - _NAMED} more")
    listed = " and ".join(part for part in (", ".join(quoted[:-1]), quoted[-1]) if part)
    return f"{listed} {'has' if len(names) == 1 else 'have'} changed"


class Waiting:
    """What has changed and is not taken up before the server starts again.

    Args:
        settings: Those that it has started with.
        others: What else is taken up, beside the settings of models.
    """

    def __init__(self, settings: Settings, others: Iterable[str]) -> None:
        self._started = settings
        self._others = frozenset(others)
        self._told: tuple[str, ...] = ()

    def waits(self, key: str) -> bool:
        """Whether a setting is taken only when the server starts.

        Args:
            key: Its dotted name.
        """
        return not (concerns_models(key) or key in self._others or key.startswith((*_TRIED, *_NOBODYS)))

    def tell(self, settings: Settings) -> None:
        """Name what waits, if that is something else than what was named before.

        Args:
            settings: Those of now.
        """
        found = tuple(filter(self.waits, changed_keys(self._started, settings)))
        if found and found != self._told:
            named = said_of(found).rsplit(" ", 2)[0]
            _logger.warning("What has changed of %s is taken when the server starts again", named)
        self._told = found
