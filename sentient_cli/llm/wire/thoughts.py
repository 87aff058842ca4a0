"""Whose thoughts a model is given back: by the form of their signature, since a provider refuses those of another."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

__all__ = ["SEPARATOR", "SignedBy", "signed_by"]

SEPARATOR: Final = "|"
"""Between the id of a thought and what only OpenAI can read of it."""

SignedBy: TypeAlias = Literal["messages", "responses", "chat", "nobody"]
"""Whose a signature is: Anthropic's, OpenAI's Responses', or that of chat completions with thoughts in parts."""


def signed_by(signature: str) -> SignedBy:
    """Which API the thoughts came from that a signature belongs to.

    Args:
        signature: Of a `ThinkingPart`.

    Example:
        >>> signed_by("rs_1|sealed"), signed_by('[{"type":"reasoning.text"}]'), signed_by("EqQB"), signed_by("")
        ('responses', 'chat', 'messages', 'nobody')
    """
    if not signature:
        return "nobody"
    if signature.startswith("["):  # what has the other forms is base64, or begins with an id
        return "chat"
    return "responses" if SEPARATOR in signature else "messages"
