"""Build, serve and talk to AI agents that speak the Sentient Chat protocol.

Importing the package costs nothing: a public name is imported when it is first used.

Example:
    >>> from sentient_cli import Agent, Query, Response, Session
    >>> class Echo(Agent):
    ...     async def assist(self, session: Session, query: Query, response: Response) -> None:
    ...         await response.text_block("ANSWER", query.prompt)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentient_cli import llm, testing
    from sentient_cli.clock import Ulid
    from sentient_cli.errors import (
        AgentLoadError,
        AuthenticationError,
        BadRequestError,
        ConfigError,
        ContentFilterError,
        ContextLengthExceededError,
        CredentialNotFoundError,
        InvalidEventError,
        NetworkError,
        OutputError,
        ProjectError,
        ProviderConnectionError,
        ProviderError,
        ProviderTimeoutError,
        QuotaError,
        RateLimitError,
        ResponseClosedError,
        RunError,
        SentientError,
        ServerError,
        StateError,
        StoreError,
        ToolArgumentsError,
        ToolError,
        UsageError,
    )
    from sentient_cli.llm.manager import LLMManager
    from sentient_cli.llm.provider import LLMProvider
    from sentient_cli.llm.tools.definition import Tool, tool
    from sentient_cli.runtime.agent import Agent, AgentLike, agent
    from sentient_cli.runtime.events import (
        DoneEvent,
        ErrorContent,
        ErrorEvent,
        Event,
        EventMetadata,
        JsonEvent,
        JsonValue,
        TextBlockEvent,
        TextChunkEvent,
        decode_event,
        encode_event,
        is_done,
        is_error,
        is_json,
        is_text_block,
        is_text_chunk,
    )
    from sentient_cli.runtime.request import Interaction, Query
    from sentient_cli.runtime.response import Response, ResponseStream
    from sentient_cli.runtime.session import Session
    from sentient_cli.runtime.state import SessionState, StateKey

__version__ = "0.1.0"

__all__ = [
    "Agent",
    "AgentLike",
    "AgentLoadError",
    "AuthenticationError",
    "BadRequestError",
    "ConfigError",
    "ContentFilterError",
    "ContextLengthExceededError",
    "CredentialNotFoundError",
    "DoneEvent",
    "ErrorContent",
    "ErrorEvent",
    "Event",
    "EventMetadata",
    "Interaction",
    "InvalidEventError",
    "JsonEvent",
    "JsonValue",
    "LLMManager",
    "LLMProvider",
    "NetworkError",
    "OutputError",
    "ProjectError",
    "ProviderConnectionError",
    "ProviderError",
    "ProviderTimeoutError",
    "Query",
    "QuotaError",
    "RateLimitError",
    "Response",
    "ResponseClosedError",
    "ResponseStream",
    "RunError",
    "SentientError",
    "ServerError",
    "Session",
    "SessionState",
    "StateError",
    "StateKey",
    "StoreError",
    "TextBlockEvent",
    "TextChunkEvent",
    "Tool",
    "ToolArgumentsError",
    "ToolError",
    "Ulid",
    "UsageError",
    "__version__",
    "agent",
    "decode_event",
    "encode_event",
    "is_done",
    "is_error",
    "is_json",
    "is_text_block",
    "is_text_chunk",
    "llm",
    "testing",
    "tool",
]

_HOMES = {
    "clock": "Ulid",
    "errors": (
        "AgentLoadError AuthenticationError BadRequestError ConfigError ContentFilterError ContextLengthExceededError "
        "CredentialNotFoundError InvalidEventError NetworkError OutputError ProjectError ProviderConnectionError "
        "ProviderError ProviderTimeoutError QuotaError RateLimitError ResponseClosedError RunError SentientError "
        "ServerError StateError StoreError ToolArgumentsError ToolError UsageError"
    ),
    "llm.manager": "LLMManager",
    "llm.provider": "LLMProvider",
    "llm.tools.definition": "Tool tool",
    "runtime.agent": "Agent AgentLike agent",
    "runtime.events": (
        "DoneEvent ErrorContent ErrorEvent Event EventMetadata JsonEvent JsonValue TextBlockEvent TextChunkEvent "
        "decode_event encode_event is_done is_error is_json is_text_block is_text_chunk"
    ),
    "runtime.request": "Interaction Query",
    "runtime.response": "Response ResponseStream",
    "runtime.session": "Session",
    "runtime.state": "SessionState StateKey",
}
_MODULES = {name: f"{__name__}.{home}" for home, names in _HOMES.items() for name in names.split()}
_SUBPACKAGES = frozenset({"llm", "testing"})


if not TYPE_CHECKING:  # a type checker shall know the names above and no others

    def __getattr__(name: str) -> object:
        if name in _SUBPACKAGES:
            return importlib.import_module(f"{__name__}.{name}")
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value: object = getattr(importlib.import_module(_MODULES[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
