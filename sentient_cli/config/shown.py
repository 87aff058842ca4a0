"""Values of settings as they are shown: what is secret in them is masked."""

from __future__ import annotations

from sentient_cli.config.keys import all_keys
from sentient_cli.config.masks import Shown, masked
from sentient_cli.redact import REDACTED
from sentient_cli.secret_names import is_secret_name

__all__ = ["Shown", "is_masked", "shown"]


def shown(value: object, name: str = "") -> Shown:
    """A value for other eyes: what is secret in it is masked.

    Args:
        value: The value of a setting.
        name: What it is called, which may tell a secret, such as that of a header. Of our own settings, the type does.

    Example:
        >>> shown({"Authorization": "Bearer abc", "X-Team": "red"})
        {'Authorization': '[redacted]', 'X-Team': 'red'}
        >>> shown(("a", 5, None, "http://me:pw1234@proxy"))
        ['a', 5, None, 'http://[redacted]@proxy']
    """
    return masked(value, is_secret=is_secret_name(name) and name not in all_keys())


def is_masked(value: Shown) -> bool:
    """Whether something in it is hidden, so that it must not be written back.

    Example:
        >>> is_masked(["a", {"b": "[redacted]"}]), is_masked(5)
        (True, False)
    """
    if isinstance(value, str):
        return REDACTED in value
    if isinstance(value, dict):
        return any(map(is_masked, value.values()))
    return isinstance(value, list) and any(map(is_masked, value))
