"""Whether an address may be served on as the settings are, and whether the token protects it."""

from __future__ import annotations

import re
from typing import Final

from sentient_cli.config.secret import Secret
from sentient_cli.config.settings import ServerSettings
from sentient_cli.errors import AddressNotAllowedError, ConfigError, NetworkError
from sentient_cli.server.gate import is_loopback

__all__ = ["MIN_TOKEN", "check_exposure"]

MIN_TOKEN: Final = 16
"""Characters that a token has where others can reach the server."""

_ODD: Final = re.compile(r"[\s/\[\]@]|^[^:]*:[^:]*$")
"""What is in a URL, or a host with a port or in brackets, and in no host."""

_MAKE_ONE: Final = 'Make one with `python -c "import secrets; print(secrets.token_urlsafe(32))"`'


def check_exposure(settings: ServerSettings) -> str:
    """Refuse a public address that nothing protects, and a token that could not.

    A short token is accepted where only this machine, or something in front of the server, can present it.

    Args:
        settings: Those of the server.

    Returns:
        What is doubtful about them, for a warning; empty when nothing is.

    Raises:
        NetworkError: the host is a URL, or has a port or brackets.
        AddressNotAllowedError: the address is public and there is neither a token nor ``insecure``.
        ConfigError: no caller could present the token, or it is too short for a public address.

    Example:
        >>> check_exposure(ServerSettings())
        ''
    """
    if _ODD.search(settings.host):
        raise NetworkError(
            f"{settings.host!r} is no address to listen on",
            why="It is a name or an address, without a scheme, a port, a path or brackets",
            fix="Use 127.0.0.1, and --port for the port",
        )
    shielded = is_loopback(settings.host) or settings.insecure
    if settings.token is None:
        if not shielded:
            raise AddressNotAllowedError(
                f"{settings.host} can be reached by others, and nothing protects the agent",
                why="There is no token",
                fix=f"Set SENTIENT_SERVER_TOKEN, or listen on 127.0.0.1, or say --insecure when something in front "
                f"protects it. {_MAKE_ONE}",
            )
        return ""
    return _check_token(settings.token, settings.host, shielded=shielded)


def _check_token(token: Secret, host: str, *, shielded: bool) -> str:
    text = token.reveal()
    if not all("!" <= character <= "~" for character in text):
        raise ConfigError(
            "The setting `server.token` cannot be presented by anybody",
            why="A header carries visible ASCII characters: letters, digits and signs, no blanks",
            fix=_MAKE_ONE,
        )
    if len(text) >= MIN_TOKEN:
        return ""
    short = f"The setting `server.token` has {len(text)} character{'s' if len(text) > 1 else ''}, which can be guessed"
    if not shielded:
        raise ConfigError(
            short, why=f"{host} can be reached by others: a token there has {MIN_TOKEN} at least", fix=_MAKE_ONE
        )
    return f"{short}. {_MAKE_ONE}"
