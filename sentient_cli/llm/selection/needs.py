"""What a request needs of a model, and whether a model has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from sentient_cli.llm.parts import AudioPart, DocumentPart, ImagePart
from sentient_cli.llm.provider import Capabilities, Request
from sentient_cli.llm.resilience.targets import is_plain_text
from sentient_cli.llm.tokens import tokens_of

__all__ = ["Needs", "lacking", "needs_of"]

_PARTS: Final[Mapping[type, str]] = {ImagePart: "images", AudioPart: "audio", DocumentPart: "documents"}
_WORDS: Final[Mapping[str, str]] = {
    "images": "cannot read images",
    "audio": "cannot hear",
    "documents": "cannot read documents",
    "tools": "cannot ask for tools",
    "structured_output": "cannot be held to a form of answer",
    "system_prompts": "does not obey system messages",
}


class Needs(msgspec.Struct, frozen=True):
    """What a request needs.

    Args:
        abilities: The names of `Capabilities` that have to be true.
        tokens: The tokens of the request, about.
        output: The tokens that its answer may have, where it says so.
        either: Abilities of which one is enough.
    """

    abilities: tuple[str, ...] = ()
    tokens: int = 1
    output: int | None = None
    either: tuple[str, ...] = ()


def needs_of(request: Request) -> Needs:
    """What a request needs.

    Example:
        >>> from sentient_cli.llm import Message, ToolSpec
        >>> needs_of(Request(model="m", messages=(Message.user("Hi"),), tools=(ToolSpec("now"),))).abilities
        ('tools',)
    """
    found: dict[str, None] = {}
    for message in request.messages:
        if message.role == "system":
            found["system_prompts"] = None
        if not isinstance(message.content, str):
            for part in message.content:
                ability = _PARTS.get(type(part))
                if ability is not None and not is_plain_text(part):
                    found[ability] = None
    if request.tools and request.parameters.tool_choice != "none":
        found["tools"] = None
    # Where a model cannot be held to a form of answer, it is given a tool to answer with.
    either = ("structured_output", "tools") if request.output is not None else ()
    return Needs(tuple(found), tokens_of(request), request.parameters.max_tokens, either)


def lacking(needs: Needs, capabilities: Capabilities, *, slack: float = 1.0) -> str:
    """Why a model cannot take a request; empty: it can.

    Args:
        needs: Of the request.
        capabilities: Of the model; what is not known of them is taken to be enough.
        slack: By how much our estimate of tokens may be too high.

    Example:
        >>> lacking(Needs(("images",)), Capabilities())
        'cannot read images'
    """
    for ability in needs.abilities:
        if not getattr(capabilities, ability):
            return _WORDS[ability]
    if needs.either and not any(getattr(capabilities, ability) for ability in needs.either):
        return _WORDS[needs.either[0]]
    most = capabilities.max_input_tokens
    if most is not None and needs.tokens / slack + (needs.output or 0) > most:
        return f"takes {most} tokens, and this has about {needs.tokens + (needs.output or 0)}"
    longest = capabilities.max_output_tokens
    if longest is not None and needs.output is not None and needs.output > longest:
        return f"answers with at most {longest} tokens, and {needs.output} are asked for"
    return ""
