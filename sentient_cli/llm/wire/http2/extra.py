"""Whether the library for HTTP/2 is installed."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from sentient_cli.errors import ConfigError

__all__ = ["check_http2"]


def check_http2(provider: str, *, library: str = "h2") -> None:
    """Find out whether HTTP/2 can be spoken, without importing anything.

    Args:
        provider: Whose setting asks for it.
        library: What it takes.

    Raises:
        ConfigError: it is not installed.

    Example:
        >>> check_http2("mine", library="h2_that_is_not_there")
        Traceback (most recent call last):
        ...
        sentient_cli.errors.ConfigError: HTTP/2 needs a library that is not installed...
    """
    if library in sys.modules or find_spec(library) is not None:
        return
    raise ConfigError(
        "HTTP/2 needs a library that is not installed",
        why=f"The provider {provider!r} is set to `http2 = true`, and there is no package `{library}`",
        fix="Run `pip install 'sentient-agent-cli[http2]'`, or remove `http2`: HTTP/1.1 needs nothing more",
    )
