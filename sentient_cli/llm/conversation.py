"""What is asked, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, get_args

from sentient_cli.errors import BadRequestError
from sentient_cli.llm.types import Message, Messages, Role, ToolLike, ToolSpec

__all__ = ["as_conversation", "distinct_tools"]

_ROLES: Final = get_args(Role)


def as_conversation(messages: Messages) -> tuple[Message, ...]:
    """The messages of a prompt or a conversation.

    Raises:
        BadRequestError: there is none, or something else is among them.

    Example:
        >>> [message.role for message in as_conversation("Hello")]
        ['user']
    """
    if isinstance(messages, str):
        if not messages.isascii():
            _check_text(messages)
        return (Message.user(messages),)
    conversation = tuple(messages)
    for message in conversation:
        if not isinstance(message, Message):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise BadRequestError(
                f"A message is a `Message`, not {type(message).__name__}", fix='Write `Message.user("…")`, for example'
            )
        if message.role not in _ROLES:
            raise BadRequestError(
                f"There is no role {message.role!r:.40}",
                fix=f"The roles are {', '.join(f'`{role}`' for role in _ROLES)}",
            )
        if not message.text.isascii():
            _check_text(message.text)
    if not conversation:
        raise BadRequestError("The conversation is empty", fix="Give at least one message")
    return conversation


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadRequestError(
            "A message has half a character in it, which cannot be sent",
            why=f"At {error.start} there is a surrogate without its other half",
            fix="Decode its text with `errors='replace'`, or leave it out",
        ) from None


def distinct_tools(tools: Iterable[ToolLike]) -> tuple[ToolSpec, ...]:
    """The descriptions of tools.

    Raises:
        BadRequestError: two of them share a name.
    """
    if tools == ():
        return ()
    specs = tuple([tool.spec for tool in tools])
    if len(specs) < 2:  # noqa: PLR2004 - as in most calls
        return specs
    names = [spec.name for spec in specs]
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise BadRequestError(f"Two tools are called {twice!r}", fix="Give each tool of a request its own name")
    return specs
