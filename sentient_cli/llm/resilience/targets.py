"""Whom a call can be sent to, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import msgspec

from sentient_cli.errors import BadRequestError
from sentient_cli.llm.call import Call
from sentient_cli.llm.parts import AudioPart, DocumentPart, ImagePart, Part, TextPart
from sentient_cli.llm.provider import Capabilities, LLMProvider, Request, capabilities_for
from sentient_cli.llm.types import JsonValue, Message

__all__ = ["Choice", "Chooser", "Target", "adapted", "first_capable", "has_parts", "is_plain_text"]


class Target(msgspec.Struct, frozen=True):
    """A model of a provider's.

    Args:
        provider: The provider.
        model: The model, as it names it.
        degraded: Why its answer is a lesser one; empty: it is as good as any.

    Example:
        >>> from sentient_cli.llm import OfflineProvider
        >>> Target(OfflineProvider(), "echo").id
        'offline:echo'
    """

    provider: LLMProvider
    model: str
    degraded: str = ""

    @property
    def id(self) -> str:
        """The model id, ``provider:model``."""
        return f"{self.provider.provider_id}:{self.model}"


class Choice(msgspec.Struct, frozen=True):
    """Whom a call is sent to.

    Args:
        targets: The first is asked, the others stand in for it, in this order; at least one.
        policy: By which rule.
        reasons: What was considered, for the log; with none, nothing is told.

    Example:
        >>> from sentient_cli.llm import OfflineProvider
        >>> choice = Choice((Target(OfflineProvider(), "echo"),), policy="cheapest", reasons={"offline:echo": "free"})
        >>> choice.targets[0].model
        'echo'
    """

    targets: tuple[Target, ...]
    policy: str = ""
    reasons: dict[str, JsonValue] | None = None


Chooser: TypeAlias = Callable[[Request, Call, Sequence[Target]], Choice]
"""Puts the targets that a call may go to in order; those given stand in for each other, the one that was named first.

It raises a `ProviderError` if none can take the request.
"""

_NEEDS: Final = (
    (ImagePart, "images", "read images"),
    (AudioPart, "audio", "hear"),
    (DocumentPart, "documents", "read documents"),
)


def first_capable(request: Request, call: Call, targets: Sequence[Target]) -> Choice:
    """The targets in the order given, without those that cannot take the request.

    Raises:
        BadRequestError: none can.
    """
    del call
    needed = _needed(request)
    if not needed:
        return Choice(tuple(targets))
    offered = [(target, capabilities_for(target.provider, target.model)) for target in targets]
    capable = tuple(target for target, can in offered if all(_has(can, name) for name in needed))
    if capable:
        return Choice(capable)
    raise BadRequestError(
        f"No model can take this request: {', '.join(target.id for target in targets)}",
        why=f"It has to {' and '.join(needed.values())}",
        fix="Use a model that can, or leave that out of the request",
        provider=targets[0].provider.provider_id if targets else "",
    )


def _needed(request: Request) -> dict[str, str]:
    """The names of `Capabilities` that a request needs, each in words."""
    needed: dict[str, str] = {}
    for message in request.messages:
        if message.role == "system":
            needed["system_prompts"] = "obey system messages"
        if not isinstance(message.content, str):
            kinds = {type(part) for part in message.content if not is_plain_text(part)}
            needed |= {name: words for kind, name, words in _NEEDS if kind in kinds}
    if request.tools and request.parameters.tool_choice != "none":
        needed["tools"] = "ask for tools"
    if request.output is not None:
        needed["structured_output"] = "be held to a form of answer"
    return needed


def _has(capabilities: Capabilities, name: str) -> bool:
    if name == "structured_output" and capabilities.tools:
        return True  # it is given a tool to answer with
    return bool(getattr(capabilities, name))


def adapted(request: Request, target: Target) -> Request:
    """The request as it goes to a target: where it cannot be held to a form of answer, it gets a tool to answer with.

    Documents that are text are told as text to whoever reads no documents.

    Args:
        request: What was asked.
        target: Who is asked.
    """
    output = request.output
    if has_parts(request) and not capabilities_for(target.provider, target.model).documents:
        request = msgspec.structs.replace(request, messages=tuple(map(_as_text, request.messages)))
    if output is None or target.provider.capabilities.structured_output:
        return request if request.model == target.model else msgspec.structs.replace(request, model=target.model)
    return msgspec.structs.replace(request, model=target.model, tools=(*request.tools, output.spec), output=None)


def has_parts(request: Request) -> bool:
    """Whether there is more than texts in a conversation.

    Args:
        request: What was asked.
    """
    return any(type(message.content) is not str for message in request.messages)


def is_plain_text(part: Part) -> bool:
    """Whether a part is a document that can be told as text.

    Args:
        part: Of a message.
    """
    return isinstance(part, DocumentPart) and part.as_text is not None


def _as_text(message: Message) -> Message:
    if isinstance(message.content, str) or not any(map(is_plain_text, message.content)):
        return message
    return msgspec.structs.replace(message, content=tuple(map(_told, message.content)))


def _told(part: Part) -> Part:
    text = part.as_text if isinstance(part, DocumentPart) else None
    return part if text is None or not isinstance(part, DocumentPart) else TextPart(f"{text}\n\n", cache=part.cache)
