"""What stands between parameters and a model: one that is not taken, not in that range, or not beside another."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from sentient_cli.llm.types import JsonValue

__all__ = ["Conflict", "Effect"]

Effect: TypeAlias = Literal["left out", "changed", "refused"]
"""What comes of it: the parameter is not sent, or another value is, or the provider refuses the request."""


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter that a model does not take as it is given.

    Args:
        parameter: By our name.
        value: What is given.
        effect: What comes of it.
        reason: Why, a sentence.
        becomes: What is sent in its place, where it is changed.
        beside: The parameters that it does not go along with, where they are the reason.
        when: Under which condition, such as ``tools are offered``; empty: always.
        source: Where that is documented, an address.
        alternatives: What to do instead, each a sentence.

    Example:
        >>> from sentient_cli.llm import Parameters
        >>> from sentient_cli.llm.config import conflicts
        >>> (found,) = conflicts(Parameters(temperature=0.2), "openai", "gpt-5-mini")
        >>> found.parameter, found.effect
        ('temperature', 'left out')
        >>> str(found)
        "`temperature` = 0.2 is left out: the model 'gpt-5-mini' does not take it"
    """

    parameter: str
    value: JsonValue
    effect: Effect
    reason: str
    becomes: JsonValue = None
    beside: tuple[str, ...] = ()
    when: str = ""
    source: str = ""
    alternatives: tuple[str, ...] = ()

    def __str__(self) -> str:
        done = f"becomes {shown(self.becomes)}" if self.effect == "changed" else f"is {self.effect}"
        when = f" where {self.when}" if self.when else ""
        return f"`{self.parameter}` = {shown(self.value)} {done}{when}: {self.reason}"


def shown(value: JsonValue) -> str:
    """A value as it stands in a settings file.

    Example:
        >>> shown("low"), shown(True)
        ('"low"', 'true')
    """
    return msgspec.json.encode(value).decode()
