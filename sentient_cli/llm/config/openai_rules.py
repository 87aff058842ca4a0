"""What OpenAI does not take, by the API that it is asked by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sentient_cli.llm.config.chat_rules import chat_conflicts
from sentient_cli.llm.config.conflict import Conflict
from sentient_cli.llm.openai.config import DIALECT, OpenAIConfig
from sentient_cli.llm.openai.responses_body import RESPONSES
from sentient_cli.llm.parameters import Parameters
from sentient_cli.llm.types import JsonValue

__all__ = ["find"]


def find(parameters: Parameters, kind: str, model: str, options: Mapping[str, JsonValue]) -> Iterator[Conflict]:
    """What comes of parameters there.

    Args:
        parameters: What is given.
        kind: The kind of provider.
        model: The model; its default one if empty.
        options: Settings that only this kind has.
    """
    dialect, api = (RESPONSES, "responses") if options.get("api") == "responses" else (DIALECT, "chat")
    return chat_conflicts(parameters, dialect, kind, model or OpenAIConfig().default_model, api=api)
