"""What is asked, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, cast, get_args

from sentient_cli.errors import BadRequestError
from sentient_cli.llm.offered import check_tools
from sentient_cli.llm.parts import AudioPart, DocumentPart, ImagePart, TextPart, ThinkingPart
from sentient_cli.llm.types import Message, Messages, OutputSpec, Role, ToolLike, ToolSpec

__all__ = ["as_conversation", "check_choice", "distinct_tools"]

_ROLES: Final = get_args(Role)
_PARTS: Final = (TextPart, ImagePart, AudioPart, DocumentPart, ThinkingPart)
_CHOICES: Final = frozenset({"auto", "none", "required", "any"})


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
        return (Message("user", messages),)
    conversation = _listed(messages)
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
        if type(message.content) is not str:
            _check_parts(message.role, message.content)
        if not message.text.isascii():
            _check_text(message.text)
    if not conversation:
        raise BadRequestError("The conversation is empty", fix="Give at least one message")
    return conversation


def _listed(messages: object) -> tuple[Message, ...]:
    """What was given as messages, each of which is yet to be checked."""
    name = _name(messages)
    if isinstance(messages, Mapping | bytes) or not isinstance(messages, Iterable):
        raise BadRequestError(
            f"A conversation is a text or a list of messages, not {name}",
            fix='Give a text, or `[Message.user("…")]`',
        )
    return tuple(cast("Iterable[Message]", messages))


def _check_parts(role: str, content: object) -> None:
    """See whether the content of a message is parts.

    Raises:
        BadRequestError: it is something else.
    """
    if isinstance(content, str):  # of a class of its own
        return
    if not isinstance(content, tuple | list):
        raise BadRequestError(
            f"The content of a message of the role {role!r} is {_name(content)}",
            fix="Give a text, which may be empty, or a tuple of parts",
        )
    for part in cast("Sequence[object]", content):
        if not isinstance(part, _PARTS):
            raise BadRequestError(
                f"A part of a message is `TextPart`, `ImagePart` or another part, not {_name(part)}",
                fix='Write `TextPart("…")` for a text among parts',
            )


def _name(value: object) -> str:
    return type(value).__name__


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
        ToolDefinitionError: something else is among them, such as a plain function.
    """
    if tools == ():
        return ()
    try:
        specs = tuple([tool.spec for tool in tools])
    except (AttributeError, TypeError):
        check_tools(tools)
        raise
    if len(specs) < 2:  # noqa: PLR2004 - as in most calls
        return specs
    names = [spec.name for spec in specs]
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise BadRequestError(f"Two tools are called {twice!r}", fix="Give each tool of a request its own name")
    return specs


def check_choice(choice: str, tools: Sequence[ToolSpec], output: OutputSpec | None = None) -> None:
    """See whether the tool that must be asked for is among those that are offered.

    Args:
        choice: As `Parameters` has it.
        tools: Those that are offered; without any a choice says nothing.
        output: The form of the answer, which may be given by a tool.

    Raises:
        BadRequestError: it is not.

    Example:
        >>> check_choice("required", [ToolSpec("now")])
    """
    names = [tool.name for tool in tools]
    if not names or choice in names or choice in _CHOICES or (output is not None and choice == output.FINAL_ANSWER):
        return
    from difflib import get_close_matches  # noqa: PLC0415 - only for those who err

    near = get_close_matches(choice, names, n=1)
    hint = f"Did you mean `{near[0]}`? " if near else ""
    raise BadRequestError(
        f"The parameter 'tool_choice' names {choice!r:.80}, which is not offered",
        why=f"The tools are {', '.join(names):.400}",
        fix=f"{hint}Name one of these, or use `auto`, `none` or `required`",
    )
