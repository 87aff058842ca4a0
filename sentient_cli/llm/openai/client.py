"""The SDK's client, made for our settings and nothing of the environment's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sentient_cli.llm.openai.config import OpenAIConfig
from sentient_cli.llm.wire.transport import Transport

if TYPE_CHECKING:
    from openai import AsyncOpenAI

__all__ = ["sdk_client"]


def sdk_client(config: OpenAIConfig, current: Callable[[], tuple[Transport, OpenAIConfig]]) -> AsyncOpenAI:
    """A client that never tries twice: one place retries, and it is not this one.

    Args:
        config: The settings.
        current: Gives the connections and the settings of the moment when a request is sent.
    """
    import openai  # noqa: PLC0415 - more than a second, for those that use it

    from sentient_cli.llm.wire.bridge import http_client  # noqa: PLC0415 - the library under it

    client = openai.AsyncOpenAI(
        api_key=config.keys[0].reveal() if config.keys else "none",
        admin_api_key="",
        base_url=config.base_url.rstrip("/"),
        max_retries=0,
        timeout=None,
        http_client=http_client(current),
    )
    # None means the environment to the constructor, and headers come from there as well. Neither shall.
    client.organization = config.organization
    client.project = config.project
    client.webhook_secret = None
    client._custom_headers = dict(config.headers)  # noqa: SLF001 - no public name leaves out those of the environment
    return client
