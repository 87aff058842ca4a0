"""Answers to HTTP/1.0, which knows no chunks: one without a length ends where its connection does (RFC 9112, 6.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from starlette.types import Message, Send

__all__ = ["AnswerCycle", "end_with_the_connection"]


class AnswerCycle(Protocol):
    """What uvicorn knows of one answer, as far as its framing goes."""

    send: Send
    chunked_encoding: bool | None
    expected_content_length: int


def end_with_the_connection(cycle: AnswerCycle) -> None:
    """Have an answer sent as it comes, without chunks; uvicorn itself closes a connection of HTTP/1.0 after it.

    Args:
        cycle: uvicorn's, which has not begun to answer.
    """
    send_framed = cycle.send
    unmeasured = False

    async def send(message: Message) -> None:
        nonlocal unmeasured
        if message["type"] == "http.response.start":
            unmeasured = all(name.lower() != b"content-length" for name, _ in message.get("headers", ()))
            cycle.chunked_encoding = False if unmeasured else None
        elif unmeasured:
            cycle.expected_content_length = len(message.get("body", b""))  # uvicorn counts down to zero
        await send_framed(message)

    cycle.send = send
