"""Libraries that only some need."""

from __future__ import annotations

from sentient_cli.errors import ConfigError

__all__ = ["missing_extra"]


def missing_extra(what: str, extra: str) -> ConfigError:
    """The error of something whose library is not installed.

    Args:
        what: What was wanted.
        extra: The extra that brings it.

    Example:
        >>> missing_extra("Metrics", "metrics").fix
        "Run `pip install 'sentient-agent-cli[metrics]'`"
    """
    return ConfigError(
        f"{what} need a library that is not installed", fix=f"Run `pip install 'sentient-agent-cli[{extra}]'`"
    )
