"""Language models: `stream` and `generate`, the manager behind them, and what a provider has to do.

An agent writes ``async for text in llm.stream(query.prompt)``. Names load on first use, so the import costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentient_cli.llm.ambient import current_manager
    from sentient_cli.llm.batches import BatchProvider, BatchResult, BatchStatus
    from sentient_cli.llm.call import AfterContent, CallOptions
    from sentient_cli.llm.config.checking import conflicts
    from sentient_cli.llm.config.conflict import Conflict
    from sentient_cli.llm.config.view import LLMConfig
    from sentient_cli.llm.current import batch_provider, generate, get_manager, stream
    from sentient_cli.llm.hooks import CallHook, CallRecord, RecordKind
    from sentient_cli.llm.loop import ToolStream
    from sentient_cli.llm.manager import LLMManager
    from sentient_cli.llm.models.prices import PriceBook
    from sentient_cli.llm.offline import OfflineProvider
    from sentient_cli.llm.parameters import Effort, Parameters
    from sentient_cli.llm.parts import AudioPart, DocumentPart, ImagePart, Part, TextPart, ThinkingPart
    from sentient_cli.llm.presets import preset, use
    from sentient_cli.llm.provider import (
        Capabilities,
        LLMProvider,
        ModelInfo,
        ProviderConfig,
        ProviderMetrics,
        RateLimits,
        Request,
        TokenCount,
    )
    from sentient_cli.llm.resilience.answers import SqliteCache
    from sentient_cli.llm.resilience.breaker import BreakerPolicy, BreakerState
    from sentient_cli.llm.resilience.cache import AnswerCache, MemoryCache
    from sentient_cli.llm.resilience.deadlines import Deadlines
    from sentient_cli.llm.resilience.failover import FailoverPolicy
    from sentient_cli.llm.resilience.hedging import HedgePolicy
    from sentient_cli.llm.resilience.outage import OutagePolicy
    from sentient_cli.llm.resilience.policies import ProviderPolicies, ResiliencePolicies
    from sentient_cli.llm.resilience.retry import RetryContext, RetryPolicy, RetryStrategy
    from sentient_cli.llm.resilience.targets import Choice, Chooser, Target
    from sentient_cli.llm.running import run_tools, stream_tools
    from sentient_cli.llm.streaming import LLMStream
    from sentient_cli.llm.subject import CallSubject, current_subject, on_behalf_of
    from sentient_cli.llm.tools.definition import AsyncTool, SyncTool, Tool, tool
    from sentient_cli.llm.tools.toolset import Toolset
    from sentient_cli.llm.types import (
        Chunk,
        Completion,
        FinishReason,
        Message,
        Messages,
        OutputSpec,
        Role,
        ToolCall,
        ToolCallDelta,
        ToolLike,
        ToolSpec,
        TypedCompletion,
        Usage,
    )
    from sentient_cli.llm.usage.hook import UsageHook, UsageSink
    from sentient_cli.llm.usage.ledger import UsageLedger
    from sentient_cli.llm.usage.rows import UsageRow

__all__ = [
    "AfterContent",
    "AnswerCache",
    "AsyncTool",
    "AudioPart",
    "BatchProvider",
    "BatchResult",
    "BatchStatus",
    "BreakerPolicy",
    "BreakerState",
    "CallHook",
    "CallOptions",
    "CallRecord",
    "CallSubject",
    "Capabilities",
    "Choice",
    "Chooser",
    "Chunk",
    "Completion",
    "Conflict",
    "Deadlines",
    "DocumentPart",
    "Effort",
    "FailoverPolicy",
    "FinishReason",
    "HedgePolicy",
    "ImagePart",
    "LLMConfig",
    "LLMManager",
    "LLMProvider",
    "LLMStream",
    "MemoryCache",
    "Message",
    "Messages",
    "ModelInfo",
    "OfflineProvider",
    "OutagePolicy",
    "OutputSpec",
    "Parameters",
    "Part",
    "PriceBook",
    "ProviderConfig",
    "ProviderMetrics",
    "ProviderPolicies",
    "RateLimits",
    "RecordKind",
    "Request",
    "ResiliencePolicies",
    "RetryContext",
    "RetryPolicy",
    "RetryStrategy",
    "Role",
    "SqliteCache",
    "SyncTool",
    "Target",
    "TextPart",
    "ThinkingPart",
    "TokenCount",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "ToolLike",
    "ToolSpec",
    "ToolStream",
    "Toolset",
    "TypedCompletion",
    "Usage",
    "UsageHook",
    "UsageLedger",
    "UsageRow",
    "UsageSink",
    "batch_provider",
    "conflicts",
    "current_manager",
    "current_subject",
    "generate",
    "get_manager",
    "on_behalf_of",
    "preset",
    "run_tools",
    "stream",
    "stream_tools",
    "tool",
    "use",
]

_MODULES = {
    "call": ("AfterContent", "CallOptions"),
    "config.checking": ("conflicts",),
    "config.conflict": ("Conflict",),
    "config.view": ("LLMConfig",),
    "resilience.answers": ("SqliteCache",),
    "resilience.breaker": ("BreakerPolicy", "BreakerState"),
    "resilience.cache": ("AnswerCache", "MemoryCache"),
    "resilience.deadlines": ("Deadlines",),
    "resilience.failover": ("FailoverPolicy",),
    "resilience.hedging": ("HedgePolicy",),
    "resilience.outage": ("OutagePolicy",),
    "resilience.policies": ("ProviderPolicies", "ResiliencePolicies"),
    "resilience.retry": ("RetryContext", "RetryPolicy", "RetryStrategy"),
    "resilience.targets": ("Choice", "Chooser", "Target"),
    "models.prices": ("PriceBook",),
    "usage.hook": ("UsageHook", "UsageSink"),
    "usage.ledger": ("UsageLedger",),
    "usage.rows": ("UsageRow",),
    "subject": ("CallSubject", "current_subject", "on_behalf_of"),
    "batches": ("BatchProvider", "BatchResult", "BatchStatus"),
    "ambient": ("current_manager",),
    "current": ("batch_provider", "generate", "get_manager", "stream"),
    "hooks": ("CallHook", "CallRecord", "RecordKind"),
    "manager": ("LLMManager",),
    "loop": ("ToolStream",),
    "offline": ("OfflineProvider",),
    "parameters": ("Effort", "Parameters"),
    "parts": ("AudioPart", "DocumentPart", "ImagePart", "Part", "TextPart", "ThinkingPart"),
    "provider": (
        "Capabilities",
        "LLMProvider",
        "ModelInfo",
        "ProviderConfig",
        "ProviderMetrics",
        "RateLimits",
        "Request",
        "TokenCount",
    ),
    "presets": ("preset", "use"),
    "running": ("run_tools", "stream_tools"),
    "streaming": ("LLMStream",),
    "tools.definition": ("AsyncTool", "SyncTool", "Tool", "tool"),
    "tools.toolset": ("Toolset",),
    "types": (
        "Chunk",
        "Completion",
        "FinishReason",
        "Message",
        "Messages",
        "OutputSpec",
        "Role",
        "ToolCall",
        "ToolCallDelta",
        "ToolLike",
        "ToolSpec",
        "TypedCompletion",
        "Usage",
    ),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    module = _HOME.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
