"""Whether an address may be served on as the settings are."""

from __future__ import annotations

from sentient_cli.config.settings import ServerSettings
from sentient_cli.errors import AddressNotAllowedError
from sentient_cli.server.gate import is_loopback

__all__ = ["check_exposure"]


def check_exposure(settings: ServerSettings) -> None:
    """Refuse a public address that nothing protects.

    Raises:
        AddressNotAllowedError: the address is public and there is neither a token nor ``insecure``.
    """
    if is_loopback(settings.host) or settings.token is not None or settings.insecure:
        return
    raise AddressNotAllowedError(
        f"{settings.host} can be reached by others, and nothing protects the agent",
        fix="Set SENTIENT_SERVER_TOKEN, or listen on 127.0.0.1, or say --insecure when something in front protects it",
    )
