"""What vendors and servers do not take that speak like OpenAI."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sentient_cli.llm.compatible.vendors import VENDORS
from sentient_cli.llm.config.chat_rules import chat_conflicts
from sentient_cli.llm.config.conflict import Conflict
from sentient_cli.llm.parameters import Parameters
from sentient_cli.llm.types import JsonValue

__all__ = ["find"]


def find(parameters: Parameters, kind: str, model: str, _options: Mapping[str, JsonValue]) -> Iterator[Conflict]:
    """What comes of parameters there; nothing is known of kinds that are not in the table, and offline all is taken.

    Args:
        parameters: What is given.
        kind: The kind of provider.
        model: The model; its default one if empty.
    """
    vendor = VENDORS.get(kind)
    if vendor is not None:
        yield from chat_conflicts(parameters, vendor.dialect, kind, model or vendor.default_model)
