"""The settings of a compatible provider, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

import msgspec

from sentient_cli.config.secret import Secret
from sentient_cli.errors import ConfigError, CredentialNotFoundError
from sentient_cli.llm.compatible.vendors import Vendor
from sentient_cli.llm.wire.addresses import check_address
from sentient_cli.llm.wire.settings import RemoteConfig

__all__ = ["CompatibleConfig", "address", "check_config", "complete", "request_headers", "root"]


class CompatibleConfig(RemoteConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of a compatible provider.

    Args:
        default_model: What its bare id stands for; empty: what its vendor has for that.
        api_version: The version of the API, for vendors whose addresses name one.

    Example:
        >>> CompatibleConfig(base_url="http://127.0.0.1:8080/v1").timeout
        30.0
    """

    default_model: str = ""
    api_version: str = "2024-10-21"


def complete(vendor: Vendor, config: CompatibleConfig | None) -> CompatibleConfig:
    """Settings with what the vendor has for those that are missing."""
    config = config or CompatibleConfig()
    return msgspec.structs.replace(
        config,
        default_model=config.default_model or vendor.default_model,
        base_url=(config.base_url or vendor.base_url).rstrip("/"),
    )


def check_config(vendor: Vendor, config: CompatibleConfig, provider: str) -> None:
    """Find out, without a network, whether anything is missing.

    Raises:
        CredentialNotFoundError: the key.
        ConfigError: the address.
    """
    if not config.base_url:
        raise ConfigError(
            f"The provider {provider!r} has no address",
            why=f"{vendor.title} is somewhere else for everybody",
            fix="Set its `base_url`",
        )
    check_address(provider, config.base_url)
    if vendor.key_variable and not config.keys:
        raise CredentialNotFoundError(
            f"The provider {provider!r} has no key",
            why=f"There is none in the profile, nor in the variable {vendor.key_variable}",
            fix=f"Set {vendor.key_variable}; `sentient doctor` says what is found. The model `offline` needs none",
        )


def address(vendor: Vendor, config: CompatibleConfig, path: str, model: str = "") -> str:
    """The address of a path.

    Example:
        >>> from sentient_cli.llm.compatible.vendors import VENDORS
        >>> azure = CompatibleConfig(base_url="https://mine.openai.azure.com")
        >>> address(VENDORS["azure"], azure, VENDORS["azure"].chat, "small")
        'https://mine.openai.azure.com/openai/deployments/small/chat/completions?api-version=2024-10-21'
    """
    url = config.base_url + (path.replace("{model}", quote(model, safe="")) if "{" in path else path)
    if not vendor.query:
        return url
    query = {name: value.format(api_version=config.api_version) for name, value in vendor.query.items()}
    return f"{url}?{urlencode(query)}"


def root(config: CompatibleConfig) -> str:
    """The address of a local server without the version at its end: where its own paths begin."""
    return config.base_url.removesuffix("/v1")


def request_headers(vendor: Vendor, config: CompatibleConfig, key: Secret | None) -> Mapping[str, str]:
    """The headers of a request.

    Args:
        vendor: Says where the key goes.
        config: Has more headers, which win.
        key: What the provider knows us by.
    """
    headers = {"content-type": "application/json", "accept-encoding": "gzip, deflate", "user-agent": "sentient"}
    if key:
        bearer = "Bearer " if vendor.key_header == "authorization" else ""
        headers[vendor.key_header] = bearer + key.reveal()
    if config.organization:
        headers["openai-organization"] = config.organization
    if config.project:
        headers["openai-project"] = config.project
    return {**headers, **{name.lower(): value for name, value in config.headers.items()}}
