"""Every error that this package raises, in one tree.

    SentientError                       exit  code
    ├── UsageError                       2    usage
    │   └── ProjectNameError             2    project-name
    ├── ConfigError                      3    config
    │   ├── ConfigurationNotFoundError   3    config-not-found
    │   └── CredentialNotFoundError      3    credential-not-found
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

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "AddressInUseError",
    "AddressNotAllowedError",
    "AgentAmbiguousError",
    "AgentImportError",
    "AgentLoadError",
    "AgentNotFoundError",
    "AgentSignatureError",
    "AnswerRestartedError",
    "AuthenticationError",
    "BadRequestError",
    "BudgetExceededError",
    "CircuitOpenError",
    "ConfigError",
    "ConfigurationNotFoundError",
    "ContentFilterError",
    "ContextLengthExceededError",
    "CredentialNotFoundError",
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


class SentientError(Exception):
    """The root of every error of this package.

    Args:
        what: What happened, one sentence without a final full stop.
        why: The reason, when it is known.
        fix: What the reader can do, as an instruction; may hold a command.
        detail: Longer material, such as the frames of the user's own code; shown below the rest.

    Example:
        >>> error = SentientError("The file is gone", fix="Restore it")
        >>> error.code, error.exit_code, str(error)
        ('failed', 1, 'The file is gone. Restore it.')
    """

    code: ClassVar[str] = "failed"
    """A stable name in kebab case; each has a place in the documentation."""
    exit_code: ClassVar[int] = 1
    """What the process ends with when this error reaches ``main()``."""

    def __init_subclass__(cls, *, code: str | None = None, exit_code: int | None = None) -> None:
        super().__init_subclass__()
        cls.code = code or cls.code
        cls.exit_code = cls.exit_code if exit_code is None else exit_code

    def __init__(self, what: str, *, why: str = "", fix: str = "", detail: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix
        self.detail = detail

    def __str__(self) -> str:
        parts = (self.what, self.why, self.fix)
        return " ".join(part if part.endswith((".", "?", "!", "`")) else f"{part}." for part in parts if part)

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions rebuild themselves from `args` alone, which would lose the keyword fields and those of subclasses.
        return _rebuild, (type(self), self.args, self.__dict__.copy())


def _rebuild(cls: type[SentientError], args: tuple[object, ...], state: dict[str, object]) -> SentientError:
    error = cls.__new__(cls, *args)
    error.__dict__.update(state)
    return error


def _told(faults: Mapping[str, str]) -> str:
    return "; ".join(f"{path}: {fault}" if path else fault for path, fault in faults.items())


class UsageError(SentientError, code="usage", exit_code=2):
    """The command was called in a way that it does not understand."""


class ProjectNameError(UsageError, code="project-name"):
    """A project cannot have this name: no Python package could be called after it."""


class ConfigError(SentientError, code="config", exit_code=3):
    """A setting is missing, malformed or contradictory."""


class ConfigurationNotFoundError(ConfigError, code="config-not-found"):
    """A named configuration (profile, preset, file) does not exist."""


class CredentialNotFoundError(ConfigError, code="credential-not-found"):
    """No credential was found for a provider that needs one."""


class NetworkError(SentientError, code="network", exit_code=4):
    """A connection could not be made, or broke and could not be resumed."""


class AddressInUseError(NetworkError, code="address-in-use"):
    """The port to listen on is taken."""


class AddressNotAllowedError(NetworkError, code="address-not-allowed"):
    """The address or port may not be listened on: privileged, not of this machine, or public without protection."""


class ProviderError(SentientError, code="provider", exit_code=4):
    """An LLM provider failed.

    Args:
        what: What happened.
        why: The reason, when it is known.
        fix: What the reader can do.
        detail: Longer material.
        provider: The id of the provider, such as ``"offline"``.
        partial_text: The text received before the failure, when a stream broke.
        retry_after: Seconds to wait before another try, when the provider said so.
        retryable: Whether the same request can succeed when sent again.
    """

    _retryable: ClassVar[bool] = False

    def __init_subclass__(
        cls, *, code: str | None = None, exit_code: int | None = None, retryable: bool | None = None
    ) -> None:
        super().__init_subclass__(code=code, exit_code=exit_code)
        if retryable is not None:
            cls._retryable = retryable

    def __init__(
        self,
        what: str,
        *,
        why: str = "",
        fix: str = "",
        detail: str = "",
        provider: str = "",
        partial_text: str = "",
        retry_after: float | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(what, why=why, fix=fix, detail=detail)
        self.provider = provider
        self.partial_text = partial_text
        self.retry_after = retry_after
        self.retryable: bool = self._retryable if retryable is None else retryable


class ProviderConnectionError(ProviderError, code="provider-connection", retryable=True):
    """The provider could not be reached, or the connection broke."""


class ProviderTimeoutError(ProviderError, code="provider-timeout", retryable=True):
    """The provider did not answer in time."""


class PoolExhaustedError(ProviderError, code="pool-exhausted", retryable=True):
    """All connections to the provider that there may be were in use for too long; it was not asked."""


class AuthenticationError(ProviderError, code="authentication", exit_code=3):
    """The provider refused the credential."""


class PermissionDeniedError(ProviderError, code="permission-denied", exit_code=3):
    """The credential is valid but may not do this."""


class RateLimitError(ProviderError, code="rate-limit", retryable=True):
    """The provider asks for fewer requests; ``retry_after`` says when to come back."""


class QuotaError(ProviderError, code="quota"):
    """The account has no budget left; waiting does not help."""


class BudgetExceededError(ProviderError, code="budget-exceeded"):
    """A call would cost more than is allowed for it, its session, the day or the profile: it was not sent."""


class ServerError(ProviderError, code="provider-server", retryable=True):
    """The provider failed on its side (5xx)."""


class BadRequestError(ProviderError, code="bad-request"):
    """The provider does not accept the request as it is."""


class ContextLengthExceededError(BadRequestError, code="context-length"):
    """The request is longer than the model's context."""


class ModelNotFoundError(BadRequestError, code="model-not-found"):
    """The provider has no such model, or does not let this account use it."""


class ContentFilterError(ProviderError, code="content-filter"):
    """The provider filtered the request or the answer."""


class CircuitOpenError(ProviderError, code="circuit-open"):
    """The provider failed too often a moment ago and is not called for now."""


class AnswerRestartedError(ProviderError, code="answer-restarted"):
    """An answer that was read as text begins anew: what was read is void. Read on, and the new one comes."""


class OutputError(ProviderError, code="output", retryable=True):
    """A model's answer is not what was asked for; ``partial_text`` is the answer.

    Args:
        what: What happened.
        faults: What is wrong, by the path of each place, such as ``days[0].high``; a path may be empty.
        why: The reason; that of the faults unless given.
        fix: What the reader can do.
        provider: The id of the provider.
        partial_text: The answer.
    """

    def __init__(
        self,
        what: str,
        *,
        faults: Mapping[str, str] | None = None,
        why: str = "",
        fix: str = "",
        provider: str = "",
        partial_text: str = "",
    ) -> None:
        self.faults: dict[str, str] = dict(faults or {})
        super().__init__(what, why=why or _told(self.faults), fix=fix, provider=provider, partial_text=partial_text)


class ProjectError(SentientError, code="project", exit_code=5):
    """A project or a template is not usable."""


class AgentLoadError(ProjectError, code="agent-load"):
    """The agent could not be loaded."""


class AgentNotFoundError(AgentLoadError, code="agent-not-found"):
    """There is no agent where one was looked for."""


class AgentAmbiguousError(AgentLoadError, code="agent-ambiguous"):
    """There are several agents and none was named."""


class AgentImportError(AgentLoadError, code="agent-import"):
    """The agent's code raised while it was imported or set up; ``detail`` holds the frames of the user's own code."""


class AgentSignatureError(AgentLoadError, code="agent-signature"):
    """The object that was found is no agent: its ``assist`` is missing, not async, or takes other arguments."""


class TemplateError(ProjectError, code="template"):
    """A template is not usable."""


class TemplateNotFoundError(TemplateError, code="template-not-found"):
    """There is no template where one was looked for."""


class TemplateUnsafeError(TemplateError, code="template-unsafe"):
    """A template wants what it may not have: to run programs, to write elsewhere, or more room than is allowed."""


class TemplateRenderError(TemplateError, code="template-render"):
    """A template could not be rendered: it holds a mistake, or took too long or too much memory."""


class ProjectExistsError(ProjectError, code="project-exists"):
    """Something is already where the project should be."""


class SetupFailedError(ProjectError, code="setup-failed"):
    """A new project could not be installed or verified; ``detail`` holds the end of what the tools said."""


class RunError(SentientError, code="run"):
    """A run failed for a reason of its own."""


class ResponseClosedError(RunError, code="response-closed"):
    """Something was emitted after the response, or one of its streams, was complete."""


class InvalidEventError(RunError, code="invalid-event"):
    """An event cannot go on the wire: bad name, bad metadata, content that is no JSON."""


class RunOverflowError(RunError, code="run-overflow"):
    """A run that nobody reads wrote more than its log may hold."""


class RunNotFoundError(RunError, code="run-not-found"):
    """There is no run of this id, or it is no longer kept."""


class OverloadedError(RunError, code="overloaded"):
    """No further run is taken: as many as allowed are running, or the server is leaving."""


class ToolError(SentientError, code="tool"):
    """A tool did not do what it was asked. A tool raises it itself to tell the model why."""


class ToolDefinitionError(ToolError, code="tool-definition"):
    """A function cannot be a tool: a type hint is missing, its name is not allowed, or two tools share one."""


class ToolArgumentsError(ToolError, code="tool-arguments"):
    """The arguments of a tool call do not fit.

    Args:
        what: What happened.
        faults: What is wrong, by the path of each place, such as ``days[0].high``; a path may be empty.
        fix: What the reader can do.
    """

    def __init__(self, what: str, *, faults: Mapping[str, str], fix: str = "") -> None:
        super().__init__(what, why=_told(faults), fix=fix)
        self.faults: dict[str, str] = dict(faults)


class ToolResultError(ToolError, code="tool-result"):
    """What a tool returned cannot be written as JSON, so that a model could not read it."""


class ToolTimeoutError(ToolError, code="tool-timeout"):
    """A tool took longer than it may."""


class ToolLimitError(ToolError, code="tool-limit"):
    """A model went on asking for tools until it was asked as often as allowed."""


class StoreError(SentientError, code="store"):
    """A store could not do what it was asked."""


class StateError(StoreError, code="state"):
    """A value of a session's state does not fit the type of its key, or is too large to be kept."""


class VersionConflictError(StoreError, code="version-conflict"):
    """A row was changed by somebody else since it was read."""


class LogSequenceError(StoreError, code="log-sequence"):
    """Entries were appended that do not continue the log."""


class CursorError(StoreError, code="cursor"):
    """A cursor is not one of this log."""


class CursorExpiredError(CursorError, code="cursor-expired"):
    """The entries after this cursor are no longer kept.

    Args:
        what: What happened.
        first_seq: The first seq that can still be read.
    """

    def __init__(self, what: str, *, first_seq: int, why: str = "", fix: str = "", detail: str = "") -> None:
        super().__init__(what, why=why, fix=fix, detail=detail)
        self.first_seq = first_seq


class DifferenceFoundError(SentientError, code="difference", exit_code=6):
    """A comparison was asked for and its sides differ."""


class UpdateConflictError(DifferenceFoundError, code="update-conflict"):
    """A template and its project changed the same lines: they are marked, and wait for a decision."""


class InternalError(SentientError, code="internal"):
    """A bug of this package: an exception that nobody expected."""


class UserInterruptError(SentientError, code="interrupted", exit_code=130):
    """The user interrupted the command."""
