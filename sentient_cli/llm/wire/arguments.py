"""The arguments of calls in a conversation, as they go back to a provider: always an object.

What a model wrote need not be JSON, as when its answer was cut off. Many servers refuse a conversation with such a call
from then on: vLLM (https://github.com/vllm-project/vllm/issues/43995), llama.cpp, Ollama.
"""

from __future__ import annotations

import msgspec

from sentient_cli.errors import BadRequestError
from sentient_cli.llm.types import JsonValue, ToolCall

__all__ = ["arguments_object", "arguments_text"]


def arguments_object(call: ToolCall) -> dict[str, JsonValue]:
    """The arguments as an object; what is none is put into one.

    Args:
        call: Of a model.

    Example:
        >>> arguments_object(ToolCall("call_1", "add", '{"a": 1}')), arguments_object(ToolCall("call_1", "add", "a=1"))
        ({'a': 1}, {'invalid_json': 'a=1'})
    """
    if call.arguments.strip() in {"", "null"}:  # as some models write that there are none
        return {}
    try:
        return call.parsed()
    except BadRequestError:
        return {"invalid_json": call.arguments}


def arguments_text(call: ToolCall) -> str:
    """The JSON of such an object, to the letter as the model wrote it where that is one.

    Args:
        call: Of a model.

    Example:
        >>> arguments_text(ToolCall("call_1", "add", '{"a": 1}')), arguments_text(ToolCall("call_1", "add", "a=1"))
        ('{"a": 1}', '{"invalid_json":"a=1"}')
    """
    if call.arguments == "{}":
        return call.arguments
    told = arguments_object(call)
    is_as_written = told and told != {"invalid_json": call.arguments}
    return call.arguments if is_as_written else msgspec.json.encode(told).decode()
