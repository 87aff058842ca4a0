"""The framework's exceptions."""

from __future__ import annotations

__all__ = ["AgentError", "ProcessorError", "ResponseStreamClosedError", "TextStreamClosedError"]


class ProcessorError(Exception):
    """The root of the framework's errors."""


class AgentError(ProcessorError):
    """The agent did what it must not, such as emitting what is no JSON."""


class ResponseStreamClosedError(ProcessorError):
    """Something was emitted after the response was complete."""


class TextStreamClosedError(ProcessorError):
    """Something was emitted to a text stream that was complete."""
