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

TYPE_CHECKING = False  # type checkers know this name for what it is, and importing it would cost more than all the rest
if TYPE_CHECKING:
    from sentient_cli import experiments, llm, testing
    from sentient_cli.clock import Ulid
    from sentient_cli.config.manager import ConfigurationManager
    from sentient_cli.credentials.manager import CredentialManager
    from sentient_cli.errors import (
        AgentLoadError,
        AnswerRestartedError,
        AuthenticationError,
        BadRequestError,
        BudgetExceededError,
        CircuitOpenError,
        ConfigError,
        ConfigurationNotFoundError,
        ContentFilterError,
        ContextLengthExceededError,
        CredentialNotFoundError,
        InvalidEventError,
        ModelNotFoundError,
        NetworkError,
        OutputError,
        PermissionDeniedError,
        PoolExhaustedError,
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
        ToolDefinitionError,
        ToolError,
        ToolLimitError,
        ToolResultError,
        ToolTimeoutError,
        UsageError,
    )
    from sentient_cli.host.credentials import open_credentials
    from sentient_cli.llm.call import CallOptions
    from sentient_cli.llm.manager import LLMManager
    from sentient_cli.llm.parameters import Parameters
    from sentient_cli.llm.parts import AudioPart, DocumentPart, ImagePart, TextPart
    from sentient_cli.llm.provider import LLMProvider
    from sentient_cli.llm.streaming import LLMStream
    from sentient_cli.llm.tools.definition import Tool, tool
    from sentient_cli.llm.tools.toolset import Toolset
    from sentient_cli.llm.types import Chunk, Completion, Message, TypedCompletion, Usage
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
    "AnswerRestartedError",
    "AudioPart",
    "AuthenticationError",
    "BadRequestError",
    "BudgetExceededError",
    "CallOptions",
    "Chunk",
    "CircuitOpenError",
    "Completion",
    "ConfigError",
    "ConfigurationManager",
    "ConfigurationNotFoundError",
    "ContentFilterError",
    "ContextLengthExceededError",
    "CredentialManager",
    "CredentialNotFoundError",
    "DocumentPart",
    "DoneEvent",
    "ErrorContent",
    "ErrorEvent",
    "Event",
    "EventMetadata",
    "ImagePart",
    "Interaction",
    "InvalidEventError",
    "JsonEvent",
    "JsonValue",
    "LLMManager",
    "LLMProvider",
    "LLMStream",
    "Message",
    "ModelNotFoundError",
    "NetworkError",
    "OutputError",
    "Parameters",
    "PermissionDeniedError",
    "PoolExhaustedError",
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
    "TextPart",
    "Tool",
    "ToolArgumentsError",
    "ToolDefinitionError",
    "ToolError",
    "ToolLimitError",
    "ToolResultError",
    "ToolTimeoutError",
    "Toolset",
    "TypedCompletion",
    "Ulid",
    "Usage",
    "UsageError",
    "__version__",
    "agent",
    "decode_event",
    "encode_event",
    "experiments",
    "is_done",
    "is_error",
    "is_json",
    "is_text_block",
    "is_text_chunk",
    "llm",
    "open_credentials",
    "testing",
    "tool",
]

_HOMES = {
    "clock": "Ulid",
    "config.manager": "ConfigurationManager",
    "credentials.manager": "CredentialManager",
    "errors": (
        "AgentLoadError AnswerRestartedError AuthenticationError BadRequestError BudgetExceededError "
        "CircuitOpenError ConfigError ConfigurationNotFoundError ContentFilterError ContextLengthExceededError "
        "CredentialNotFoundError InvalidEventError ModelNotFoundError NetworkError OutputError "
        "PermissionDeniedError PoolExhaustedError ProjectError ProviderConnectionError ProviderError "
        "ProviderTimeoutError QuotaError RateLimitError ResponseClosedError RunError SentientError "
        "ServerError StateError StoreError ToolArgumentsError ToolDefinitionError ToolError "
        "ToolLimitError ToolResultError ToolTimeoutError UsageError"
    ),
    "host.credentials": "open_credentials",
    "llm.call": "CallOptions",
    "llm.manager": "LLMManager",
    "llm.parameters": "Parameters",
    "llm.parts": "AudioPart DocumentPart ImagePart TextPart",
    "llm.provider": "LLMProvider",
    "llm.streaming": "LLMStream",
    "llm.tools.definition": "Tool tool",
    "llm.tools.toolset": "Toolset",
    "llm.types": "Chunk Completion Message TypedCompletion Usage",
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
_SUBPACKAGES = frozenset({"experiments", "llm", "testing"})


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
