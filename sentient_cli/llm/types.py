"""What goes into a call of a model and what comes out of it: small frozen structures that know no vendor."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from sentient_cli.errors import BadRequestError

__all__ = [
    "Chunk",
    "Completion",
    "FinishReason",
    "JsonValue",
    "Message",
    "Messages",
    "Parameters",
    "Part",
    "Role",
    "TextPart",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "Usage",
]

if TYPE_CHECKING:
    JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
else:
    JsonValue = object  # decoders read annotations, and cannot follow a recursive one
"""Anything that JSON can hold."""

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
"""Who speaks in a message."""

FinishReason: TypeAlias = Literal["stop", "length", "tool_call", "content_filter"]
"""Why an answer ended: it was complete, too long, waits for a tool, or was filtered."""


class TextPart(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="text"):
    """A piece of text in a message.

    Args:
        text: The text.
    """

    text: str


Part: TypeAlias = TextPart
"""What the content of a message is made of, told apart by ``type``. More kinds will join; pass over others."""


class ToolCall(msgspec.Struct, frozen=True, gc=False):
    """A model's wish to have a tool called.

    Args:
        id: Names the call; its result refers to it.
        name: The name of the tool.
        arguments: JSON as the model wrote it, which need not be valid.

    Example:
        >>> ToolCall(id="call_1", name="add", arguments='{"a": 1}').parsed()
        {'a': 1}
    """

    id: str
    name: str
    arguments: str = "{}"

    def parsed(self) -> dict[str, JsonValue]:
        """The arguments as an object.

        Raises:
            BadRequestError: the model wrote something else.
        """
        try:
            return msgspec.json.decode(self.arguments or "{}", type=dict[str, JsonValue])
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise BadRequestError(
                f"The arguments of the tool call {self.name!r} are no JSON object",
                why=str(error),
                fix="Give the model the error as the tool's result, so that it can correct itself",
            ) from error


def _no_parameters() -> dict[str, JsonValue]:
    return {"type": "object", "properties": {}}


class Tool(msgspec.Struct, frozen=True):
    """A tool that a model may ask for.

    Args:
        name: Unique in a request.
        description: Tells the model what the tool is for.
        parameters: The JSON Schema of the arguments.
    """

    name: str
    description: str = ""
    parameters: dict[str, JsonValue] = msgspec.field(default_factory=_no_parameters)


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message of a conversation.

    Args:
        role: Who speaks.
        content: Text, or parts.
        tool_calls: The calls that an assistant asks for.
        tool_call_id: On a tool's message: the call that it answers.
        name: On a tool's message: the name of the tool.
        is_error: On a tool's message: whether the tool failed.

    Example:
        >>> [message.role for message in (Message.system("Be brief"), Message.user("Hello"))]
        ['system', 'user']
    """

    role: Role
    content: str | tuple[Part, ...] = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    is_error: bool = False

    @property
    def text(self) -> str:
        """The text of the message, without its other parts."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content)

    @classmethod
    def system(cls, content: str) -> Message:
        """An instruction to the model."""
        return cls("system", content)

    @classmethod
    def user(cls, content: str | tuple[Part, ...]) -> Message:
        """What the user says."""
        return cls("user", content)

    @classmethod
    def assistant(cls, content: str = "", tool_calls: tuple[ToolCall, ...] = ()) -> Message:
        """What the model said, and the tools it asked for."""
        return cls("assistant", content, tool_calls)

    @classmethod
    def tool(cls, call: ToolCall, result: str, *, is_error: bool = False) -> Message:
        """The result of a tool call."""
        return cls("tool", result, tool_call_id=call.id, name=call.name, is_error=is_error)


Messages: TypeAlias = "str | list[Message] | tuple[Message, ...]"
"""What a call takes: a prompt, or a conversation."""

_RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
    "max_tokens": (1, 2**31 - 1),
    "seed": (-(2**63), 2**63 - 1),
}


class Parameters(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a model shall answer. None leaves the choice to the provider.

    Args:
        temperature: Randomness, 0 to 2.
        top_p: Share of the probability mass to sample from, 0 to 1.
        max_tokens: Tokens that the answer may have, from 1.
        stop: The answer ends before the first of these, none of them empty.
        seed: Makes sampling repeatable where the provider can.
        presence_penalty: -2 to 2.
        frequency_penalty: -2 to 2.

    Raises:
        BadRequestError: a value is out of its range.

    Example:
        >>> Parameters(temperature=0.2, max_tokens=100).max_tokens
        100
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value: float | None = getattr(self, name)
            if value is not None and not (math.isfinite(value) and low <= value <= high):
                raise _out_of_range(name, f"from {low} to {high}", value)
        stop: object = self.stop  # a plain string is the usual slip, and a sequence of strings as well
        if isinstance(stop, str) or not all(self.stop):
            raise _out_of_range("stop", "a tuple of strings that are not empty", self.stop)


def _out_of_range(name: str, allowed: str, value: object) -> BadRequestError:
    return BadRequestError(
        f"The parameter {name!r} is out of range", why=f"It is {value!r:.60}", fix=f"Use a value {allowed}"
    )


class Usage(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The tokens of a call, each kind counted once. None: the provider did not say.

    Args:
        input: Tokens of the request that were not read from a cache.
        cache_read: Tokens of the request read from the provider's cache.
        cache_write: Tokens of the request written to it.
        output: Tokens of the answer, reasoning included.
        reasoning: The part of ``output`` that was reasoning.
        estimated: Whether the numbers are ours and not the provider's.

    Example:
        >>> (Usage(input=3, output=4) + Usage(input=1, output=1)).total
        9
        >>> Usage(output=4).total is None
        True
    """

    input: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    output: int | None = None
    reasoning: int | None = None
    estimated: bool = False

    @property
    def prompt(self) -> int | None:
        """All tokens of the request, or None when they are not known."""
        return None if self.input is None else self.input + (self.cache_read or 0) + (self.cache_write or 0)

    @property
    def total(self) -> int | None:
        """All tokens of the call, or None when they are not known."""
        prompt = self.prompt
        return None if prompt is None or self.output is None else prompt + self.output

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            _sum(self.input, other.input),
            _sum(self.cache_read, other.cache_read),
            _sum(self.cache_write, other.cache_write),
            _sum(self.output, other.output),
            _sum(self.reasoning, other.reasoning),
            self.estimated or other.estimated,
        )


def _sum(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else left + right


class ToolCallDelta(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A piece of a tool call as it streams.

    Args:
        index: The place of the call in the answer, when the provider says so.
        id: On the first piece of a call.
        name: On the first piece of a call.
        arguments: The next characters of the arguments.
    """

    index: int | None = None
    id: str | None = None
    name: str | None = None
    arguments: str = ""


class Chunk(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A piece of an answer as it streams.

    Args:
        text: The next characters of the answer.
        tool_call: A piece of a tool call.
        usage: The tokens so far; the last one counts.
        finish_reason: The terminal marker: a stream that ends without one was cut off.
    """

    text: str = ""
    tool_call: ToolCallDelta | None = None
    usage: Usage | None = None
    finish_reason: FinishReason | None = None


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer and how it came about.

    Args:
        text: The text.
        tool_calls: The tools that the model asks for.
        usage: The tokens.
        finish_reason: Why it ended.
        provider: The id of the provider that answered.
        model: The model that answered, as the provider names it.
        attempts: How many calls to providers it took.
        failovers: How often another provider took over.
    """

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()
    finish_reason: FinishReason
    provider: str
    model: str
    attempts: int = 1
    failovers: int = 0

    @property
    def message(self) -> Message:
        """The answer as the next message of the conversation."""
        return Message.assistant(self.text, self.tool_calls)
