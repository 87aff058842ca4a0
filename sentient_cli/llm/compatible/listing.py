"""The models that a server names."""

from __future__ import annotations

from sentient_cli.errors import BadRequestError
from sentient_cli.llm.chatwire.listing import models_in
from sentient_cli.llm.compatible.asking import Asking
from sentient_cli.llm.compatible.config import address
from sentient_cli.llm.provider import ModelInfo

__all__ = ["first_model", "list_models"]


async def list_models(asking: Asking) -> tuple[ModelInfo, ...]:
    """The models, each once.

    Args:
        asking: Whom to ask.

    Raises:
        ProviderError: it cannot be asked.
    """
    return models_in(await asking.get(address(asking.vendor, asking.config, asking.vendor.models)))


async def first_model(asking: Asking) -> str:
    """The model that a server has: the first that it names.

    Args:
        asking: Whom to ask.

    Raises:
        BadRequestError: it has none.
        ProviderError: it cannot be asked.
    """
    models = await list_models(asking)
    if not models:
        raise BadRequestError(
            f"The provider {asking.provider!r} has no model",
            why="Its list of models is empty",
            fix="Load one there, or name it as `provider:model`",
            provider=asking.provider,
        )
    return models[0].id
