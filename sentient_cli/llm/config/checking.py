"""Which parameters a model does not take as they are given, or not beside one another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Final, TypeAlias, cast

from sentient_cli.llm.config.conflict import Conflict
from sentient_cli.llm.parameters import Parameters
from sentient_cli.llm.types import JsonValue

__all__ = ["conflicts"]

Find: TypeAlias = Callable[[Parameters, str, str, Mapping[str, JsonValue]], Iterator[Conflict]]

# By name, since a type checker follows every import, and an agent's own check would pay for the SDKs of the adapters.
_RULES: Final = {"anthropic": "claude_rules", "openai": "openai_rules"}
_NONE: Final[Mapping[str, JsonValue]] = MappingProxyType({})


def conflicts(
    parameters: Parameters, kind: str, model: str = "", *, options: Mapping[str, JsonValue] = _NONE
) -> Sequence[Conflict]:
    """What of parameters a model does not take as it is given, what comes of it, and what to do instead.

    It needs no network and no key. What is not known to be refused is thought to be taken.

    Args:
        parameters: What is given.
        kind: The kind of provider, such as ``anthropic``.
        model: The model, as it is named there; the default model of the kind unless given.
        options: Settings of the provider that only its kind has, such as ``api_version``.

    Raises:
        ConfigError: an option is not one that the kind can have.

    Example:
        >>> for each in conflicts(Parameters(temperature=1.5, thinking_tokens=500, seed=1), "anthropic"):
        ...     print(each.parameter, each.effect)
        thinking_tokens left out
        temperature left out
        seed left out
        >>> conflicts(Parameters(temperature=1.5), "openai", "gpt-4.1")
        ()
    """
    rules = import_module(f"{__package__}.{_RULES.get(kind, 'vendor_rules')}")
    find = cast("Find", vars(rules)["find"])
    return tuple(find(parameters, kind, model, options))
