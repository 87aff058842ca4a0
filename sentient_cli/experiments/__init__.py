"""Experiments: variants of how models answer, tried in real traffic, and what an agent may say about them.

An agent needs nothing of this to take part. It may say how good a run was, and ask for its variant. Names load on
first use.

Example:
    >>> from sentient_cli import experiments
    >>> experiments.score("helpful", 1.0)  # outside of a run nothing happens
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentient_cli.experiments.scoring import score, variant

__all__ = ["score", "variant"]

if not TYPE_CHECKING:  # a type checker shall know the names above and no others

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value: object = getattr(import_module(f"{__name__}.scoring"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
