"""What goes into a call of a model and what comes out of it: small frozen structures that know no vendor."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Generic, Literal, Protocol, TypeAlias, TypeVar

import msgspec

from sentient_cli.errors import BadRequestError
from sentient_cli.llm.offered import check_call, check_spec
from sentient_cli.llm.parts import Part, TextPart, ThinkingPart

__all__ = [
    "Chunk",
    "Completion",
    "FinishReason",
    "JsonValue",
    "Message",
    "Messages",
    "OutputSpec",
    "Role",
    "ToolCall",
    "ToolCallDelta",
    "ToolLike",
    "ToolSpec",
    "TypedCompletion",
    "Usage",
]

T = TypeVar("T")

if TYPE_CHECKING:
    JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
else:
    JsonValue = object  # decoders read annotations, and cannot follow a recursive one
"""Anything that JSON can hold."""

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
"""Who speaks in a message."""

FinishReason: TypeAlias = Literal["stop", "length", "tool_call", "content_filter"]
"""Why an answer ended: it was complete, too long, waits for a tool, or was filtered or refused."""


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
        except (msgspec.DecodeError, UnicodeError, RecursionError, TypeError) as error:
            raise BadRequestError(
                f"The arguments of the tool call {self.name!r} are no JSON object",
                why=str(error),
                fix="Give the model the error as the tool's result, so that it can correct itself",
            ) from error


class ToolSpec(msgspec.Struct, frozen=True):
    """What a model is told about a tool: a description, without anything to call.

    Args:
        name: Unique in a request.
        description: Tells the model what the tool is for.
        parameters: The JSON Schema of the arguments.

    Example:
        >>> spec = ToolSpec("add", "Adds two numbers.", {"type": "object", "properties": {"a": {"type": "number"}}})
        >>> spec.name, spec.spec is spec
        ('add', True)
    """

    name: str
    description: str = ""
    parameters: dict[str, JsonValue] = msgspec.field(default_factory=lambda: {"type": "object", "properties": {}})

    def __post_init__(self) -> None:
        check_spec(self.name, self.description, self.parameters)

    @property
    def spec(self) -> ToolSpec:
        """Itself: a description goes wherever a tool does."""
        return self


class ToolLike(Protocol):
    """What can be offered to a model: a `Tool`, or the description of one.

    Example:
        >>> offered: list[ToolLike] = [ToolSpec("now", "Says what time it is.")]
        >>> [tool.spec.name for tool in offered]
        ['now']
    """

    @property
    def spec(self) -> ToolSpec:
        """What the model is told."""
        ...


class OutputSpec(msgspec.Struct, frozen=True):
    """What an answer has to be like.

    Args:
        name: Of the type.
        schema: A JSON Schema of an object.

    Example:
        >>> spec = OutputSpec("City", {"type": "object", "properties": {"name": {"type": "string"}}})
        >>> spec.name
        'City'
    """

    FINAL_ANSWER: ClassVar[str] = "final_answer"

    name: str
    schema: dict[str, JsonValue]

    @property
    def spec(self) -> ToolSpec:
        """The tool by which a model gives such an answer when its provider knows no other way."""
        return ToolSpec(self.FINAL_ANSWER, "Give the final answer. Call this once, at the end.", self.schema)


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
        return "".join(part.text for part in self.content if isinstance(part, TextPart))

    @property
    def parts(self) -> tuple[Part, ...]:
        """The content as parts, whichever way it was given; none when it is empty."""
        if isinstance(self.content, str):
            return (TextPart(self.content),) if self.content else ()
        return self.content

    @classmethod
    def system(cls, content: str | tuple[Part, ...]) -> Message:
        """An instruction to the model."""
        return cls("system", content)

    @classmethod
    def user(cls, content: str | tuple[Part, ...]) -> Message:
        """What the user says."""
        return cls("user", content)

    @classmethod
    def assistant(cls, content: str | tuple[Part, ...] = "", tool_calls: tuple[ToolCall, ...] = ()) -> Message:
        """What the model said, and the tools it asked for."""
        return cls("assistant", content, tool_calls)

    @classmethod
    def tool(cls, call: ToolCall, result: str | tuple[Part, ...], *, is_error: bool = False) -> Message:
        """The result of a tool call: a text, or parts such as a picture."""
        check_call(call, ToolCall)
        return cls("tool", result, tool_call_id=call.id, name=call.name, is_error=is_error)


Messages: TypeAlias = "str | list[Message] | tuple[Message, ...]"
"""What a call takes: a prompt, or a conversation."""


class Usage(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The tokens of a call, each kind counted once. None: the provider did not say.

    Args:
        input: Tokens of the request that were not read from a cache.
        cache_read: Tokens of the request read from the provider's cache.
        cache_write: Tokens of the request written to it, to be kept for minutes.
        cache_write_1h: Tokens of the request written to it, to be kept for an hour.
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
    cache_write_1h: int | None = None

    @property
    def prompt(self) -> int | None:
        """All tokens of the request, or None when they are not known."""
        if self.input is None:
            return None
        return self.input + (self.cache_read or 0) + (self.cache_write or 0) + (self.cache_write_1h or 0)

    @property
    def total(self) -> int | None:
        """All tokens of the call, or None when they are not known."""
        return _sum(self.prompt, self.output)

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            _sum(self.input, other.input),
            _sum_of_part(self.cache_read, other.cache_read),
            _sum_of_part(self.cache_write, other.cache_write),
            _sum(self.output, other.output),
            _sum_of_part(self.reasoning, other.reasoning),
            self.estimated or other.estimated,
            _sum_of_part(self.cache_write_1h, other.cache_write_1h),
        )


def _sum(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else left + right


def _sum_of_part(left: int | None, right: int | None) -> int | None:
    return None if left is None and right is None else (left or 0) + (right or 0)


class ToolCallDelta(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A piece of a tool call as it streams.

    Args:
        index: The place of the call in the answer, when the provider says so.
        id: On the first piece of a call.
        name: On the first piece of a call.
        arguments: The next characters of the arguments.

    Example:
        >>> from sentient_cli.llm.assembly import Assembly
        >>> assembly = Assembly()
        >>> first = ToolCallDelta(0, "call_1", "add")
        >>> for delta in (first, ToolCallDelta(0, arguments='{"a": '), ToolCallDelta(0, arguments="1}")):
        ...     assembly.add(Chunk(tool_call=delta))
        >>> assembly.tool_calls[0].parsed()
        {'a': 1}
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
        thinking: The next of the model's thoughts; a piece with a signature or with redacted thoughts ends one part.
        refusal: The next characters of why the model does not answer.
        restarted: Whether the answer begins anew here, since who gave it failed: what came before is void.
        model: The model that answers, when the provider names it, on one of the first chunks.
        extra: What the provider sent besides, such as log probabilities, by its own names.

    Example:
        >>> chunks = [Chunk("Hel"), Chunk("lo"), Chunk(finish_reason="stop"), Chunk(usage=Usage(input=1, output=2))]
        >>> "".join(chunk.text for chunk in chunks)
        'Hello'
    """

    text: str = ""
    tool_call: ToolCallDelta | None = None
    usage: Usage | None = None
    finish_reason: FinishReason | None = None
    thinking: ThinkingPart | None = None
    refusal: str = ""
    restarted: bool = False
    model: str | None = None
    extra: dict[str, JsonValue] | None = None


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
        thinking: What the model thought, to be given back with its answer.
        refusal: Why the model does not answer, in its own words.
        model_used: The model that answered, in its provider's own words, where they say more, such as a version.
        cost: What it cost, in US dollars; None: the price is not known.
        degraded: Why this is not the answer that was asked for, but a lesser one; empty: it is.
        cached: Whether it is an earlier answer to the same question.
        notices: What was not asked as it was wanted, such as a parameter that the model does not know.
        extra: What the provider sent besides, by its own names.
        steps: What was said between the question and this answer: calls of tools, their results, and answers that were
            asked for again.

    Example:
        >>> import asyncio
        >>> from sentient_cli import llm
        >>> answer = asyncio.run(llm.generate("Hello", model="offline:echo"))
        >>> answer.text, answer.finish_reason, answer.provider, answer.model
        ('Hello', 'stop', 'offline', 'echo')
        >>> answer.message.role
        'assistant'
    """

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()
    finish_reason: FinishReason
    provider: str
    model: str
    attempts: int = 1
    failovers: int = 0
    thinking: tuple[ThinkingPart, ...] = ()
    refusal: str = ""
    model_used: str = ""
    cost: float | None = None
    degraded: str = ""
    cached: bool = False
    notices: tuple[str, ...] = ()
    extra: dict[str, JsonValue] | None = None
    steps: tuple[Message, ...] = ()

    @property
    def message(self) -> Message:
        """The answer as the next message of the conversation."""
        if not self.thinking:
            return Message.assistant(self.text, self.tool_calls)
        return Message.assistant((*self.thinking, *((TextPart(self.text),) if self.text else ())), self.tool_calls)

    @property
    def messages(self) -> tuple[Message, ...]:
        """All that the conversation has to be continued with: the steps, then the answer."""
        return (*self.steps, self.message)


class TypedCompletion(Completion, Generic[T], frozen=True, kw_only=True):
    """An answer that is what was asked for.

    Args:
        output: The answer as a value of the type that was given.

    Example:
        >>> import asyncio
        >>> from sentient_cli import llm
        >>> answer = asyncio.run(llm.generate('{"a": 1}', model="offline:echo", output=dict[str, int]))
        >>> isinstance(answer, TypedCompletion), answer.output["a"] + 1
        (True, 2)
    """

    output: T
