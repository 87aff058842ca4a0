"""What is known about models beside their price: how much they take and what they can do.

A row speaks for every model whose name begins like it; the longest such beginning wins. What is in no row is not known,
which stops nobody from using it.
"""

from __future__ import annotations

from functools import cache

import msgspec

from sentient_cli.llm.models.table import ROWS
from sentient_cli.llm.provider import Capabilities

__all__ = ["ModelFacts", "capabilities_of", "facts_of", "known_models"]


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a model. None: it is not known.

    Args:
        name: What its name begins with.
        context_tokens: Tokens that request and answer may have together.
        output_tokens: Tokens that an answer may have.
        tools: Whether it can ask for tools.
        images: Whether it can read images.
        audio: Whether it can hear.
        documents: Whether it can read documents.
        structured_output: Whether it can be held to a JSON Schema.
        thinking: Whether it thinks before it answers.
        caching: Whether the beginning of a request can be kept for the next one.
        shutdown: The day (YYYY-MM-DD) from which it answers no more.

    Example:
        >>> facts = facts_of("openai", "gpt-4o-mini-2024-07-18")
        >>> (facts.name, facts.context_tokens, facts.images) if facts else None
        ('gpt-4o-mini', 128000, True)
    """

    name: str
    context_tokens: int | None = None
    output_tokens: int | None = None
    tools: bool | None = None
    images: bool | None = None
    audio: bool | None = None
    documents: bool | None = None
    structured_output: bool | None = None
    thinking: bool | None = None
    caching: bool | None = None
    shutdown: str | None = None


_FLAGS = {
    "t": "tools",
    "i": "images",
    "a": "audio",
    "d": "documents",
    "s": "structured_output",
    "r": "thinking",
    "c": "caching",
}


@cache
def _table() -> dict[str, tuple[ModelFacts, ...]]:
    made: dict[str, tuple[ModelFacts, ...]] = {}
    for kind, rows in ROWS.items():
        facts = [
            ModelFacts(
                name=name,
                context_tokens=context or None,
                output_tokens=output or None,
                shutdown=shutdown or None,
                **{field: letter in can for letter, field in _FLAGS.items()},
            )
            for name, context, output, can, shutdown in rows
        ]
        made[kind] = tuple(sorted(facts, key=lambda each: -len(each.name)))
    return made


@cache
def known_models(kind: str) -> tuple[ModelFacts, ...]:
    """The rows of a kind of provider, by name.

    Example:
        >>> any(facts.name == "gpt-5" for facts in known_models("openai"))
        True
    """
    return tuple(sorted(_table().get(kind, ()), key=lambda each: each.name))


def facts_of(kind: str, model: str) -> ModelFacts | None:
    """What is known about a model; None: nothing.

    Args:
        kind: The kind of provider, such as ``openai``. Where it hands on the models of others, as OpenRouter does with
            ``openai/gpt-5``, those are looked up.
        model: As the provider names it.

    Example:
        >>> facts_of("openrouter", "anthropic/claude-sonnet-4-5") == facts_of("anthropic", "claude-sonnet-4-5")
        True
        >>> facts_of("openai", "a-model-of-tomorrow") is None
        True
    """
    name = model.lower()
    found = next((facts for facts in _table().get(kind, ()) if name.startswith(facts.name)), None)
    maker, slash, rest = name.partition("/")
    if found is not None or not slash:
        return found
    return facts_of(maker, rest)


def capabilities_of(kind: str, model: str, provider: Capabilities) -> Capabilities:
    """What a model can do: what is known about it, and for the rest what its provider can.

    Args:
        kind: The kind of the provider.
        model: As the provider names it.
        provider: What the provider can do.

    Example:
        >>> capabilities_of("openai", "gpt-3.5-turbo", Capabilities(tools=True, images=True)).images
        False
    """
    facts = facts_of(kind, model)
    if facts is None:
        return provider
    told = {name: getattr(facts, name) for name in _FLAGS.values() if getattr(facts, name) is not None}
    sizes = {"max_input_tokens": facts.context_tokens, "max_output_tokens": facts.output_tokens}
    told |= {name: size for name, size in sizes.items() if size is not None}
    return msgspec.structs.replace(provider, **told)
