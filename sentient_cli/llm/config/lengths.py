"""Answers that may be longer than a model can write them."""

from __future__ import annotations

from collections.abc import Iterator

from sentient_cli.llm.config.conflict import Conflict
from sentient_cli.llm.config.sources import REFERENCES
from sentient_cli.llm.models.facts import facts_of
from sentient_cli.llm.parameters import Parameters

__all__ = ["too_long"]


def too_long(parameters: Parameters, kind: str, model: str) -> Iterator[Conflict]:
    """Find out whether an answer may have more tokens than the model can write.

    Args:
        parameters: What is given.
        kind: The kind of provider.
        model: The model, as it is named there.

    Example:
        >>> [each.reason for each in too_long(Parameters(max_tokens=50_000), "openai", "gpt-4.1")]
        ["the model 'gpt-4.1' writes at most 32768 tokens"]
    """
    facts = facts_of(kind, model)
    most = facts.output_tokens if facts is not None else None
    if most is not None and parameters.max_tokens is not None and parameters.max_tokens > most:
        yield Conflict(
            parameter="max_tokens",
            value=parameters.max_tokens,
            effect="refused",
            reason=f"the model {model!r:.80} writes at most {most} tokens",
            source=REFERENCES.get(kind, ""),
            alternatives=(f"Use {most} or less.",),
        )
