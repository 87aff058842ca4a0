"""What a call has for one provider by the provider's own names, laid over what is sent anyway."""

from __future__ import annotations

from collections.abc import Mapping

from sentient_cli.llm.types import JsonValue

__all__ = ["lay_over"]


def lay_over(told: dict[str, JsonValue], more: Mapping[str, JsonValue]) -> None:
    """Put members into a request. Of objects that are in both, the members are put together.

    Args:
        told: The request; changed.
        more: What goes before what it has.

    Example:
        >>> told = {"reasoning": {"effort": "low"}, "store": False}
        >>> lay_over(told, {"reasoning": {"summary": "auto"}, "store": True})
        >>> told
        {'reasoning': {'effort': 'low', 'summary': 'auto'}, 'store': True}
    """
    for name, value in more.items():
        before = told.get(name)
        if isinstance(before, dict) and isinstance(value, dict):
            inner = dict(before)
            lay_over(inner, value)
            told[name] = inner
        else:
            told[name] = value
