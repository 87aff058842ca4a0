"""A conversation as Anthropic takes it: turns of user and assistant by turns, and the system's words beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal, TypeAlias

from sentient_cli.errors import BadRequestError
from sentient_cli.llm.conversation import nothing_to_answer
from sentient_cli.llm.parts import AudioPart, DocumentPart, ImagePart, Part, TextPart, ThinkingPart
from sentient_cli.llm.types import JsonValue, Message, ToolCall
from sentient_cli.llm.wire.arguments import arguments_object
from sentient_cli.llm.wire.callids import CallIds
from sentient_cli.llm.wire.thoughts import signed_by
from sentient_cli.llm.wire.unanswered import with_results

__all__ = ["Block", "Conversation"]

Block: TypeAlias = dict[str, JsonValue]
Side: TypeAlias = Literal["user", "assistant"]

_MOST_MARKS: Final = 4
"""More places than these cannot be kept in the cache."""
_GO_ON: Final = "Go on."
_TEXTS: Final = ("text/", "application/json", "application/xml", "application/yaml", "application/toml")


class Conversation:
    """Takes messages, and holds what the request says of them.

    Args:
        messages: In any order of roles.
        lifetime: How long what is marked for the cache is kept.
        prefill: Whether the model goes on with an answer that it is given the beginning of.
        provider: Whose it is, for errors.

    Raises:
        BadRequestError: there is nothing to answer, or something that the models cannot read.

    Example:
        >>> said = Conversation([Message.system("Be brief"), Message.user("Hi"), Message.user("there")])
        >>> said.system, [turn["role"] for turn in said.turns]
        ([{'type': 'text', 'text': 'Be brief'}], ['user'])
    """

    def __init__(
        self, messages: Sequence[Message], *, lifetime: str = "5m", prefill: bool = False, provider: str = "anthropic"
    ) -> None:
        self._mark: Block = {"type": "ephemeral"} if lifetime == "5m" else {"type": "ephemeral", "ttl": lifetime}
        self._marked: list[Block] = []
        self._provider = provider
        self.system: list[Block] = []
        """The blocks of the system's words."""
        self.notices: list[str] = []
        """What is not said as it was given."""
        self._turns: list[tuple[Side, list[Block]]] = []
        self._ids = CallIds("words")
        for message in with_results(messages):
            self._add(message)
        self._put_in_order(prefill=prefill)
        self._limit_marks()

    @property
    def turns(self) -> list[JsonValue]:
        """The turns, which begin with one of the user's and go to and fro."""
        return [{"role": side, "content": list[JsonValue](blocks)} for side, blocks in self._turns]

    def _add(self, message: Message) -> None:
        if message.role == "system":
            if self._turns:
                self._say("A system message within the conversation stands at its beginning instead")
            self.system += self._blocks(message.parts)
        elif message.role == "tool":
            self._to("user", [self._result(message)])
        elif message.role == "assistant":
            self._to("assistant", [*self._blocks(message.parts), *map(self._call, message.tool_calls)])
        else:
            self._to("user", self._blocks(message.parts))

    def _to(self, side: Side, blocks: list[Block]) -> None:
        """Add to the turn of a side, which is the last one or a new one."""
        if not blocks:
            return
        if not self._turns or self._turns[-1][0] != side:
            self._turns.append((side, []))
        self._turns[-1][1].extend(blocks)

    def _put_in_order(self, *, prefill: bool) -> None:
        if not self._turns:
            raise nothing_to_answer(self._provider)
        for side, blocks in self._turns:
            if side == "user":  # results come first in a turn, whatever was said between
                blocks.sort(key=lambda block: block["type"] != "tool_result")
        if self._turns[0][0] == "assistant":
            self._turns.insert(0, ("user", [{"type": "text", "text": _GO_ON}]))
            self._say("The conversation begins with the assistant, so that a word of the user was put before it")
        last_side, last = self._turns[-1]
        if last_side == "user":
            return
        if prefill:
            text = last[-1].get("text")
            if isinstance(text, str):
                last[-1]["text"] = text.rstrip() or text  # a beginning that ends with white space is refused
            return
        self._turns.append(("user", [{"type": "text", "text": _GO_ON}]))
        self._say("The conversation ends with the assistant, so that the model was asked to go on")

    def _limit_marks(self) -> None:
        if len(self._marked) > _MOST_MARKS:
            for block in self._marked[:-_MOST_MARKS]:
                del block["cache_control"]
            self._say(f"Only the last {_MOST_MARKS} of {len(self._marked)} places are kept in the cache")

    def _say(self, notice: str) -> None:
        if notice not in self.notices:
            self.notices.append(notice)

    def _blocks(self, parts: Iterable[Part]) -> list[Block]:
        found: list[Block] = []
        for part in parts:
            block = self._block(part)
            if block is None:
                continue
            if not isinstance(part, AudioPart | ThinkingPart) and part.cache:
                block["cache_control"] = self._mark
                self._marked.append(block)
            found.append(block)
        return found

    def _block(self, part: Part) -> Block | None:
        if isinstance(part, TextPart):
            return {"type": "text", "text": part.text} if part.text and not part.text.isspace() else None
        if isinstance(part, ImagePart):
            return {"type": "image", "source": _source(part.url, part.media_type, part.base64)}
        if isinstance(part, DocumentPart):
            return self._document(part)
        if isinstance(part, ThinkingPart):
            return _thinking(part)
        raise BadRequestError(
            f"The models of {self._provider!r} cannot read a part of the kind {type(part).__name__!r}",
            fix="Give them text, images or documents, or use a model that can, such as one that hears",
            provider=self._provider,
        )

    def _document(self, part: DocumentPart) -> Block:
        named: Block = {"title": part.name} if part.name else {}
        if part.url or part.media_type == "application/pdf":
            return {"type": "document", "source": _source(part.url, part.media_type, part.base64), **named}
        try:
            text = part.data.decode() if part.media_type.startswith(_TEXTS) else None
        except UnicodeError:
            text = None
        if text is None:
            raise BadRequestError(
                f"The models of {self._provider!r} cannot read the document {part.name!r:.80}",
                why=f"They read PDF files and text in UTF-8, and this is of the type {part.media_type!r:.60}",
                fix="Give it as one of these",
                provider=self._provider,
            )
        return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}, **named}

    def _result(self, message: Message) -> Block:
        block: Block = {"type": "tool_result", "tool_use_id": self._ids.answered(message.tool_call_id or "")}
        blocks = self._blocks(part for part in message.parts if not isinstance(part, ThinkingPart))
        if blocks:
            plain = isinstance(message.content, str)
            block["content"] = message.content if plain else list[JsonValue](blocks)  # type: ignore[assignment]
        if message.is_error:
            block["is_error"] = True
        return block

    def _call(self, call: ToolCall) -> Block:
        return {"type": "tool_use", "id": self._ids.called(call.id), "name": call.name, "input": arguments_object(call)}


def _source(url: str, media_type: str, data: str) -> Block:
    if url:
        return {"type": "url", "url": url}
    return {"type": "base64", "media_type": media_type, "data": data}


def _thinking(part: ThinkingPart) -> Block | None:
    if part.redacted:
        return {"type": "redacted_thinking", "data": part.redacted}
    if signed_by(part.signature) == "messages":
        return {"type": "thinking", "thinking": part.text, "signature": part.signature}
    return None  # another provider's, or cut off: nobody vouches for it
