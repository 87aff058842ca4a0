"""What each provider's wire looks like to the tests that all providers have to pass. A new provider is an entry."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sentient_cli.config.secret import Secret
from sentient_cli.llm.anthropic import AnthropicConfig, AnthropicProvider
from sentient_cli.llm.compatible import CompatibleConfig, CompatibleProvider
from sentient_cli.llm.openai import OpenAIConfig, OpenAIProvider
from sentient_cli.llm.provider import LLMProvider
from tests.llm.providers import anthropic_wire, chat_wire, responses_wire
from tests.support.llm_server import Answer, Handler, as_json, as_sse

__all__ = ["KEY", "TEXT", "WIRES", "Make", "Wire"]

KEY = "sk-test-never-to-be-seen-0001"
TEXT = "".join(chat_wire.WORDS)


class Make(Protocol):
    """Makes a provider for a server at an address, with a patience in seconds, and with a name of its own."""

    def __call__(self, url: str, patience: float, name: str | None = None) -> LLMProvider: ...


@dataclass(frozen=True)
class Wire:
    """A provider and what it is told on its wire.

    Args:
        name: Of the provider.
        make: Makes one.
        model: What it is asked for.
        handle: A server that works.
        text_answer: A whole answer of these pieces of text, an event each.
        events: The same of `TEXT`.
        terminal: How many events there are up to the one that says that the answer is complete, and without it.
        error: An event that tells of an overload.
        quota: The body of a refusal for want of credit, and its status.
        too_long: The body of a refusal since the request is too long.
    """

    name: str
    make: Make
    model: str
    handle: Handler
    text_answer: Callable[[Iterable[str]], list[bytes]]
    events: tuple[bytes, ...]
    terminal: int
    error: bytes
    quota: tuple[object, int]
    too_long: object
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def body(self) -> bytes:
        """The whole answer."""
        return b"".join(self.events)

    @property
    def complete_at(self) -> int:
        """How many bytes it takes until the answer is complete; one less, and it is not."""
        return sum(len(event) for event in self.events[: self.terminal + 1]) - 1

    def refusal(self, status: int, **headers: str) -> Answer:
        """A refusal, as the vendor words it."""
        return as_json({"type": "error", "error": {"type": "", "message": f"No. {KEY}"}}, status, **headers)


def _index(events: list[bytes], mark: bytes) -> int:
    return next(place for place, event in enumerate(events) if mark in event)


def _compatible(url: str, patience: float, name: str | None = None) -> CompatibleProvider:
    config = CompatibleConfig(
        base_url=f"{url}/v1", api_key=Secret(KEY), default_model=chat_wire.MODEL, timeout=patience
    )
    return CompatibleProvider("compatible", config, provider_id=name)


def _openai(url: str, patience: float, name: str | None = None) -> OpenAIProvider:
    config = OpenAIConfig(base_url=f"{url}/v1", api_key=Secret(KEY), default_model=chat_wire.MODEL, timeout=patience)
    return OpenAIProvider(config, provider_id=name)


def _responses_provider(url: str, patience: float, name: str | None = None) -> OpenAIProvider:
    config = OpenAIConfig(
        base_url=f"{url}/v1",
        api_key=Secret(KEY),
        api="responses",
        default_model=chat_wire.MODEL,
        timeout=patience,
    )
    return OpenAIProvider(config, provider_id=name)


def _anthropic(url: str, patience: float, name: str | None = None) -> AnthropicProvider:
    config = AnthropicConfig(base_url=url, api_key=Secret(KEY), timeout=patience)
    return AnthropicProvider(config, provider_id=name or "anthropic")


def _chat(name: str, make: Make) -> Wire:
    events = chat_wire.text_answer()
    return Wire(
        name=name,
        make=make,
        model=chat_wire.MODEL,
        handle=chat_wire.handle,
        text_answer=chat_wire.text_answer,
        events=tuple(events),
        terminal=_index(events, b'"finish_reason": "stop"'),
        error=as_sse([{"error": {"message": "Overloaded", "type": "server_error", "code": 503}}])[0],
        quota=({"error": {"message": "No credit", "code": "insufficient_quota", "type": "insufficient_quota"}}, 429),
        too_long={"error": {"message": "Too long", "code": "context_length_exceeded", "type": "invalid_request_error"}},
    )


def _responses() -> Wire:
    events = responses_wire.text_answer()
    told = {"type": "error", "code": "server_error", "message": "Overloaded", "param": None, "sequence_number": 99}
    return Wire(
        name="responses",
        make=_responses_provider,
        model=chat_wire.MODEL,
        handle=responses_wire.handle,
        text_answer=responses_wire.text_answer,
        events=tuple(events),
        terminal=_index(events, b"response.completed"),
        error=as_sse([told], names=True)[0],
        quota=({"error": {"message": "No credit", "code": "insufficient_quota", "type": "insufficient_quota"}}, 429),
        too_long={"error": {"message": "Too long", "code": "context_length_exceeded", "type": "invalid_request_error"}},
    )


def _messages() -> Wire:
    events = anthropic_wire.text_answer()
    told = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    return Wire(
        name="anthropic",
        make=_anthropic,
        model=anthropic_wire.MODEL,
        handle=anthropic_wire.handle,
        text_answer=anthropic_wire.text_answer,
        events=tuple(events),
        terminal=_index(events, b'"message_stop"'),
        error=f"event: error\ndata: {json.dumps(told)}\n\n".encode(),
        quota=({"type": "error", "error": {"type": "billing_error", "message": "No credit"}}, 402),
        too_long={"type": "error", "error": {"type": "context_length_exceeded", "message": "Too long"}},
    )


WIRES = (_chat("compatible", _compatible), _chat("openai", _openai), _responses(), _messages())
"""All of them."""
