"""A request as the body of ``POST /chat/completions``."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import msgspec

from sentient_cli.llm.chatwire.dialect import Dialect
from sentient_cli.llm.chatwire.extras import add_extra
from sentient_cli.llm.chatwire.messages import wire_messages
from sentient_cli.llm.chatwire.schema import schema_name, strict_schema
from sentient_cli.llm.conversation import check_said
from sentient_cli.llm.models.taken import taken_by
from sentient_cli.llm.parameters import Effort, Parameters
from sentient_cli.llm.provider import Request
from sentient_cli.llm.types import JsonValue, ToolSpec
from sentient_cli.llm.wire.efforts import nearest_effort

__all__ = ["Body", "body_of", "known_efforts", "range_of", "settings_of", "why_left_out", "within_range"]

_NONE: Final = Parameters()
_APART: Final = frozenset({"tool_choice", "extra"})
"""Parameters that are not just given another name."""
_WITH_TOOLS: Final = frozenset({"parallel_tools"})
"""Those that are refused where no tool is offered."""


class Body(NamedTuple):
    """What is sent, and what of the request is not in it.

    Args:
        content: The body.
        notices: What was not asked as it was wanted.
        include: What it asks for that does not come unasked, where there is such a thing.
    """

    content: bytes
    notices: list[str]
    include: tuple[str, ...] = ()


def body_of(
    request: Request, dialect: Dialect, provider: str, *, stream: bool = True, model: str | None = None
) -> Body:
    """A request as it goes out.

    Args:
        request: What is asked.
        dialect: What is taken.
        provider: Whose; only its own ``extra`` goes along.
        stream: Whether the answer shall come piece by piece.
        model: The model, when it is not the one that the request names.

    Raises:
        BadRequestError: a message has a part that is not taken, or none has anything to be answered.

    Example:
        >>> from sentient_cli.llm.types import Message
        >>> request = Request(model="small", messages=(Message.user("Hello"),))
        >>> body_of(request, Dialect(), "mine", stream=False).content
        b'{"model":"small","messages":[{"role":"user","content":"Hello"}]}'
    """
    check_said(request.messages, provider)
    told: dict[str, JsonValue] = {
        "model": model or request.model,
        "messages": wire_messages(request.messages, dialect, provider),
    }
    if stream:
        told["stream"] = True
        if dialect.usage_option:
            told["stream_options"] = {"include_usage": True}
    if request.tools:
        told["tools"] = [_tool(tool) for tool in request.tools]
    is_plain = request.parameters == _NONE  # as in most calls
    notices = [] if is_plain else settings_of(request, dialect, provider, told, model=model)
    last = request.messages[-1]
    if dialect.turns != "any" and last.role == "assistant" and not last.tool_calls:
        notices.append("The conversation ends with the assistant, so that the model was asked to go on")
    if request.tools:
        _calm(told, dialect, notices)
    _add_output(request, dialect, provider, told, notices)
    if request.parameters.extra:
        add_extra(request.parameters, dialect, provider, told, notices)
    return Body(msgspec.json.encode(told), notices)


def _calm(told: dict[str, JsonValue], dialect: Dialect, notices: list[str]) -> None:
    """Have a model think no more than it can where it is offered tools."""
    model = str(told["model"])
    name = dialect.parameters.get("effort", "")
    effort, notice = taken_by(dialect.kind, model).with_tools(told.get(name), model)
    if not notice:
        return
    notices.append(notice)
    told.pop(name, None)
    if effort is not None:
        told[name] = effort


def _tool(tool: ToolSpec) -> JsonValue:
    function: dict[str, JsonValue] = {"name": tool.name, "parameters": tool.parameters}
    if tool.description:
        function["description"] = tool.description
    return {"type": "function", "function": function}


def settings_of(
    request: Request, dialect: Dialect, provider: str, told: dict[str, JsonValue], *, model: str | None = None
) -> list[str]:
    """Put the parameters into a body, each by the vendor's name.

    Args:
        request: Whose parameters.
        dialect: The names.
        provider: Whose, for the notices.
        told: The body, which is added to.
        model: The model, when it is not the one that the request names.

    Returns:
        What was left out or changed, for a reader.
    """
    parameters, notices = request.parameters, list[str]()
    model = model or request.model
    for name in parameters.__struct_fields__:
        value: JsonValue = getattr(parameters, name)
        if value is None or name in _APART or (name == "stop" and not parameters.stop):
            continue
        if name in _WITH_TOOLS and not request.tools:
            continue
        theirs = dialect.parameters.get(name)
        why = why_left_out(name, parameters, dialect, model=model, provider=provider)
        if theirs is None or why:
            notices.append(f"The parameter {name!r} was left out: {why}")
            continue
        if name == "effort":
            value = _effort(parameters.effort or "medium", known_efforts(dialect, model), provider, notices)
        elif name == "stop" and dialect.stops is not None and len(parameters.stop) > dialect.stops:
            value = list[JsonValue](parameters.stop[: dialect.stops])
            notices.append(f"Only the first {dialect.stops} of `stop` were sent: {provider!r} takes no more")
        elif name == "top_logprobs" and "logprobs" in dialect.parameters:
            _put(told, dialect.parameters["logprobs"], True)
        _put(told, theirs, _ranged(name, value, dialect, provider, notices))
    _unthink(told, dialect)
    choice = parameters.tool_choice
    if choice is not None and request.tools:
        _add_choice(choice, dialect, provider, told, notices)
    elif choice not in {None, "auto", "none"}:
        notices.append("The parameter 'tool_choice' was left out: no tool is offered")
    return notices


def why_left_out(name: str, parameters: Parameters, dialect: Dialect, *, model: str, provider: str) -> str:
    """Why a parameter that is given is not sent; empty: it is.

    Args:
        name: The parameter, by our name.
        parameters: All of them.
        dialect: What is taken.
        model: The model, as it is named there.
        provider: Whose, to be told.

    Example:
        >>> why_left_out("seed", Parameters(seed=1), Dialect(parameters={}), model="m", provider="mine")
        "'mine' does not take it"
    """
    if name not in dialect.parameters:
        return f"{provider!r} does not take it"
    return taken_by(dialect.kind, model).why_not(name, parameters.effort, model) or _clash(
        name, parameters, dialect, provider
    )


def _ranged(name: str, value: JsonValue, dialect: Dialect, provider: str, notices: list[str]) -> JsonValue:
    nearest = within_range(name, value, dialect)
    if nearest != value:
        notices.append(f"The parameter {name!r} became {nearest}: {provider!r} {range_of(name, dialect)}")
    return nearest


def within_range(name: str, value: JsonValue, dialect: Dialect) -> JsonValue:
    """The value of a parameter that is nearest to what is wanted, of those that are taken.

    Args:
        name: The parameter, by our name.
        value: What is wanted.
        dialect: What is taken.

    Example:
        >>> narrow = Dialect(ranges={"temperature": (0, 1.5)})
        >>> within_range("temperature", 2, narrow), within_range("temperature", 1, narrow)
        (1.5, 1)
    """
    least, most = dialect.ranges.get(name, (-math.inf, math.inf))
    return min(max(value, least), most) if isinstance(value, int | float) and not isinstance(value, bool) else value


def range_of(name: str, dialect: Dialect) -> str:
    """What is taken of a parameter, in words.

    Args:
        name: The parameter, by our name.
        dialect: What is taken.

    Example:
        >>> range_of("temperature", Dialect(ranges={"temperature": (0, 1.5)}))
        'takes it from 0 to 1.5'
    """
    least, most = dialect.ranges[name]
    return f"takes it from {least:g}" + ("" if most == math.inf else f" to {most:g}")


def _clash(name: str, parameters: Parameters, dialect: Dialect, provider: str) -> str:
    """Why one of several parameters that are each taken cannot go along with the others."""
    if name == "effort" and parameters.thinking_tokens is not None and "thinking_tokens" in dialect.parameters:
        return f"{provider!r} takes one of it and `thinking_tokens`, and that was sent"
    if name == "top_logprobs" and parameters.logprobs is False:
        return "`logprobs` is off"
    if name == "service_tier" and dialect.tiers and parameters.service_tier not in dialect.tiers:
        return f"{provider!r} has {', '.join(dialect.tiers)}"
    return ""


def _put(told: dict[str, JsonValue], path: str, value: JsonValue) -> None:
    outer, _, inner = path.partition(".")
    if not inner:
        told[outer] = value
        return
    held = told.setdefault(outer, {})
    if isinstance(held, dict):
        held[inner] = value


def _effort(wanted: Effort, known: tuple[Effort, ...], provider: str, notices: list[str]) -> Effort:
    nearest = nearest_effort(wanted, known)
    if nearest != wanted:
        notices.append(f"The effort {wanted!r} became {nearest!r}: {provider!r} has no other near it")
    return nearest


def _unthink(told: dict[str, JsonValue], dialect: Dialect) -> None:
    """Say in other words that a model shall not think, where that is no effort."""
    name = dialect.parameters.get("effort", "")
    if dialect.unthinking and told.get(name) == "none":
        del told[name]
        told |= dialect.unthinking


def known_efforts(dialect: Dialect, model: str) -> tuple[Effort, ...]:
    """How long a model can be told to think.

    Args:
        dialect: What its vendor takes.
        model: As it is named there.

    Example:
        >>> known_efforts(Dialect(kind="openai"), "gpt-6-astra")[-1]
        'xhigh'
        >>> known_efforts(Dialect(kind="openai", responses=True), "gpt-6-astra")[-1]
        'max'
    """
    taken = taken_by(dialect.kind, model)
    return (*(taken.efforts or dialect.efforts), *(taken.deeper if dialect.responses else ()))


def _add_choice(choice: str, dialect: Dialect, provider: str, told: dict[str, JsonValue], notices: list[str]) -> None:
    if not dialect.tool_choice:
        if choice == "none":
            told.pop("tools", None)
        elif choice != "auto":
            notices.append(f"The parameter 'tool_choice' was left out: {provider!r} does not take it")
    elif choice == "required":
        told["tool_choice"] = dialect.required
    elif choice in {"auto", "none"}:
        told["tool_choice"] = choice
    else:
        told["tool_choice"] = {"type": "function", "function": {"name": choice}}


def _add_output(
    request: Request, dialect: Dialect, provider: str, told: dict[str, JsonValue], notices: list[str]
) -> None:
    output = request.output
    if output is None:
        return
    if dialect.schema == "none":
        notices.append(f"The answer is not held to the schema {output.name!r}: {provider!r} cannot do that")
        return
    strict = strict_schema(output.schema) if dialect.schema == "strict" else None
    schema: dict[str, JsonValue] = {"name": schema_name(output.name), "schema": strict or output.schema}
    if strict:
        schema["strict"] = True
    told["response_format"] = {"type": "json_schema", "json_schema": schema}
