"""The configuration of a provider as it holds: what its settings say, and for the rest what its kind has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Final, TypeAlias, cast

import msgspec

from sentient_cli.config.llm import LlmSettings, ProviderSettings
from sentient_cli.llm.providers.kinds import KINDS
from sentient_cli.redact import redactor

__all__ = ["ProviderView", "provider_view"]

# By name, since a type checker follows every import, and an agent's own check would pay for the SDKs of the adapters.
Usual: TypeAlias = "Callable[[str], tuple[str | None, str | None]]"

_TIMEOUT: Final = 30.0
_OFFLINE: Final = "offline"


class ProviderView(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for a provider. None: its kind decides, or there is none.

    Args:
        id: The first part of its model ids.
        kind: What it speaks.
        key_variables: The variables that its key is looked for in, in this order. The key itself is never here.
        needs_key: Whether it answers nobody without one.
        base_url: Where it is; a password in it is masked.
        default_model: What its id alone stands for.
        organization: On whose account.
        project: The same, one level below.
        timeout: Seconds that it may be silent.
        connect_timeout: Seconds that a connection may take.
        attempts: How often it is asked, the first time included.
        requests_per_minute: Requests that are sent in a minute at most.
        tokens_per_minute: Tokens that are sent in a minute at most.

    Example:
        >>> view = provider_view(LlmSettings(), "openai")
        >>> view.timeout, view.attempts, view.key_variables
        (30.0, 3, ('OPENAI_API_KEY',))
    """

    id: str
    kind: str
    key_variables: Sequence[str] = ()
    needs_key: bool = True
    base_url: str | None = None
    default_model: str | None = None
    organization: str | None = None
    project: str | None = None
    timeout: float = _TIMEOUT
    connect_timeout: float | None = None
    attempts: int
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


def provider_view(settings: LlmSettings, provider_id: str) -> ProviderView:
    """What holds for a provider, whether or not the settings have a table for it.

    Args:
        settings: Those of models.
        provider_id: The first part of its model ids.

    Example:
        >>> told = {"work": ProviderSettings(kind="groq", timeout=5, api_key_env="WORK_KEY")}
        >>> view = provider_view(LlmSettings(providers=told), "work")
        >>> view.base_url, view.timeout, view.key_variables
        ('https://api.groq.com/openai/v1', 5.0, ('WORK_KEY',))
    """
    table = settings.providers.get(provider_id, ProviderSettings())
    kind = table.kind or provider_id
    known = KINDS.get(kind)
    usual = cast("Usual", vars(import_module(f"{__package__}.usual"))["usual"])
    base_url, default_model = usual(kind)
    remote = kind in KINDS and kind != _OFFLINE
    return ProviderView(
        id=provider_id,
        kind=kind,
        key_variables=table.api_key_env or (known.variables if known is not None else ()),
        needs_key=known is None or known.needs_key,
        base_url=redactor.redact(table.base_url) if table.base_url else base_url,
        default_model=table.default_model or default_model,
        organization=table.organization,
        project=table.project,
        timeout=table.timeout or _TIMEOUT,
        connect_timeout=table.connect_timeout or (10.0 if remote else None),
        attempts=(table.retry.attempts if table.retry is not None else None) or settings.retry.attempts,
        requests_per_minute=table.requests_per_minute,
        tokens_per_minute=table.tokens_per_minute,
    )
