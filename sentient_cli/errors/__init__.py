"""Every error that this package raises, in one tree.

    SentientError                       exit  code
    ├── UsageError                       2    usage
    │   └── ProjectNameError             2    project-name
    ├── ConfigError                      3    config
    │   ├── ConfigurationNotFoundError   3    config-not-found
    │   ├── CredentialNotFoundError      3    credential-not-found
    │   ├── CredentialHostError          3    credential-host
    │   └── CredentialStoreError         3    credential-store
    │       └── CredentialConflictError  3    credential-conflict
    ├── AuditError                       3    audit
    ├── NetworkError                     4    network
    │   ├── AddressInUseError            4    address-in-use
    │   └── AddressNotAllowedError       4    address-not-allowed
    ├── ProviderError                    4    provider
    │   ├── ProviderConnectionError      4    provider-connection
    │   ├── ProviderTimeoutError         4    provider-timeout
    │   ├── PoolExhaustedError           4    pool-exhausted
    │   ├── AuthenticationError          3    authentication
    │   ├── PermissionDeniedError        3    permission-denied
    │   ├── RateLimitError               4    rate-limit
    │   ├── QuotaError                   4    quota
    │   ├── BudgetExceededError          4    budget-exceeded
    │   ├── ServerError                  4    provider-server
    │   ├── BadRequestError              4    bad-request
    │   ├── ContextLengthExceededError   4    context-length
    │   ├── ModelNotFoundError           4    model-not-found
    │   ├── ContentFilterError           4    content-filter
    │   ├── CircuitOpenError             4    circuit-open
    │   ├── AnswerRestartedError         4    answer-restarted
    │   └── OutputError                  4    output
    ├── ProjectError                     5    project
    │   ├── AgentLoadError               5    agent-load
    │   │   ├── AgentNotFoundError       5    agent-not-found
    │   │   ├── AgentAmbiguousError      5    agent-ambiguous
    │   │   ├── AgentImportError         5    agent-import
    │   │   └── AgentSignatureError      5    agent-signature
    │   ├── TemplateError                5    template
    │   │   ├── TemplateNotFoundError    5    template-not-found
    │   │   ├── TemplateUnsafeError      5    template-unsafe
    │   │   └── TemplateRenderError      5    template-render
    │   ├── ProjectExistsError           5    project-exists
    │   └── SetupFailedError             5    setup-failed
    ├── RunError                         1    run
    │   ├── ResponseClosedError          1    response-closed
    │   ├── InvalidEventError            1    invalid-event
    │   ├── RunOverflowError             1    run-overflow
    │   ├── RunNotFoundError             1    run-not-found
    │   └── OverloadedError              1    overloaded
    ├── ToolError                        1    tool
    │   ├── ToolDefinitionError          1    tool-definition
    │   ├── ToolArgumentsError           1    tool-arguments
    │   ├── ToolResultError              1    tool-result
    │   ├── ToolTimeoutError             1    tool-timeout
    │   └── ToolLimitError               1    tool-limit
    ├── StoreError                       1    store
    │   ├── StateError                   1    state
    │   ├── VersionConflictError         1    version-conflict
    │   ├── LogSequenceError             1    log-sequence
    │   └── CursorError                  1    cursor
    │       └── CursorExpiredError       1    cursor-expired
    ├── DifferenceFoundError             6    difference
    │   └── UpdateConflictError          6    update-conflict
    ├── InternalError                    1    internal
    └── UserInterruptError              130    interrupted

An error says what happened, why, and what to do. Exit codes are stable: 0 ok, 1 failed, 2 usage, 3 configuration or
credentials, 4 provider or network, 5 project or template, 6 a difference was found, 130 interrupted.
"""

from __future__ import annotations

from sentient_cli.errors.base import (
    AddressInUseError,
    AddressNotAllowedError,
    AuditError,
    ConfigError,
    ConfigurationNotFoundError,
    CredentialConflictError,
    CredentialHostError,
    CredentialNotFoundError,
    CredentialStoreError,
    DifferenceFoundError,
    InternalError,
    NetworkError,
    ProjectNameError,
    SentientError,
    UpdateConflictError,
    UsageError,
    UserInterruptError,
)
from sentient_cli.errors.project import (
    AgentAmbiguousError,
    AgentImportError,
    AgentLoadError,
    AgentNotFoundError,
    AgentSignatureError,
    ProjectError,
    ProjectExistsError,
    SetupFailedError,
    TemplateError,
    TemplateNotFoundError,
    TemplateRenderError,
    TemplateUnsafeError,
)
from sentient_cli.errors.provider import (
    AnswerRestartedError,
    AuthenticationError,
    BadRequestError,
    BudgetExceededError,
    CircuitOpenError,
    ContentFilterError,
    ContextLengthExceededError,
    ModelNotFoundError,
    OutputError,
    PermissionDeniedError,
    PoolExhaustedError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    QuotaError,
    RateLimitError,
    ServerError,
)
from sentient_cli.errors.work import (
    CursorError,
    CursorExpiredError,
    InvalidEventError,
    LogSequenceError,
    OverloadedError,
    ResponseClosedError,
    RunError,
    RunNotFoundError,
    RunOverflowError,
    StateError,
    StoreError,
    ToolArgumentsError,
    ToolDefinitionError,
    ToolError,
    ToolLimitError,
    ToolResultError,
    ToolTimeoutError,
    VersionConflictError,
)

__all__ = [
    "AddressInUseError",
    "AddressNotAllowedError",
    "AgentAmbiguousError",
    "AgentImportError",
    "AgentLoadError",
    "AgentNotFoundError",
    "AgentSignatureError",
    "AnswerRestartedError",
    "AuditError",
    "AuthenticationError",
    "BadRequestError",
    "BudgetExceededError",
    "CircuitOpenError",
    "ConfigError",
    "ConfigurationNotFoundError",
    "ContentFilterError",
    "ContextLengthExceededError",
    "CredentialConflictError",
    "CredentialHostError",
    "CredentialNotFoundError",
    "CredentialStoreError",
    "CursorError",
    "CursorExpiredError",
    "DifferenceFoundError",
    "InternalError",
    "InvalidEventError",
    "LogSequenceError",
    "ModelNotFoundError",
    "NetworkError",
    "OutputError",
    "OverloadedError",
    "PermissionDeniedError",
    "PoolExhaustedError",
    "ProjectError",
    "ProjectExistsError",
    "ProjectNameError",
    "ProviderConnectionError",
    "ProviderError",
    "ProviderTimeoutError",
    "QuotaError",
    "RateLimitError",
    "ResponseClosedError",
    "RunError",
    "RunNotFoundError",
    "RunOverflowError",
    "SentientError",
    "ServerError",
    "SetupFailedError",
    "StateError",
    "StoreError",
    "TemplateError",
    "TemplateNotFoundError",
    "TemplateRenderError",
    "TemplateUnsafeError",
    "ToolArgumentsError",
    "ToolDefinitionError",
    "ToolError",
    "ToolLimitError",
    "ToolResultError",
    "ToolTimeoutError",
    "UpdateConflictError",
    "UsageError",
    "UserInterruptError",
    "VersionConflictError",
]
