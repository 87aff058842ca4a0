"""A request as the body of ``POST /responses``.

Source: https://platform.openai.com/docs/api-reference/responses/create.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

import msgspec

from sentient_cli.errors import BadRequestError
from sentient_cli.llm.chatwire.body import Body, settings_of
from sentient_cli.llm.chatwire.dialect import Dialect
from sentient_cli.llm.chatwire.extras import add_extra
from sentient_cli.llm.chatwire.schema import schema_name, strict_schema
from sentient_cli.llm.conversation import check_said, has_content
from sentient_cli.llm.openai.config import DIALECT
from sentient_cli.llm.openai.parameters import BY_CHAT
from sentient_cli.llm.parts import AudioPart, DocumentPart, ImagePart, Part, TextPart, ThinkingPart
from sentient_cli.llm.provider import Request
from sentient_cli.llm.types import JsonValue, Message, OutputSpec, ToolCall
from sentient_cli.llm.wire.arguments import arguments_text
from sentient_cli.llm.wire.callids import CallIds
from sentient_cli.llm.wire.thoughts import SEPARATOR, signed_by
from sentient_cli.llm.wire.unanswered import with_results

__all__ = ["RESPONSES", "responses_body"]

_LOGPROBS: Final = "message.output_text.logprobs"
"""What has to be included for an answer to come with log probabilities."""

_TAKEN: Final = ("temperature", "top_p", "top_logprobs", "service_tier", "user", "cache_key", "metadata")
RESPONSES: Final = Dialect(
    parameters=MappingProxyType(
        {
            **{ours: DIALECT.parameters[ours] for ours in _TAKEN},
            "max_tokens": "max_output_tokens",
            "effort": "reasoning.effort",
            "logprobs": "logprobs",  # never sent by that name: it is asked for with `include`
            "parallel_tools": "parallel_tool_calls",
        }
    ),
    efforts=DIALECT.efforts,
    schema="strict",
    kind=DIALECT.kind,
    responses=True,
    elsewhere=BY_CHAT,
    renamed=MappingProxyType({"verbosity": "text.verbosity"}),
)
"""What this API takes, and by which names."""


def responses_body(request: Request, provider: str, *, background: bool = False) -> Body:
    """A request as it goes out.

    Args:
        request: What is asked.
        provider: Whose; only its own ``extra`` goes along.
        background: Whether it goes on when the connection breaks, and is kept so that it can be taken up again.

    Raises:
        BadRequestError: a message has a part that is not taken, or none has anything to be answered.
    """
    check_said(request.messages, provider)
    messages, ids = with_results(request.messages), CallIds("long")
    told: dict[str, JsonValue] = {
        "model": request.model,
        "input": [item for each in messages if has_content(each) for item in _items(each, provider, ids)],
        "stream": True,
        "store": background,
    }
    # What is kept there need not be carried here.
    include = [] if background else ["reasoning.encrypted_content"]
    if background:
        told["background"] = True
    if request.tools:
        told["tools"] = [
            {
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
                "strict": False,
            }
            for tool in request.tools
        ]
    notices = settings_of(request, RESPONSES, provider, told)
    if told.pop("logprobs", False):
        include.append(_LOGPROBS)
    choice = told.get("tool_choice")
    if isinstance(choice, dict):
        told["tool_choice"] = {"type": "function", "name": request.parameters.tool_choice}
    if request.output is not None:
        told["text"] = {"format": _format(request.output)}
    add_extra(request.parameters, RESPONSES, provider, told, notices)
    more = told.get("include")
    include += [each for each in more if isinstance(each, str)] if isinstance(more, list) else []
    if include and (more is None or isinstance(more, list)):  # what a call names itself adds to it
        told["include"] = list[JsonValue](dict.fromkeys(include))
    return Body(msgspec.json.encode(told), notices, tuple(include))


def _format(output: OutputSpec) -> JsonValue:
    strict = strict_schema(output.schema)
    told: dict[str, JsonValue] = {
        "type": "json_schema",
        "name": schema_name(output.name),
        "schema": strict or output.schema,
        "strict": strict is not None,
    }
    return told


def _items(message: Message, provider: str, ids: CallIds) -> list[JsonValue]:
    if message.role == "tool":
        output: JsonValue = message.text
        if any(not isinstance(part, TextPart) for part in message.parts):
            output = _content(message.parts, provider)
        identity = ids.answered(message.tool_call_id or "")
        return [{"type": "function_call_output", "call_id": identity, "output": output}]
    if message.role == "assistant":
        return _assistant(message, ids)
    role = "developer" if message.role == "system" else "user"
    return [{"role": role, "content": _content(message.parts, provider)}]


def _assistant(message: Message, ids: CallIds) -> list[JsonValue]:
    thoughts = [
        part for part in message.parts if isinstance(part, ThinkingPart) and signed_by(part.signature) == "responses"
    ]
    said: list[JsonValue] = [{"type": "output_text", "text": message.text}]
    turn: list[JsonValue] = [{"role": "assistant", "content": said}] if message.text else []
    return [*map(_thought, thoughts), *turn, *(_call(call, ids) for call in message.tool_calls)]


def _call(call: ToolCall, ids: CallIds) -> JsonValue:
    identity = ids.called(call.id)
    return {"type": "function_call", "call_id": identity, "name": call.name, "arguments": arguments_text(call)}


def _thought(part: ThinkingPart) -> JsonValue:
    identity, _, sealed = part.signature.partition(SEPARATOR)
    summary: list[JsonValue] = [{"type": "summary_text", "text": part.text}] if part.text else []
    return {"type": "reasoning", "id": identity, "encrypted_content": sealed, "summary": summary}


def _content(parts: Iterable[Part], provider: str) -> list[JsonValue]:
    return [_part(part, provider) for part in parts if not isinstance(part, ThinkingPart)]


def _part(part: Part, provider: str) -> JsonValue:
    if isinstance(part, TextPart):
        return {"type": "input_text", "text": part.text}
    if isinstance(part, ImagePart):
        url = part.url or f"data:{part.media_type};base64,{part.base64}"
        return {"type": "input_image", "image_url": url, "detail": part.detail or "auto"}
    if isinstance(part, DocumentPart):
        if part.url:
            return {"type": "input_file", "file_url": part.url}
        data = f"data:{part.media_type};base64,{part.base64}"
        return {"type": "input_file", "filename": part.name or "document", "file_data": data}
    what = "sound" if isinstance(part, AudioPart) else "this part"
    raise BadRequestError(
        f"The Responses API of {provider!r} does not take {what}",
        fix='Set `api = "chat"` for this provider, or use another',
        provider=provider,
    )
