"""Which parameters a model does not take though its provider does: those that think are not told how to sample.

A row speaks for every model whose name begins like it; the longest such beginning wins. A model of no row takes all
that its provider takes.

Written down by hand from what the vendors document and users report, and never tried against the vendors: what is
missing here is sent, and what is wrong here is left out with a notice. The vendors' pages:
https://platform.openai.com/docs/guides/reasoning, https://docs.x.ai/docs/guides/reasoning,
https://api-docs.deepseek.com/guides/reasoning_model.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

from sentient_cli.llm.parameters import Effort

__all__ = ["Taken", "taken_by"]

_LOGPROBS: Final = ("logprobs", "top_logprobs")
_SAMPLING: Final = ("temperature", "top_p", *_LOGPROBS)
_PENALTIES: Final = ("presence_penalty", "frequency_penalty")


class Taken(msgspec.Struct, frozen=True):
    """What a model takes of what its provider does.

    Args:
        name: What its name begins with.
        never: Parameters that it refuses.
        thoughtless: Parameters that it takes only with the effort ``none``.
        efforts: How long it can be told to think: none of these, where it cannot be told; None: as its provider has it.

    Example:
        >>> taken = taken_by("openai", "gpt-5-mini")
        >>> "temperature" in taken.never, taken.efforts
        (True, ('minimal', 'low', 'medium', 'high'))
    """

    name: str = ""
    never: tuple[str, ...] = ()
    thoughtless: tuple[str, ...] = ()
    efforts: tuple[Effort, ...] | None = None

    def why_not(self, parameter: str, effort: Effort | None, model: str) -> str:
        """Why a parameter is not sent, for a notice; empty: it is.

        Args:
            parameter: By our name.
            effort: How long the model shall think.
            model: As it is named, for the notice.

        Example:
            >>> taken_by("openai", "gpt-5.2").why_not("temperature", "low", "gpt-5.2")
            "the model 'gpt-5.2' takes it only with the effort 'none'"
        """
        if parameter in self.never or (parameter == "effort" and self.efforts == ()):
            return f"the model {model!r:.80} does not take it"
        if parameter in self.thoughtless and effort != "none":
            return f"the model {model!r:.80} takes it only with the effort 'none'"
        return ""


ANYTHING: Final = Taken()
_FEW: Final[tuple[Effort, ...]] = ("low", "medium", "high")
_THINKS: Final = (*_SAMPLING, *_PENALTIES)

_ROWS: Final[dict[str, tuple[Taken, ...]]] = {
    "openai": (
        Taken("o1", (*_THINKS, "parallel_tools"), efforts=_FEW),
        Taken("o1-mini", (*_THINKS, "parallel_tools"), efforts=()),
        Taken("o1-preview", (*_THINKS, "parallel_tools"), efforts=()),
        Taken("o3", (*_THINKS, "stop", "parallel_tools"), efforts=_FEW),
        Taken("o4", (*_THINKS, "stop", "parallel_tools"), efforts=_FEW),
        Taken("gpt-5", (*_THINKS, "stop"), efforts=("minimal", *_FEW)),
        Taken("gpt-5-pro", (*_THINKS, "stop"), efforts=("high",)),
        Taken("gpt-5-chat", efforts=()),
        Taken("gpt-5.", (*_PENALTIES, "stop"), thoughtless=_SAMPLING),
        Taken("gpt-5.1", (*_PENALTIES, "stop"), thoughtless=_SAMPLING, efforts=("none", *_FEW)),
        Taken("gpt-5.1-codex-max", (*_PENALTIES, "stop"), thoughtless=_SAMPLING),
        Taken("gpt-4", efforts=()),
        Taken("gpt-3.5", efforts=()),
    ),
    "xai": (
        Taken("grok-4", (*_PENALTIES, "stop"), efforts=()),
        Taken("grok-4.", (*_PENALTIES, "stop")),
        Taken("grok-4-fast-non-reasoning", efforts=()),
        Taken("grok-4-1-fast-non-reasoning", efforts=()),
    ),
    "deepseek": (Taken("deepseek-reasoner", _LOGPROBS),),
}


@lru_cache(maxsize=256)
def taken_by(kind: str, model: str) -> Taken:
    """What a model takes.

    Args:
        kind: Whose table it is looked up in, such as ``openai``; empty: in none.
        model: As the provider names it; what it was tuned from, where its name begins with ``ft:``.

    Example:
        >>> taken_by("openai", "gpt-4o").never, taken_by("openai", "a-model-of-tomorrow").efforts is None
        ((), True)
    """
    name = model.lower().removeprefix("ft:")
    rows = [row for row in _ROWS.get(kind, ()) if name.startswith(row.name)]
    return max(rows, key=lambda row: len(row.name), default=ANYTHING)
