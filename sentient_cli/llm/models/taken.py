"""Which parameters a model does not take though its provider does: those that think are not told how to sample.

A row speaks for every model whose name begins like it; the longest such beginning wins. A model of no row takes all
that its provider takes.

Written down by hand in November 2026 from what the vendors document and, where they do not, from errors of theirs that
users report; never tried against the vendors. What is missing here is sent, and what is wrong here is left out with a
notice. Where each row is from:

- OpenAI, sampling: https://developers.openai.com/api/docs/guides/latest-model (parameter compatibility: log
  probabilities, ``temperature`` and ``top_p`` with the effort ``none`` alone; none of them for GPT-6). Penalties of the
  o-series: https://developers.openai.com/api/docs/guides/reasoning; of GPT-5:
  https://github.com/nextai-translator/nextai-translator/issues/1781.
- OpenAI, ``stop``: the reference of chat completions ("not supported with latest reasoning models o3 and o4-mini", so
  in the SDK 3.54; o3-mini takes it: https://github.com/huggingface/smolagents/pull/1211); GPT-5:
  https://github.com/huggingface/smolagents/issues/1671; GPT-6: https://github.com/bolna-ai/bolna/pull/1019.
- OpenAI, efforts: the reference of ``reasoning_effort``, and model by model
  https://community.openai.com/t/request-for-compatibility-matrix-reasoning-effort-sampling-parameters-across-gpt-5-series/1371738;
  GPT-5.6: https://github.com/livekit/agents/pull/7169; GPT-6: https://github.com/BerriAI/litellm-docs/pull/1173 (both
  take ``max`` by the Responses API alone: by chat completions it becomes ``xhigh``).
- OpenAI, ``parallel_tool_calls`` of the o-series: https://github.com/run-llama/llama_index/issues/20865.
- OpenAI, tools beside an effort in chat completions: https://github.com/openai/openai-openapi/issues/541 (GPT-5.4),
  https://github.com/livekit/agents/pull/5088 (GPT-5.2), https://github.com/charmbracelet/crush/issues/2913 (GPT-5.5),
  https://github.com/BerriAI/litellm/pull/34569 (GPT-5.6, with an effort of its own),
  https://github.com/genkit-ai/genkit/pull/6303 (GPT-6: with none at all, which it says itself).
- xAI: https://docs.x.ai/docs/guides/reasoning (penalties and ``stop`` are errors of models that think; which of them
  take an effort); Grok 4 and 4.20: https://github.com/vercel/ai/releases/tag/@ai-sdk%2Fxai@4.0.8; Grok 4.5:
  https://github.com/anomalyco/opencode/issues/39448; Grok 4.6: https://github.com/chenyme/grok2api/pull/901.
- DeepSeek: https://api-docs.deepseek.com/guides/reasoning_model (log probabilities are errors, the rest has no effect),
  https://api-docs.deepseek.com/guides/thinking_mode (models that think have no ``temperature`` and no penalties, which
  are no errors and do nothing; ``top_p`` does nothing for V4 Pro).
- Mistral: https://docs.mistral.ai/inference/conversations/reasoning, and model by model from what its API answered to
  others: https://github.com/withceleste/celeste-python/pull/311, https://github.com/anomalyco/models.dev/pull/1986 and
  https://github.com/dust-tt/dust/pull/27613 (Large 3, which ``mistral-large-latest`` is, refuses any effort).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal

import msgspec

from sentient_cli.llm.parameters import Effort
from sentient_cli.llm.types import JsonValue

__all__ = ["Taken", "taken_by"]

_LOGPROBS: Final = ("logprobs", "top_logprobs")
_SAMPLING: Final = ("temperature", "top_p", *_LOGPROBS)
_PENALTIES: Final = ("presence_penalty", "frequency_penalty")


class Taken(msgspec.Struct, frozen=True):
    """What a model takes of what its provider does.

    Args:
        name: What its name begins with.
        never: Parameters that it refuses, or that have no effect.
        thoughtless: Parameters that it takes only with the effort ``none``.
        efforts: How long it can be told to think: none of these, where it cannot be told; None: as its provider has it.
        deeper: Further efforts that it has by the Responses API alone.
        tools: Which effort it takes where tools are offered in chat completions: any; ``unsaid``: none can be given,
            but that it shall not think; ``none``: this one has to be given.

    Example:
        >>> taken = taken_by("openai", "gpt-5-mini")
        >>> "temperature" in taken.never, taken.efforts
        (True, ('minimal', 'low', 'medium', 'high'))
    """

    name: str = ""
    never: tuple[str, ...] = ()
    thoughtless: tuple[str, ...] = ()
    efforts: tuple[Effort, ...] | None = None
    tools: Literal["any", "unsaid", "none"] = "any"
    deeper: tuple[Effort, ...] = ()

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

    def with_tools(self, effort: JsonValue, model: str) -> tuple[JsonValue, str]:
        """The effort that goes along with tools in chat completions, and why it is another one; None: none goes.

        Args:
            effort: What would go along.
            model: As it is named, for the notice.

        Example:
            >>> taken_by("openai", "gpt-5.4-mini").with_tools("none", "gpt-5.4-mini")
            ('none', '')
            >>> taken_by("openai", "gpt-5.6-sol").with_tools(None, "gpt-5.6-sol")[0]
            'none'
        """
        if self.tools == "any" or effort == "none" or (self.tools == "unsaid" and effort is None):
            return effort, ""
        then = "none" if self.tools == "none" else None
        how = "It does not think" if then else f"The effort {effort!r:.20} was left out"
        why = f"the model {model!r:.80} takes no other beside tools by this API"
        return then, f'{how}: {why}, but with `api = "responses"`'


ANYTHING: Final = Taken()
_FEW: Final[tuple[Effort, ...]] = ("low", "medium", "high")
_MORE: Final[tuple[Effort, ...]] = (*_FEW, "xhigh")
_THINKS: Final = (*_SAMPLING, *_PENALTIES)
_MUTE: Final = (*_THINKS, "stop")
_O: Final = (*_THINKS, "parallel_tools")

_OPENAI: Final = (
    Taken("o1", _O, efforts=_FEW),
    Taken("o1-mini", _O, efforts=()),
    Taken("o1-preview", _O, efforts=()),
    Taken("o3", (*_O, "stop"), efforts=_FEW),
    Taken("o3-mini", _O, efforts=_FEW),
    Taken("o4", (*_O, "stop"), efforts=_FEW),
    Taken("gpt-5", _MUTE, efforts=("minimal", *_FEW)),
    Taken("gpt-5-codex", _MUTE, efforts=_FEW),
    Taken("gpt-5-pro", _MUTE, efforts=("high",)),
    Taken("gpt-5-chat", efforts=()),
    Taken("gpt-5-search", _MUTE, efforts=()),
    Taken("gpt-5.", (*_PENALTIES, "stop"), thoughtless=_SAMPLING, efforts=("none", *_MORE)),
    Taken("gpt-5.1", (*_PENALTIES, "stop"), thoughtless=_SAMPLING, efforts=("none", *_FEW)),
    Taken("gpt-5.1-codex", _MUTE, efforts=_FEW),
    Taken("gpt-5.1-codex-max", _MUTE, efforts=_MORE),
    Taken("gpt-5.1-chat", _MUTE, efforts=("medium",)),
    Taken("gpt-5.2", (*_PENALTIES, "stop"), thoughtless=_SAMPLING, efforts=("none", *_MORE), tools="unsaid"),
    Taken("gpt-5.2-codex", _MUTE, efforts=_MORE),
    Taken("gpt-5.2-chat", _MUTE, efforts=("medium",)),
    Taken("gpt-5.2-pro", _MUTE, efforts=("medium", "high", "xhigh")),
    Taken("gpt-5.3-chat", _MUTE, efforts=("medium",)),
    Taken("gpt-5.3-codex", _MUTE, efforts=_MORE),
    Taken("gpt-5.4", (*_PENALTIES, "stop"), thoughtless=_SAMPLING, efforts=("none", *_MORE), tools="unsaid"),
    Taken("gpt-5.5", (*_PENALTIES, "stop"), thoughtless=_SAMPLING, efforts=("none", *_MORE), tools="unsaid"),
    Taken("gpt-5.6", (*_PENALTIES, "stop"), _SAMPLING, efforts=("none", *_MORE), tools="none", deeper=("max",)),
    Taken("gpt-6", _MUTE, efforts=_MORE, deeper=("max",)),
    Taken("gpt-4", efforts=()),
    Taken("gpt-3.5", efforts=()),
)
_XAI: Final = (
    Taken("grok-3", efforts=()),
    Taken("grok-3-mini", (*_PENALTIES, "stop"), efforts=("low", "high")),
    Taken("grok-code", (*_PENALTIES, "stop"), efforts=()),
    Taken("grok-4", (*_PENALTIES, "stop"), efforts=()),
    Taken("grok-4-fast-non-reasoning", efforts=()),
    Taken("grok-4-1-fast-non-reasoning", efforts=()),
    Taken("grok-4.20-non-reasoning", efforts=()),
    Taken("grok-4.20-0309-non-reasoning", efforts=()),
    Taken("grok-4.20-multi-agent", (*_PENALTIES, "stop"), efforts=_MORE),
    Taken("grok-4.3", (*_PENALTIES, "stop"), efforts=("none", *_FEW)),
    Taken("grok-4.5", (*_PENALTIES, "stop"), efforts=_FEW),
    Taken("grok-4.6", (*_PENALTIES, "stop"), efforts=_MORE),
    Taken("grok-4.7", (*_PENALTIES, "stop"), efforts=_MORE),
)

_DEEPSEEK: Final = (
    Taken("deepseek-chat", efforts=()),
    Taken("deepseek-reasoner", (*_SAMPLING, *_PENALTIES), efforts=()),
    Taken("deepseek-flash", thoughtless=("temperature", *_PENALTIES)),
    Taken("deepseek-v4", thoughtless=("temperature", "top_p", *_PENALTIES)),
    Taken("deepseek-v4-flash", thoughtless=("temperature", *_PENALTIES)),
)
_MISTRAL: Final = (
    *(Taken(name, efforts=()) for name in ("codestral", "devstral", "ministral", "open-", "pixtral", "voxtral")),
    Taken("magistral-medium", efforts=()),
    Taken("mistral-large", efforts=()),
    Taken("mistral-large-4", efforts=("none", *_FEW)),
)

_ROWS: Final[dict[str, tuple[Taken, ...]]] = {
    "openai": _OPENAI,
    "xai": _XAI,
    "deepseek": _DEEPSEEK,
    "mistral": _MISTRAL,
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
