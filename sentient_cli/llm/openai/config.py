"""The settings of OpenAI."""

from __future__ import annotations

from typing import Final, Literal

from sentient_cli.errors import CredentialNotFoundError
from sentient_cli.llm.chatwire.dialect import OPENAI, Dialect
from sentient_cli.llm.openai.parameters import BY_RESPONSES
from sentient_cli.llm.wire.addresses import check_address
from sentient_cli.llm.wire.settings import RemoteConfig

__all__ = ["DIALECT", "OpenAIConfig", "check_config"]

KEY_VARIABLE: Final = "OPENAI_API_KEY"

DIALECT: Final = Dialect(
    parameters=OPENAI,
    efforts=("none", "minimal", "low", "medium", "high", "xhigh", "max"),
    system_role="developer",
    schema="strict",
    audio=True,
    documents=True,
    kind="openai",
    stops=4,
    elsewhere=BY_RESPONSES,
)


class OpenAIConfig(RemoteConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of OpenAI.

    Args:
        default_model: What the bare id ``openai`` stands for.
        base_url: Where it is; others speak the same, and OpenAI itself has addresses in several regions.
        api: By which of its APIs answers are asked for: chat completions, or responses.
        background: Whether answers go on when the connection breaks, to be taken up where it broke; with responses
            only. OpenAI keeps such answers for some days.

    Example:
        >>> OpenAIConfig().base_url
        'https://api.openai.com/v1'
    """

    default_model: str = "gpt-5.4-mini"
    base_url: str = "https://api.openai.com/v1"
    api: Literal["chat", "responses"] = "chat"
    background: bool = False


def check_config(provider: str, config: OpenAIConfig) -> None:
    """Find out, without a network, whether anything is missing.

    Raises:
        CredentialNotFoundError: the key.
        ConfigError: the address, or it is not encrypted and not of this machine.
    """
    check_address(provider, config.base_url)
    if not config.keys:
        raise CredentialNotFoundError(
            f"The provider {provider!r} has no key",
            why=f"There is none in the profile, nor in the variable {KEY_VARIABLE}",
            fix=f"Set {KEY_VARIABLE}; `sentient doctor` says what is found. The model `offline` needs none",
        )
