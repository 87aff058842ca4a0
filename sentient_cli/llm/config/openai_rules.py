"""What OpenAI does not take, by the API that it is asked by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sentient_cli.llm.chatwire.dialect import Dialect
from sentient_cli.llm.chatwire.extras import why_not_by_this_api
from sentient_cli.llm.config.chat_rules import chat_conflicts
from sentient_cli.llm.config.conflict import Conflict
from sentient_cli.llm.config.sources import OPENAI_CHAT, OPENAI_RESPONSES
from sentient_cli.llm.openai.config import DIALECT, OpenAIConfig
from sentient_cli.llm.openai.parameters import wrong_in_extra
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
    yield from chat_conflicts(parameters, dialect, kind, model or OpenAIConfig().default_model, api=api)
    for name, value in (parameters.extra or {}).get(kind, {}).items():
        yield from _of_extra(name, value, dialect, kind)


def _of_extra(name: str, value: JsonValue, dialect: Dialect, kind: str) -> Iterator[Conflict]:
    """What comes of something that only OpenAI takes."""
    why = why_not_by_this_api(name, dialect, kind)
    other = "chat" if dialect.responses else "responses"
    source = OPENAI_RESPONSES if dialect.responses else OPENAI_CHAT
    if why:
        yield Conflict(
            parameter=f"extra.{kind}.{name}",
            value=value,
            effect="left out",
            reason=why,
            source=source,
            alternatives=(f'Set `api = "{other}"` in the `options` of the provider.', "Leave it out."),
        )
    elif wrong := wrong_in_extra(name, value):
        yield Conflict(
            parameter=f"extra.{kind}.{name}",
            value=value,
            effect="refused",
            reason="it is not of the type that OpenAI documents",
            source=source,
            alternatives=(wrong,),
        )
