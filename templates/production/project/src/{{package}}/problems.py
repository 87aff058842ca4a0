"""What can go wrong in a way that the reader of an answer has to know."""

from __future__ import annotations

from sentient_cli import ContentFilterError, ContextLengthExceededError, JsonValue, ProviderError, ToolError


class Problem(Exception):  # noqa: N818 - it is told to readers, as an `error` event
    """Ends an answer with an error event.

    Args:
        message: For the reader: what is wrong, and what to do.
        code: An HTTP status.
        reason: For programs; it never changes.
        details: Anything more for programs.
    """

    def __init__(self, message: str, code: int, *, reason: str, **details: JsonValue) -> None:
        """Take what the reader will be told."""
        super().__init__(message)
        self.code = code
        self.details = {"reason": reason, **details}


def problem_of(error: ProviderError | ToolError) -> Problem:
    """What a reader is told when the model fails or never comes to an end; the details stay in the log."""
    if isinstance(error, ToolError):
        return Problem("I found no answer. Please ask for less at once.", 504, reason="too-many-rounds")
    if isinstance(error, ContextLengthExceededError):
        return Problem("The conversation is too long. Please begin a new one.", 413, reason="conversation-too-long")
    if isinstance(error, ContentFilterError):
        return Problem("The model refuses to answer this.", 422, reason="refused")
    return Problem("The model cannot answer right now. Please try again.", 503, reason="model-unavailable")
