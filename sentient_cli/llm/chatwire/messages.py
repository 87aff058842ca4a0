"""Messages and their parts as chat completions take them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sentient_cli.errors import BadRequestError
from sentient_cli.llm.chatwire.details import details_in, thinking_in
from sentient_cli.llm.chatwire.dialect import CONTENT, DETAILS, Dialect
from sentient_cli.llm.chatwire.turns import in_turns
from sentient_cli.llm.conversation import has_content
from sentient_cli.llm.parts import AudioPart, DocumentPart, ImagePart, Part, TextPart, ThinkingPart
from sentient_cli.llm.types import JsonValue, Message
from sentient_cli.llm.wire.arguments import arguments_text
from sentient_cli.llm.wire.callids import CallIds
from sentient_cli.llm.wire.unanswered import with_results

__all__ = ["wire_messages"]


def wire_messages(messages: Sequence[Message], dialect: Dialect, provider: str) -> list[JsonValue]:
    """A conversation as it goes out, without messages that have nothing in them.

    What a tool gave besides text follows its turn as a message of the user's.

    Args:
        messages: The conversation.
        dialect: What is taken.
        provider: Whose it is, for errors.

    Raises:
        BadRequestError: a part is of a kind that is not taken: nothing that was said is left out.

    Example:
        >>> wire_messages([Message.system("Be brief."), Message.user("Hello")], Dialect(), "mine")
        [{'role': 'system', 'content': 'Be brief.'}, {'role': 'user', 'content': 'Hello'}]
    """
    told: list[dict[str, JsonValue]] = []
    shown: list[JsonValue] = []
    ids = CallIds(dialect.call_ids)
    for message in with_results(messages):
        if message.role == "tool":
            told.append(_tool(message, ids))
            rest = tuple(part for part in message.parts if not isinstance(part, TextPart | ThinkingPart))
            shown += _parts(rest, dialect, provider)
            continue
        if not has_content(message):
            continue
        if shown:
            told.append({"role": "user", "content": shown})
            shown = []
        told.append(
            _assistant(message, dialect, ids) if message.role == "assistant" else _message(message, dialect, provider)
        )
    if shown:
        told.append({"role": "user", "content": shown})
    return in_turns(told, dialect.turns)


def _tool(message: Message, ids: CallIds) -> dict[str, JsonValue]:
    return {"role": "tool", "tool_call_id": ids.answered(message.tool_call_id or ""), "content": message.text}


def _message(message: Message, dialect: Dialect, provider: str) -> dict[str, JsonValue]:
    role = dialect.system_role if message.role == "system" else message.role
    told: dict[str, JsonValue] = {"role": role, "content": _content(message, dialect, provider)}
    if message.name:
        told["name"] = message.name
    return told


def _assistant(message: Message, dialect: Dialect, ids: CallIds) -> dict[str, JsonValue]:
    told: dict[str, JsonValue] = {"role": "assistant", "content": message.text}
    if message.tool_calls:
        told["content"] = message.text or None
        told["tool_calls"] = [
            {
                "id": ids.called(call.id),
                "type": "function",
                "function": {"name": call.name, "arguments": arguments_text(call)},
            }
            for call in message.tool_calls
        ]
    if dialect.thoughts and (message.tool_calls or dialect.thoughts == CONTENT):
        told |= _thoughts(message, dialect.thoughts)
    return told


def _thoughts(message: Message, name: str) -> dict[str, JsonValue]:
    thoughts = [part for part in message.parts if isinstance(part, ThinkingPart)]
    if name not in {CONTENT, DETAILS}:
        text = "".join(part.text for part in thoughts)
        return {name: text} if text else {}
    taken = thinking_in if name == CONTENT else details_in
    told = [each for part in thoughts for each in taken(part.signature)]
    if told and name == CONTENT and message.text:
        told.append({"type": "text", "text": message.text})
    return {name: told} if told else {}


def _content(message: Message, dialect: Dialect, provider: str) -> JsonValue:
    if isinstance(message.content, str):
        return message.content
    if all(isinstance(part, TextPart | ThinkingPart) for part in message.content) and not (
        dialect.cache_marks and any(isinstance(part, TextPart) and part.cache for part in message.content)
    ):
        return message.text
    return _parts(message.content, dialect, provider)


def _parts(parts: Iterable[Part], dialect: Dialect, provider: str) -> list[JsonValue]:
    return [_part(part, dialect, provider) for part in parts if not isinstance(part, ThinkingPart)]


def _part(part: Part, dialect: Dialect, provider: str) -> JsonValue:
    told: dict[str, JsonValue]
    if isinstance(part, TextPart):
        told = {"type": "text", "text": part.text}
    elif isinstance(part, ImagePart):
        told = _image(part, dialect, provider)
    elif isinstance(part, AudioPart):
        _expect(dialect.audio, "sound", provider)
        return {"type": "input_audio", "input_audio": {"data": part.base64, "format": part.format}}
    elif isinstance(part, DocumentPart):
        told = _document(part, dialect, provider)
    else:
        raise _not_taken("thoughts of a model", provider)
    if dialect.cache_marks and part.cache:
        told["cache_control"] = {"type": "ephemeral"}
    return told


def _image(part: ImagePart, dialect: Dialect, provider: str) -> dict[str, JsonValue]:
    _expect(dialect.images, "pictures", provider)
    image: dict[str, JsonValue] = {"url": part.url or f"data:{part.media_type};base64,{part.base64}"}
    if part.detail:
        image["detail"] = part.detail
    return {"type": "image_url", "image_url": image}


def _document(part: DocumentPart, dialect: Dialect, provider: str) -> dict[str, JsonValue]:
    if part.data and part.media_type.startswith("text/"):
        named = f"{part.name}:\n" if part.name else ""
        return {"type": "text", "text": named + part.data.decode("utf-8", "replace")}
    _expect(dialect.documents, "documents that are no text", provider)
    if part.url:
        raise _not_taken("documents by their address", provider)
    data = f"data:{part.media_type};base64,{part.base64}"
    return {"type": "file", "file": {"filename": part.name or "document", "file_data": data}}


def _expect(taken: bool, what: str, provider: str) -> None:
    if not taken:
        raise _not_taken(what, provider)


def _not_taken(what: str, provider: str) -> BadRequestError:
    return BadRequestError(
        f"The provider {provider!r} does not take {what}",
        fix="Use a provider that does, or give the content as text",
        provider=provider,
    )
