"""Whom a call can be sent to, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import msgspec

from sentient_cli.errors import BadRequestError
from sentient_cli.llm.call import Call
from sentient_cli.llm.parts import AudioPart, DocumentPart, ImagePart
from sentient_cli.llm.provider import Capabilities, LLMProvider, Request, capabilities_for
from sentient_cli.llm.types import JsonValue

__all__ = ["Choice", "Chooser", "Target", "adapted", "first_capable"]


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
            kinds = {type(part) for part in message.content}
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

    Args:
        request: What was asked.
        target: Who is asked.
    """
    output = request.output
    if output is None or target.provider.capabilities.structured_output:
        return request if request.model == target.model else msgspec.structs.replace(request, model=target.model)
    return msgspec.structs.replace(request, model=target.model, tools=(*request.tools, output.spec), output=None)
