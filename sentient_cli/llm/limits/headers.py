"""What the headers of an answer say about limits.

OpenAI's (and those of many that speak like it): ``x-ratelimit-limit-requests``, ``-remaining-requests``,
``-reset-requests`` and the same for tokens (https://platform.openai.com/docs/guides/rate-limits). Anthropic's:
``anthropic-ratelimit-requests-limit`` and so on (https://docs.anthropic.com/en/api/rate-limits).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

__all__ = ["Told", "read_limits"]

_SPAN: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_LARGEST: Final = 1e12


class Told(msgspec.Struct, frozen=True):
    """What a provider told about one thing that it counts. None: nothing.

    Args:
        limit: How many there may be in its span, most often a minute.
        remaining: How many there may still be.
        reset: Seconds until there may be all of them again.
    """

    limit: float | None = None
    remaining: float | None = None
    reset: float | None = None


def read_limits(headers: Mapping[str, str], now: float) -> tuple[Told, Told]:
    """What is told about requests, and about tokens.

    Args:
        headers: Names in lower case.
        now: Seconds since the epoch.

    Example:
        >>> headers = {"x-ratelimit-limit-requests": "60", "x-ratelimit-reset-requests": "1m30s"}
        >>> requests, tokens = read_limits(headers, 0)
        >>> requests.limit, requests.reset, tokens.limit
        (60.0, 90.0, None)
    """
    requests = _first(_openai(headers, "requests"), _anthropic(headers, "requests", now))
    tokens = _first(
        _openai(headers, "tokens"), _anthropic(headers, "tokens", now), _anthropic(headers, "input-tokens", now)
    )
    return requests, tokens


def _first(*found: Told) -> Told:
    return next((each for each in found if each.limit is not None or each.remaining is not None), Told())


def _openai(headers: Mapping[str, str], what: str) -> Told:
    return Told(
        _number(headers.get(f"x-ratelimit-limit-{what}")),
        _number(headers.get(f"x-ratelimit-remaining-{what}")),
        _span(headers.get(f"x-ratelimit-reset-{what}")),
    )


def _anthropic(headers: Mapping[str, str], what: str, now: float) -> Told:
    name = f"anthropic-ratelimit-{what}"
    return Told(
        _number(headers.get(f"{name}-limit")),
        _number(headers.get(f"{name}-remaining")),
        _moment(headers.get(f"{name}-reset"), now),
    )


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text else -1.0
    except ValueError:
        return None
    return value if 0 <= value <= _LARGEST else None


def _span(text: str | None) -> float | None:
    """Seconds of ``1m30s``, ``20ms`` or a plain number."""
    if not text:
        return None
    parts = _SPAN.findall(text)
    if parts and "".join(f"{number}{unit}" for number, unit in parts) == text.strip():
        return min(sum(float(number) * _SECONDS[unit] for number, unit in parts), _LARGEST)
    return _number(text)


def _moment(text: str | None, now: float) -> float | None:
    try:
        at = datetime.fromisoformat(text).timestamp() if text else None
    except (ValueError, OverflowError, OSError):
        return None
    return None if at is None else max(0.0, at - now)
