"""What an agent says of its run, for the experiments that it takes part in."""

from __future__ import annotations

import math
import re
from typing import Final, cast

from sentient_cli.errors import UsageError
from sentient_cli.experiments.taking_part import MOST_SCORES, current_part

__all__ = ["score", "variant"]

_RUN: Final = re.compile(r"[0-9a-z-]{1,128}")
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")


def score(name: str, value: float, *, run: str | None = None) -> None:
    """Say how good a run was, such as what a user thinks of it; the results of experiments compare it.

    A second score of the same name takes the place of the first. Outside of a run, and in one that takes part in no
    experiment, nothing happens.

    Args:
        name: What it is about: letters, digits, ``-``, ``_``.
        value: A finite number, in any measure.
        run: The id of an earlier run, as its client was told it; the current run otherwise.

    Raises:
        UsageError: the name, the value or the id cannot be taken, or there are too many scores already.

    Example:
        >>> from sentient_cli import experiments
        >>> experiments.score("helpful", 1.0)
        >>> experiments.score("helpful", float("nan"))
        Traceback (most recent call last):
        ...
        sentient_cli.errors.UsageError: The score 'helpful' cannot be nan. Use a finite number.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"No score can be called {name!r:.100}", fix="Use letters, digits, `-`, `_`")
    given = cast("object", value)
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise UsageError(f"The score {name!r} cannot be {value!r:.60}", fix="Use a finite number")
    if run is not None and not _RUN.fullmatch(run):
        raise UsageError(f"No run has the id {run!r:.160}", fix="Use what the header `Sentient-Run-Id` says")
    part = current_part.get()
    if part is not None and not part.score(name, float(value), run):
        raise UsageError("There are too many scores already", fix=f"Use at most {MOST_SCORES} names in a run")


def variant(experiment: str) -> str | None:
    """The variant of an experiment that the current run has, for an agent that does something about it itself.

    To ask makes the run count as one that had the variant. None: there is no such experiment now, or the run takes no
    part in it; do as without it.

    Args:
        experiment: The name of the experiment.

    Example:
        >>> from sentient_cli import experiments
        >>> experiments.variant("tone") is None
        True
    """
    part = current_part.get()
    return None if part is None else part.variant(experiment)
