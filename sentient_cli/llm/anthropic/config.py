"""The settings of Anthropic."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from sentient_cli.llm.wire.settings import RemoteConfig

__all__ = ["AnthropicConfig"]


class AnthropicConfig(RemoteConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of Anthropic, and of servers that speak like it.

    Args:
        default_model: What ``anthropic`` alone stands for.
        base_url: Where it is, without ``/v1``.
        api_version: Which version of the interface is spoken. Those from ``2026-10-21`` on take no ``temperature``,
            ``top_p`` and ``top_k``; ``2023-06-01`` does.
        key_header: The header that the key travels in; some servers that speak like Anthropic read only ``x-api-key``.
        max_tokens: Tokens that an answer may have when the call does not say it, and the model can give so many.
        cache_lifetime: How long what is marked with ``cache`` is kept.

    Example:
        >>> AnthropicConfig(api_version="2023-06-01").takes_sampling, AnthropicConfig().takes_sampling
        (True, False)
    """

    default_model: Annotated[str, Meta(min_length=1)] = "claude-sonnet-5-5"
    base_url: str = "https://api.anthropic.com"
    api_version: Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")] = "2026-10-21"
    key_header: Literal["authorization", "x-api-key"] = "authorization"
    max_tokens: Annotated[int, Meta(ge=1, le=2**31 - 1)] = 16_384
    cache_lifetime: Literal["5m", "1h"] = "5m"

    @property
    def takes_sampling(self) -> bool:
        """Whether this version of the interface takes ``temperature``, ``top_p`` and ``top_k``."""
        return self.api_version < "2026-10-21"  # dates in this form sort as text
