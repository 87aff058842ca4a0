"""What is asked, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, cast, get_args

from sentient_cli.errors import BadRequestError
from sentient_cli.llm.offered import check_call, check_tools
from sentient_cli.llm.parts import AudioPart, DocumentPart, ImagePart, TextPart, ThinkingPart
from sentient_cli.llm.types import Message, Messages, OutputSpec, Role, ToolCall, ToolLike, ToolSpec
from sentient_cli.llm.whole import check_whole

__all__ = [
    "as_conversation",
    "check_choice",
    "check_given",
    "check_said",
    "distinct_tools",
    "has_content",
    "nothing_to_answer",
]

_ROLES: Final = get_args(Role)
_PARTS: Final = (TextPart, ImagePart, AudioPart, DocumentPart, ThinkingPart)
_TEXT_ALONE: Final = frozenset({"system", "assistant"})
_CHOICES: Final = frozenset({"auto", "none", "required", "any"})


def as_conversation(messages: Messages) -> tuple[Message, ...]:
    """The messages of a prompt or a conversation.

    Raises:
        BadRequestError: there is none, something else is among them, or there is nothing in them to be answered.

    Example:
        >>> [message.role for message in as_conversation("Hello")]
        ['user']
    """
    if isinstance(messages, str):
        if not messages or messages.isspace():
            raise nothing_to_answer()
        check_whole(messages, "A message")
        return (Message("user", messages),)
    conversation = _listed(messages)
    is_said = False
    for message in conversation:
        if not isinstance(message, Message):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise BadRequestError(
                f"A message is a `Message`, not {type(message).__name__}", fix='Write `Message.user("…")`, for example'
            )
        _check(message)
        is_said = is_said or (message.role != "system" and has_content(message))
    if not conversation:
        raise BadRequestError("The conversation is empty", fix="Give at least one message")
    if not is_said:
        raise nothing_to_answer()
    return conversation


def _check(message: Message) -> None:
    role = message.role
    if role not in _ROLES:
        raise BadRequestError(
            f"There is no role {role!r:.40}", fix=f"The roles are {', '.join(f'`{known}`' for known in _ROLES)}"
        )
    if type(message.content) is not str:
        _check_parts(role, message.content)
    check_whole(message.text, "A message")
    if message.tool_calls or message.tool_call_id is not None or message.name is not None or role == "tool":
        _check_calls(message)


def has_content(message: Message) -> bool:
    r"""Whether there is more in a message than white space; one without is sent to nobody.

    Args:
        message: Of anybody.

    Example:
        >>> has_content(Message.user("Hi")), has_content(Message.user("\n"))
        (True, False)
    """
    content = message.content
    if isinstance(content, str) and content and not content.isspace():
        return True
    return (
        bool(message.tool_calls)
        or message.role == "tool"
        or any(not isinstance(part, TextPart) or (part.text and not part.text.isspace()) for part in message.parts)
    )


def check_said(messages: Iterable[Message], provider: str = "") -> None:
    """See whether there is something to answer.

    Args:
        messages: A conversation.
        provider: Who would be asked.

    Raises:
        BadRequestError: nobody says anything but the system.

    Example:
        >>> check_said([Message.system("Be brief"), Message.user("Hi")])
    """
    if not any(message.role != "system" and has_content(message) for message in messages):
        raise nothing_to_answer(provider)


def nothing_to_answer(provider: str = "") -> BadRequestError:
    """The error of a conversation in which nobody says anything but the system.

    Args:
        provider: Who would have been asked, if that is known.

    Example:
        >>> print(nothing_to_answer().what)
        There is nothing to answer
    """
    return BadRequestError(
        "There is nothing to answer",
        why="No message but those of the system has any content",
        fix="Add a message of the user with more than white space in it",
        provider=provider,
    )


def _check_calls(message: Message) -> None:
    """See whether what a message says of calls of tools belongs there.

    Raises:
        BadRequestError: it does not.
    """
    role, calls = message.role, cast("object", message.tool_calls)
    if calls and role != "assistant":
        raise BadRequestError(
            f"A message of the role {role!r} has calls of tools", fix="They belong to `Message.assistant(text, calls)`"
        )
    if (message.tool_call_id is None) == (role == "tool"):
        raise BadRequestError(
            "A result of a tool does not say of which call it is"
            if role == "tool"
            else f"A message of the role {role!r} has the id of a call, as only results of tools have",
            fix="Write `Message.tool(call, result)` with the call that was answered",
        )
    for field in ("tool_call_id", "name"):
        told: object = getattr(message, field)
        if not isinstance(told, str | None):
            raise BadRequestError(f"The `{field}` of a message is a text, not {_name(told)}", fix="Give a text")
        check_whole(told or "", f"The `{field}` of a message")
    if not isinstance(calls, tuple | list):
        raise BadRequestError(
            f"The calls of tools of a message are {_name(calls)}", fix="Give a tuple of `ToolCall`, such as `(call,)`"
        )
    for call in cast("Sequence[object]", calls):
        check_call(call, ToolCall)
        for field in ("id", "name", "arguments"):
            text: object = getattr(call, field)
            if not isinstance(text, str):
                raise BadRequestError(
                    f"The `{field}` of a call of a tool is a text, not {_name(text)}",
                    fix="Write the arguments as JSON: `json.dumps(…)`" if field == "arguments" else "Give a text",
                )
            check_whole(text, f"The `{field}` of a call of a tool")


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
        if role in _TEXT_ALONE and not isinstance(part, TextPart | ThinkingPart):
            raise BadRequestError(
                f"A message of the role {role!r} has a part of the kind {type(part).__name__}",
                why="Models are shown such things by users and by tools alone",
                fix="Put it into a message of the user",
            )
        if isinstance(part, TextPart | ThinkingPart) and not isinstance(cast("object", part.text), str):
            raise BadRequestError(f"The text of a part is {_name(part.text)}", fix="Give a text, which may be empty")
        for field in part.__struct_fields__:
            told: object = getattr(part, field)
            if isinstance(told, str):
                check_whole(told, f"The `{field}` of {type(part).__name__}")


def _name(value: object) -> str:
    return type(value).__name__


def check_given(value: object, kind: type) -> None:
    """See whether what a call was given is of the class that it takes.

    Args:
        value: What was given.
        kind: The class.

    Raises:
        BadRequestError: it is of another.

    Example:
        >>> check_given({"temperature": 0.5}, Message)
        Traceback (most recent call last):
        ...
        sentient_cli.errors.BadRequestError: This takes `Message`, not dict. Write `Message(…)`, for example.
    """
    if not isinstance(value, kind):
        name = kind.__name__
        raise BadRequestError(f"This takes `{name}`, not {_name(value)}", fix=f"Write `{name}(…)`, for example")


def distinct_tools(tools: Iterable[ToolLike], output: OutputSpec | None = None) -> tuple[ToolSpec, ...]:
    """The descriptions of tools.

    Args:
        tools: The tools.
        output: The form of the answer, which may be given by a tool.

    Raises:
        BadRequestError: two of them share a name, or one has that of the tool that gives the answer.
        ToolDefinitionError: something else is among them, such as a plain function.
    """
    if tools == ():
        return ()
    try:
        specs = tuple([tool.spec for tool in tools])
    except (AttributeError, TypeError):
        check_tools(tools)
        raise
    if output is not None and any(spec.name == output.FINAL_ANSWER for spec in specs):
        raise BadRequestError(
            f"A tool cannot be called {output.FINAL_ANSWER!r} beside `output`",
            why="Where a model cannot be held to a form of answer, it answers by a tool of that name",
            fix="Give the tool another `name`",
        )
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
