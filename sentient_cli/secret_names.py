"""Names that tell a secret: of variables, settings, headers and fields, and of what is assigned in a text."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

__all__ = ["ASSIGNED", "is_secret_name"]

_LONG: Final = (
    r"(?:api[_-]?key|secret[_-]?key|token|secret|password|passwd|passphrase|authorization"
    r"|private[_-]?key|access[_-]?key|signing[_-]?key|encryption[_-]?key|session[_-]?key|cookie)"
)
"""What tells a secret wherever a word can end."""

_HARMLESS_KEYS: Final = (
    *("public", "primary", "foreign", "partition", "sort", "cache", "idempotency", "routing", "lookup", "index", "row"),
    *("storage", "group", "object", "registry", "unique", "composite", "shortcut", "modifier", "hot", "answer"),
    *("column", "hash", "range", "map", "dict", "json", "meta", "message", "event", "state", "field", "label", "any"),
    *("arrow", "escape", "enter", "control", "alt", "shift", "translation", "last", "first", "next"),
)
_COUNTED_TOKENS: Final = (
    *("max", "min", "total", "prompt", "completion", "input", "output", "cached", "cache", "reasoning", "thinking"),
    *("num", "n", "new", "used", "left", "remaining", "stop", "special", "context", "text", "audio", "image", "of"),
    *("read", "write", "creation", "prediction", "accepted", "rejected", "budget", "count"),
)
_PASSES: Final = ("first", "second", "single", "multi", "one", "two", "forward", "backward", "render", "test", "by")
_HARMLESS: Final = {
    "key": frozenset(_HARMLESS_KEYS),
    "keys": frozenset(_HARMLESS_KEYS),
    "tokens": frozenset(_COUNTED_TOKENS),
    "pass": frozenset(_PASSES),
}
"""What a short word means no secret behind, such as ``primary_key`` and ``max_tokens``."""

_KNOWN_LENGTH: Final = 64
_NUMBER: Final = r"(?:[_-]?[0-9]{1,3})?"
_SUFFIX: Final = rf"(?i:[_-]?(?:id|value|hash|base))?{_NUMBER}$"
_LONG_NAME: Final = re.compile(
    rf"(?i)(?:^|[^a-z0-9]|(?<=[a-z]))(?:{_LONG}|api[_-]?keys|secrets|passwords|cookies|credentials?){_SUFFIX}"
    rf"|^(?-i:PASS|DSN|PAT|TOKENS){_SUFFIX}"
)
_SHORT_NAME: Final = re.compile(
    r"([A-Z]?[a-z0-9]+|[A-Z0-9]+)"
    r"(?:[_-]((?i:keys?|tokens|pass|pwd|pat|dsn))|(?<=[a-z0-9])(Keys?|Tokens|Pass|Pwd|Pat|Dsn))"
    rf"{_SUFFIX}"
)

ASSIGNED: Final = (
    rf"(?:(?i:{_LONG})(?:(?i:_base)|{_NUMBER})"
    rf"|_KEY(?<=[A-Z0-9]_KEY){''.join(f'(?<!{word.upper()}_KEY)' for word in _HARMLESS_KEYS)}{_NUMBER})"
)
"""A pattern of the ends of names before a colon or an equals sign; ``KEY`` alone counts where it is written large."""


def is_secret_name(name: str) -> bool:
    """Whether a setting, header or variable of this name holds a secret.

    Example:
        >>> [is_secret_name(name) for name in ("OPENAI_API_KEY", "SECRET_KEY", "DB_PASS", "GH_PAT", "API_TOKENS")]
        [True, True, True, True, True]
        >>> [is_secret_name(name) for name in ("max_tokens", "keyboard", "PUBLIC_KEY", "monkey", "PWD")]
        [False, False, False, False, False]
    """
    return _tells_known(name) if len(name) <= _KNOWN_LENGTH else _tells(name)


def _tells(name: str) -> bool:
    if _LONG_NAME.search(name):
        return True
    short = _SHORT_NAME.search(name)
    return short is not None and short[1].lower() not in _HARMLESS.get((short[2] or short[3]).lower(), ())


_tells_known = lru_cache(2048)(_tells)
