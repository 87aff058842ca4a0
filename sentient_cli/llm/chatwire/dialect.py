"""How one vendor's chat completions differ from another's, as data."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

import msgspec

from sentient_cli.llm.chatwire.turns import Turns
from sentient_cli.llm.parameters import Effort
from sentient_cli.llm.types import JsonValue
from sentient_cli.llm.wire.callids import IdForm

__all__ = ["COMMON", "CONTENT", "DETAILS", "LOCAL", "OPENAI", "Dialect", "SchemaForm"]

SchemaForm: TypeAlias = Literal["strict", "plain", "none"]
"""How an answer is held to a schema: by one that has every property required, by the schema as it is, or not at all."""

COMMON: Final[Mapping[str, str]] = MappingProxyType(
    {
        "temperature": "temperature",
        "top_p": "top_p",
        "max_tokens": "max_tokens",
        "stop": "stop",
        "seed": "seed",
        "presence_penalty": "presence_penalty",
        "frequency_penalty": "frequency_penalty",
        "effort": "reasoning_effort",
        "parallel_tools": "parallel_tool_calls",
        "logprobs": "logprobs",
        "top_logprobs": "top_logprobs",
        "user": "user",
    }
)
"""The parameters that most take, by our names, with theirs; a dot leads into an object."""

LOCAL: Final[Mapping[str, str]] = MappingProxyType({**COMMON, "top_k": "top_k"})
"""Those of servers that run open models."""

OPENAI: Final[Mapping[str, str]] = MappingProxyType(
    {
        **COMMON,
        "max_tokens": "max_completion_tokens",
        "user": "safety_identifier",
        "cache_key": "prompt_cache_key",
        "service_tier": "service_tier",
        "metadata": "metadata",
    }
)
"""Those of OpenAI itself."""


DETAILS: Final = "reasoning_details"
"""Thoughts as a list of parts, some of them signed or sealed, that go back as they came."""

CONTENT: Final = "content"
"""Thoughts as parts of the content itself, before the text, that go back with every answer."""


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """What a vendor's chat completions take.

    Args:
        parameters: The parameters that it takes, by our names, with its own.
        efforts: How long it can be told to think; another wish becomes the nearest of these, and of two the first.
        unthinking: What is sent instead of the effort ``none``, where that is no effort there.
        system_role: What it calls the role of instructions.
        usage_option: Whether it has to be asked for the usage of a stream.
        schema: How it holds an answer to a schema.
        tool_choice: Whether it lets one choose about tools.
        required: What it calls that a tool must be asked for.
        images: Whether it takes pictures.
        audio: Whether it takes sound.
        documents: Whether it takes documents; those that are text go as text anyway.
        cache_marks: Whether it takes marks up to where it shall keep a request in its cache.
        kind: Whose models it has, to be looked up in the table of `taken_by`; empty: nobody's that we know.
        stops: How many words of ``stop`` it takes; None: as many as there are.
        ranges: From where to where a parameter goes, by our name, where that is not as wide as ours.
        tiers: The names of its service tiers; empty: any goes along.
        reasoning_apart: Whether it counts the tokens of reasoning beside those of the answer, not as part of them.
        thoughts: What it calls the thoughts of an answer that asked for tools, if it wants them back with the results;
            empty: it does not. Those of `CONTENT` go back with every answer.
        call_ids: The form of the ids of tool calls.
        turns: The order of messages that it takes.
        responses: Whether it is the Responses API, by which some models think longer.
        elsewhere: What of `Parameters.extra` it has by another of its APIs alone.
        renamed: What of it has another name here; a dot leads into an object.

    Example:
        >>> Dialect(parameters={**COMMON, "seed": "random_seed"}, required="any").parameters["seed"]
        'random_seed'
    """

    parameters: Mapping[str, str] = COMMON
    efforts: tuple[Effort, ...] = ("low", "medium", "high")
    unthinking: Mapping[str, JsonValue] = MappingProxyType({})
    system_role: str = "system"
    usage_option: bool = True
    schema: SchemaForm = "plain"
    tool_choice: bool = True
    required: str = "required"
    images: bool = True
    audio: bool = False
    documents: bool = False
    cache_marks: bool = False
    kind: str = ""
    stops: int | None = None
    ranges: Mapping[str, tuple[float, float]] = MappingProxyType({})
    tiers: tuple[str, ...] = ()
    reasoning_apart: bool = False
    thoughts: str = ""
    call_ids: IdForm = "short"
    turns: Turns = "any"
    responses: bool = False
    elsewhere: frozenset[str] = frozenset()
    renamed: Mapping[str, str] = MappingProxyType({})
