"""What calls get that they do not say themselves: from the manager, an experiment, and the session, in this order."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from copy import copy
from typing import Final, Literal, TypeAlias, cast

import msgspec
from msgspec.structs import astuple, force_setattr

from sentient_cli.llm.parameters import Parameters
from sentient_cli.llm.types import JsonValue

__all__ = ["NOTHING", "InUse", "Overlay", "OverlayLayer", "current_use", "in_force", "overlaid", "under"]

OverlayLayer: TypeAlias = Literal["experiment", "session"]
"""Which layer of the settings an overlay is."""

NOTHING = Parameters()
"""Every choice is left to the provider."""

_TABLES = frozenset({"metadata", "extra"})
_MOST_KNOWN: Final = 64
_known: dict[int, tuple[Parameters, tuple[tuple[str, object], ...]]] = {}


class Overlay(msgspec.Struct, frozen=True, kw_only=True):
    """What a part of a program, such as one session, has otherwise than the settings.

    Args:
        layer: Which layer of the settings it is.
        name: Who says so, for people: such as the experiment and its variant.
        model: The model id of calls that name none.
        parameters: What calls get that they leave open.
    """

    layer: OverlayLayer = "session"
    name: str = ""
    model: str | None = None
    parameters: Parameters = NOTHING


class InUse(msgspec.Struct, frozen=True, kw_only=True):
    """All overlays that hold at a place of a program, and what they come to.

    Args:
        overlays: From the outermost to the innermost, which wins.
        model: The model id of calls that name none.
        parameters: What calls get that they leave open.
    """

    overlays: tuple[Overlay, ...] = ()
    model: str | None = None
    parameters: Parameters = NOTHING


current_use: ContextVar[InUse | None] = ContextVar("current_use", default=None)
"""What holds for the calls of the current task; None: the settings alone."""


@contextmanager
def overlaid(overlay: Overlay) -> Generator[None]:
    """For the block, and what is started in it: calls get what an overlay has.

    One within another wins, value by value. What a call says itself always wins.

    Args:
        overlay: What is otherwise.

    Example:
        >>> with overlaid(Overlay(parameters=Parameters(temperature=0.2, max_tokens=100))):
        ...     with overlaid(Overlay(parameters=Parameters(temperature=0.9))):
        ...         in_force(NOTHING, current_use.get(), None).temperature
        0.9
    """
    outer = current_use.get() or InUse()
    inner = InUse(
        overlays=(*outer.overlays, overlay),
        model=overlay.model or outer.model,
        parameters=under(outer.parameters, overlay.parameters),
    )
    token = current_use.set(inner)
    try:
        yield
    finally:
        current_use.reset(token)


def in_force(standing: Parameters, use: InUse | None, given: Parameters | None) -> Parameters:
    """What a call is asked with.

    Args:
        standing: What the manager has for all calls.
        use: What holds where the call is made.
        given: What the call says itself.

    Example:
        >>> in_force(Parameters(temperature=0.2, seed=7), None, Parameters(temperature=1)).temperature
        1
    """
    told = NOTHING if given is None else given
    if use is not None:
        told = under(use.parameters, told)
    return under(standing, told)  # from the top, so that what is laid under is never made anew


def under(lower: Parameters, upper: Parameters) -> Parameters:
    """Parameters laid under others: what the upper ones leave open is as the lower ones have it.

    Of ``metadata`` and ``extra`` each entry counts by itself. Neither is checked anew, nor changed.

    Args:
        lower: Give what is missing.
        upper: Win.

    Example:
        >>> merged = under(Parameters(temperature=0.2, stop=("END",)), Parameters(temperature=0.0))
        >>> merged.temperature, merged.stop
        (0.0, ('END',))
    """
    if lower is NOTHING:
        return upper
    if upper is NOTHING:
        return lower
    merged = upper
    for name, value in _said(lower):
        wins: object = getattr(upper, name)
        if wins is None or wins == ():
            wins = value
        elif name in _TABLES:
            wins = {**cast("dict[str, JsonValue]", value), **cast("dict[str, JsonValue]", wins)}
        else:
            continue
        if merged is upper:
            merged = copy(upper)
        force_setattr(merged, name, wins)
    return merged


def _said(parameters: Parameters) -> tuple[tuple[str, object], ...]:
    """What they do not leave open; of those that hold for many calls it is looked for once."""
    known = _known.get(id(parameters))
    if known is not None and known[0] is parameters:
        return known[1]
    values = zip(Parameters.__struct_fields__, astuple(parameters), strict=True)
    said = tuple((name, value) for name, value in values if value is not None and value != ())
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    _known[id(parameters)] = parameters, said
    return said
