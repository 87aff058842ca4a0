"""Providers of somebody else's packages: what is wrong with one is an error that says whose it is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from sentient_cli.errors import ConfigError, ProviderError, SentientError
from sentient_cli.llm.provider import LLMProvider
from sentient_cli.llm.types import JsonValue
from sentient_cli.redact import redactor

__all__ = ["ThirdParty", "foreign_failure", "made_by"]

_logger = logging.getLogger(__name__)

_METHODS: Final = (
    "provider_id",
    "config",
    "capabilities",
    "initialize",
    "generate",
    "stream",
    "validate",
    "models",
    "count_tokens",
    "update_config",
    "metrics",
    "aclose",
)


class ThirdParty(Protocol):
    """What an entry point of the group ``sentient.providers`` is.

    Example:
        >>> from sentient_cli.llm.offline import OfflineProvider
        >>> made: ThirdParty = lambda provider_id, settings, environment: OfflineProvider()
        >>> made("parrot", {}, {}).provider_id
        'offline'
    """

    def __call__(
        self, provider_id: str, settings: Mapping[str, JsonValue], environment: Mapping[str, str], /
    ) -> LLMProvider:
        """Make a provider.

        Args:
            provider_id: What it is called.
            settings: Its table, with ``options`` as it stands there, and without what was left out.
            environment: The variables.
        """
        ...


def made_by(
    kind: str,
    load: Callable[[], ThirdParty],
    provider_id: str,
    settings: Mapping[str, JsonValue],
    environment: Mapping[str, str],
) -> LLMProvider:
    """The provider that somebody else's package makes.

    Args:
        kind: The name of its entry point.
        load: Imports what makes it.
        provider_id: What it is called.
        settings: Its table.
        environment: The variables.

    Raises:
        ConfigError: the package cannot be imported, makes none, or makes something else.
    """
    try:
        made = load()(provider_id, settings, environment)
    except SentientError:
        raise
    except (Exception, SystemExit) as error:
        raise _broken(kind, provider_id, f"It raised {_told(error)}") from error
    missing = [name for name in _METHODS if not hasattr(type(made), name) and name not in _own(made)]
    if missing:
        raise _broken(kind, provider_id, f"What it made is {type(made).__name__}, without {', '.join(missing)}")
    return made


def foreign_failure(provider_id: str, error: Exception) -> ProviderError:
    """The error of a call for which somebody else's provider raised one that is none of ours; the log has that.

    Args:
        provider_id: What it is called.
        error: What it raised.

    Example:
        >>> print(foreign_failure("parrot", KeyError("seed")).what)
        The provider 'parrot' failed with an error of its own
    """
    _logger.error("The provider %r failed", provider_id, exc_info=error)
    return ProviderError(
        f"The provider {provider_id!r:.60} failed with an error of its own",
        why=f"It raised {_told(error)}",
        fix="Tell those who made it; the log has the traceback",
        provider=provider_id,
    )


def _own(made: object) -> Mapping[str, object]:
    """What an object has besides its class; properties are not asked."""
    return getattr(made, "__dict__", {})


def _told(error: BaseException) -> str:
    return redactor.redact(f"{type(error).__name__}: {error}"[:300]).rstrip(": ")


def _broken(kind: str, provider_id: str, why: str) -> ConfigError:
    return ConfigError(
        f"The provider {provider_id!r:.60} cannot be made",
        why=f"{why}. It is of the kind {kind!r:.60}, which an installed package has",
        fix="Install another version of that package, or tell those who made it; or use another provider",
    )
