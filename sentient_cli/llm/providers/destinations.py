"""Where the key of a provider would be sent, by its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sentient_cli.credentials.destinations import Destination, host_of
from sentient_cli.llm.providers.kinds import KINDS, Kind

if TYPE_CHECKING:
    from sentient_cli.config.llm import ProviderSettings

__all__ = ["destination_of", "hosts_to_bind"]

_UNKNOWN: Final = Kind()


def destination_of(provider_id: str, settings: ProviderSettings | None) -> Destination:
    """All hosts that would see the key of a provider.

    A proxy sees nothing of what is encrypted, unless settings also say which certificates are trusted.

    Args:
        provider_id: What the provider is called.
        settings: Its table in the settings, if it has one.

    Example:
        >>> from sentient_cli.config.llm import ProviderSettings
        >>> destination_of("openai", ProviderSettings(base_url="https://models.example.com/v1"))
        Destination(hosts=('models.example.com',), usual='api.openai.com')
    """
    kind = KINDS.get((settings.kind if settings is not None else None) or provider_id, _UNKNOWN)
    base_url = settings.base_url if settings is not None else None
    hosts = [host_of(base_url) if base_url is not None else kind.host]
    if settings is not None and settings.proxy is not None and settings.ca_file is not None:
        hosts.append(host_of(settings.proxy))
    return Destination(tuple(dict.fromkeys(filter(None, hosts))), KINDS.get(provider_id, _UNKNOWN).host)


def hosts_to_bind(provider_id: str, settings: ProviderSettings | None) -> tuple[str, ...]:
    """The hosts that a new key of a provider is bound to: that of a vendor, whatever settings say of it; else theirs.

    Args:
        provider_id: What the provider is called.
        settings: Its table in the settings, if it has one.

    Example:
        >>> from sentient_cli.config.llm import ProviderSettings
        >>> elsewhere = ProviderSettings(kind="compatible", base_url="https://models.example.com/v1")
        >>> hosts_to_bind("mine", elsewhere), hosts_to_bind("openai", elsewhere), hosts_to_bind("nobody", None)
        (('models.example.com',), ('api.openai.com',), ())
    """
    destination = destination_of(provider_id, settings)
    return (destination.usual,) if destination.usual else destination.hosts[:1]
