"""What Anthropic tells about its models and about the tokens of a request."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from sentient_cli.errors import ProviderConnectionError
from sentient_cli.llm.provider import ModelInfo

__all__ = ["decoded", "listed", "read_page", "read_tokens"]

T = TypeVar("T")


class WireModel(msgspec.Struct, frozen=True, gc=False):
    """A model in the list."""

    id: str
    display_name: str | None = None
    max_input_tokens: int | None = None
    max_tokens: int | None = None
    lifecycle: str | None = None


class ModelPage(msgspec.Struct, frozen=True):
    """A part of the list."""

    data: list[WireModel]
    has_more: bool = False
    last_id: str | None = None


class _Count(msgspec.Struct, frozen=True, gc=False):
    input_tokens: int


def decoded(body: bytes, kind: type[T], provider: str) -> T:
    """The body of an answer as a structure.

    Raises:
        ProviderConnectionError: it is none.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise ProviderConnectionError(
            f"An answer of the provider {provider!r} cannot be read",
            why="It is no JSON of the kind that was asked for",
            fix="Check its `base_url`",
            provider=provider,
        ) from None


def read_page(body: bytes, provider: str) -> ModelPage:
    """A part of the list of models.

    Raises:
        ProviderConnectionError: it is none.
    """
    return decoded(body, ModelPage, provider)


def read_tokens(body: bytes, provider: str) -> int:
    """How many tokens were counted.

    Raises:
        ProviderConnectionError: nothing that can be understood.
    """
    return decoded(body, _Count, provider).input_tokens


def listed(model: WireModel) -> ModelInfo:
    """A model as we tell of it.

    Example:
        >>> listed(WireModel("claude-opus-5", "Claude Opus 5", lifecycle="deprecated")).description
        'Claude Opus 5 (deprecated)'
    """
    described = model.display_name or ""
    if model.lifecycle in {"deprecated", "retired"}:
        described = f"{described} ({model.lifecycle})".lstrip()
    return ModelInfo(id=model.id, description=described, context_tokens=model.max_input_tokens)
