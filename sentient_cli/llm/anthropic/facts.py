"""What the name of a Claude model tells about it. A name that nobody knows is taken for that of a new model."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from sentient_cli.llm.parameters import Effort

__all__ = ["ModelFacts", "facts_of"]

_FAMILY_FIRST: Final = re.compile(r"claude-[a-z]+-(\d{1,2})(?:[-.](\d{1,2}))?(?![\d])")
_NUMBER_FIRST: Final = re.compile(r"claude-(\d{1,2})(?:[-.](\d{1,2}))?-[a-z]")
_NEWEST: Final = (99, 0)
# https://platform.claude.com/docs/en/build-with-claude/effort
_EFFORTS: Final[tuple[Effort, ...]] = ("low", "medium", "high", "xhigh", "max")
_EFFORTS_BEFORE: Final[tuple[Effort, ...]] = ("low", "medium", "high", "max")
"""Those of 4.6."""


class ModelFacts(msgspec.Struct, frozen=True, gc=False):
    """What a model takes.

    Args:
        adaptive: Whether it decides itself how long it thinks, and takes an effort; older ones take a number of tokens.
        thinks: Whether it can think at all.
        schemas: Whether it can be held to a JSON Schema.
        prefill: Whether it goes on with an answer that it is given the beginning of.
        max_output: Tokens that an answer may have, when known.
        samples: Whether it takes ``temperature``, ``top_p`` and ``top_k``.
        mixes: Whether it takes ``temperature`` and ``top_p`` in one request.
        efforts: How long it can be told to think, where it decides itself.
    """

    adaptive: bool = True
    thinks: bool = True
    schemas: bool = True
    prefill: bool = False
    max_output: int | None = None
    samples: bool = True
    mixes: bool = True
    efforts: tuple[Effort, ...] = _EFFORTS


def facts_of(model: str) -> ModelFacts:
    """What a model takes, by its name.

    Args:
        model: As Anthropic names it, or as others do that offer it.

    Example:
        >>> facts_of("claude-sonnet-4-5-20250929").adaptive, facts_of("claude-opus-4-8").adaptive
        (False, True)
        >>> facts_of("claude-3-5-haiku-latest").max_output
        8192
    """
    version = _version(model)
    return ModelFacts(
        adaptive=version >= (4, 6),
        thinks=version >= (3, 7),
        schemas=version >= (4, 5),
        prefill=version < (4, 6),
        max_output=_max_output(version),
        # One whose name is not Claude's speaks like Claude only.
        samples=version < (4, 7) or "claude" not in model,
        mixes=version < (4, 1) or "claude" not in model,
        efforts=_EFFORTS if version >= (4, 7) else _EFFORTS_BEFORE,
    )


def _version(model: str) -> tuple[int, int]:
    found = _FAMILY_FIRST.search(model) or _NUMBER_FIRST.search(model)
    if found is None:
        return _NEWEST
    return int(found[1]), int(found[2] or 0)


def _max_output(version: tuple[int, int]) -> int | None:
    if version >= (4, 5):
        return None
    if version >= (4, 0):
        return 32_000
    if version >= (3, 7):
        return 64_000
    return 8192 if version >= (3, 5) else 4096
