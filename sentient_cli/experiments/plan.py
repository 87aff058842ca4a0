"""What an experiment is while it runs: its variants as overlays, and a revision that tells when they have changed."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Literal

import msgspec

from sentient_cli.experiments.assignment import assigned
from sentient_cli.experiments.guards import Guard
from sentient_cli.llm.defaults import NOTHING
from sentient_cli.llm.parameters import Parameters

__all__ = ["Plan", "Variant"]


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One variant of an experiment.

    Args:
        weight: Its part of the traffic.
        model: The model of calls that name none; None: as it would be anyhow.
        parameters: What calls get that they leave open.

    Example:
        >>> Variant(parameters=Parameters(temperature=0.9)).fields
        ('temperature',)
    """

    weight: float = 1.0
    model: str | None = None
    parameters: Parameters = NOTHING

    @property
    def fields(self) -> tuple[str, ...]:
        """What it sets, by name."""
        given = msgspec.to_builtins(self.parameters)
        return (*(("model",) if self.model else ()), *given)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One experiment.

    Args:
        name: What it is called.
        variants: What is compared, by name.
        control: The variant that the others are compared with.
        by: Who always gets the same variant.
        share: The part of all units that takes part.
        guard: What a variant must not do.
        rolls_back: Whether a breach ends the experiment, and not the variant alone.
        starts: When it begins, in nanoseconds since the epoch; None: it has begun.
        ends: When it is over; None: never.

    Example:
        >>> plan = Plan(name="tone", variants={"control": Variant(), "warm": Variant(model="offline:echo")})
        >>> plan.variant_of("a session") in plan.variants
        True
    """

    name: str
    variants: Mapping[str, Variant]
    control: str = "control"
    by: Literal["session", "user"] = "session"
    share: float = 1.0
    guard: Guard = Guard()
    rolls_back: bool = False
    starts: int | None = None
    ends: int | None = None

    @property
    def revision(self) -> str:
        """Changes when the outcomes so far tell nothing of what the variants are now."""
        told = [
            self.by,
            self.control,
            {name: [each.model, each.parameters] for name, each in sorted(self.variants.items())},
        ]
        return blake2b(msgspec.json.encode(told, order="sorted"), digest_size=4).hexdigest()

    def runs_at(self, now: int) -> bool:
        """Whether it goes on at a time, in nanoseconds since the epoch."""
        return (self.starts is None or self.starts <= now) and (self.ends is None or now < self.ends)

    def variant_of(self, unit: str) -> str | None:
        """The variant that a unit draws; None: it takes no part."""
        return assigned(self.name, unit, {name: each.weight for name, each in self.variants.items()}, self.share)
