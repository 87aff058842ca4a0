"""How a model shall answer, checked before anything is sent."""

from __future__ import annotations

import math

import msgspec

from sentient_cli.errors import BadRequestError

__all__ = ["Parameters"]

_RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
    "max_tokens": (1, 2**31 - 1),
    "seed": (-(2**63), 2**63 - 1),
}


class Parameters(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a model shall answer. None leaves the choice to the provider.

    Args:
        temperature: Randomness, 0 to 2.
        top_p: Share of the probability mass to sample from, 0 to 1.
        max_tokens: Tokens that the answer may have, from 1.
        stop: The answer ends before the first of these, none of them empty.
        seed: Makes sampling repeatable where the provider can.
        presence_penalty: -2 to 2.
        frequency_penalty: -2 to 2.

    Raises:
        BadRequestError: a value is out of its range.

    Example:
        >>> Parameters(temperature=0.2, max_tokens=100).max_tokens
        100
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value: float | None = getattr(self, name)
            if value is not None and not (math.isfinite(value) and low <= value <= high):
                raise _out_of_range(name, f"from {low} to {high}", value)
        stop: object = self.stop  # a plain string is the usual slip, and a sequence of strings as well
        if isinstance(stop, str) or not all(self.stop):
            raise _out_of_range("stop", "a tuple of strings that are not empty", self.stop)


def _out_of_range(name: str, allowed: str, value: object) -> BadRequestError:
    return BadRequestError(
        f"The parameter {name!r} is out of range", why=f"It is {value!r:.60}", fix=f"Use a value {allowed}"
    )
