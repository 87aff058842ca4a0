"""What Claude does not take, or not beside one another, or not in that range."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from sentient_cli.llm.anthropic.config import AnthropicConfig
from sentient_cli.llm.anthropic.facts import ModelFacts, facts_of
from sentient_cli.llm.config.conflict import Conflict
from sentient_cli.llm.config.lengths import too_long
from sentient_cli.llm.config.sources import EFFORT, REFERENCES, SERVICE_TIERS, THINKING
from sentient_cli.llm.parameters import Effort, Parameters
from sentient_cli.llm.types import JsonValue
from sentient_cli.llm.wire.efforts import listed_efforts, nearest_effort

__all__ = ["find"]

_UNKNOWN: Final = ("seed", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "cache_key")
_TIERS: Final = ("auto", "standard_only")
_LEAST: Final = 1024
_MESSAGES: Final = REFERENCES["anthropic"]
_OLD_VERSION: Final = "2023-06-01"
_LEAVE: Final = "Leave it out for this model."


def find(parameters: Parameters, kind: str, model: str, options: Mapping[str, JsonValue]) -> Iterator[Conflict]:
    """What comes of parameters at a model of Anthropic's.

    Args:
        parameters: What is given.
        kind: The kind of provider.
        model: The model, as it is named there; the default one if empty.
        options: Settings that only this kind has.

    Raises:
        ConfigError: an option is not one that it can have.
    """
    usual = AnthropicConfig()
    version, most = options.get("api_version"), options.get("max_tokens")
    config = AnthropicConfig(
        api_version=version if isinstance(version, str) else usual.api_version,
        max_tokens=most if isinstance(most, int) else usual.max_tokens,
    )
    model = model or config.default_model
    yield from too_long(parameters, kind, model)
    facts = facts_of(model)
    yield from _thinking(parameters, model, facts, config)
    yield from _sampling(parameters, model, facts, config)
    for name in _UNKNOWN:
        if (value := getattr(parameters, name)) is not None:
            yield Conflict(
                parameter=name,
                value=value,
                effect="left out",
                reason="the provider has no such parameter",
                source=_MESSAGES,
                alternatives=(
                    "Leave it out, or use a provider that takes it, such as `openai`.",
                    *(("Mark what stays the same with `cache=True` instead.",) if name == "cache_key" else ()),
                ),
            )
    yield from _stops(parameters)
    if parameters.service_tier is not None and parameters.service_tier not in _TIERS:
        yield Conflict(
            parameter="service_tier",
            value=parameters.service_tier,
            effect="left out",
            reason=f"the provider has {' and '.join(_TIERS)}",
            source=SERVICE_TIERS,
            alternatives=(f"Use one of these: {', '.join(_TIERS)}.",),
        )
    metadata = parameters.metadata or {}
    kept = {"user_id"} if parameters.user is None else set[str]()
    if metadata.keys() - kept:
        yield Conflict(
            parameter="metadata",
            value=dict(metadata),
            effect="left out",
            reason="the provider keeps none but `user_id`",
            source=_MESSAGES,
            alternatives=("Give `user`, which is sent as `user_id`.",),
        )


def _stops(parameters: Parameters) -> Iterator[Conflict]:
    stops = [word for word in parameters.stop if not word.isspace()]
    if len(stops) < len(parameters.stop):
        yield Conflict(
            parameter="stop",
            value=list(parameters.stop),
            effect="changed" if stops else "left out",
            becomes=list[JsonValue](stops) or None,
            reason="the provider refuses what is only white space",
            source=_MESSAGES,
            alternatives=("Have the answer end with a word of its own.",),
        )


def _thinks(parameters: Parameters, facts: ModelFacts, config: AnthropicConfig) -> bool:
    """Whether a model thinks before it answers, if no tool has to be called."""
    effort, tokens = parameters.effort, parameters.thinking_tokens
    if not facts.thinks or effort == "none" or tokens == 0 or (effort is None and tokens is None):
        return False
    most = parameters.max_tokens if parameters.max_tokens is not None else config.max_tokens
    return facts.adaptive or most > _LEAST or parameters.max_tokens is None


def _thinking(parameters: Parameters, model: str, facts: ModelFacts, config: AnthropicConfig) -> Iterator[Conflict]:
    effort, tokens = parameters.effort, parameters.thinking_tokens
    if effort == "none" or tokens == 0:
        if facts.thinks:
            yield from _contrary(effort, tokens)
        return
    if not facts.thinks:
        for name, value in (("effort", effort), ("thinking_tokens", tokens)):
            if value is not None:
                yield Conflict(
                    parameter=name,
                    value=value,
                    effect="left out",
                    reason=f"the model {model!r:.80} does not think",
                    source=THINKING,
                    alternatives=("Use a model that thinks, such as `anthropic:claude-haiku-4-5`.", _LEAVE),
                )
    elif facts.adaptive:
        yield from _adaptive(parameters, model, facts)
    else:
        yield from _budget(parameters, model, facts, config)


def _contrary(effort: Effort | None, tokens: int | None) -> Iterator[Conflict]:
    """One of the two says that the model shall not think, which settles it."""
    name, value, other = ("thinking_tokens", tokens, "effort") if tokens else ("effort", effort, "thinking_tokens")
    if effort is not None and tokens is not None and value != "none":
        yield Conflict(
            parameter=name,
            value=value,
            effect="left out",
            reason=f"`{other}` says that the model shall not think",
            beside=(other,),
            source=THINKING,
            alternatives=("Give one of the two.",),
        )


def _adaptive(parameters: Parameters, model: str, facts: ModelFacts) -> Iterator[Conflict]:
    effort, tokens = parameters.effort, parameters.thinking_tokens
    if tokens is not None:
        yield Conflict(
            parameter="thinking_tokens",
            value=tokens,
            effect="left out",
            reason=f"the model {model!r:.80} decides itself how long it thinks",
            source=THINKING,
            alternatives=(f"Steer it with `effort`: {listed_efforts(facts.efforts)}.",),
        )
    nearest = nearest_effort(effort, facts.efforts) if effort is not None else None
    if nearest != effort:
        known = listed_efforts(facts.efforts)
        yield Conflict(
            parameter="effort",
            value=effort,
            effect="changed",
            becomes=nearest,
            reason=f"the model {model!r:.80} has {known}",
            source=EFFORT,
            alternatives=(f"Use one of these: {known}; or `none` so that it does not think.",),
        )


def _budget(parameters: Parameters, model: str, facts: ModelFacts, config: AnthropicConfig) -> Iterator[Conflict]:
    effort, tokens, most = parameters.effort, parameters.thinking_tokens, parameters.max_tokens
    if tokens is not None and effort is not None:
        yield Conflict(
            parameter="effort",
            value=effort,
            effect="left out",
            reason=f"the model {model!r:.80} takes `thinking_tokens`, which say more",
            beside=("thinking_tokens",),
            source=THINKING,
            alternatives=("Give one of the two.",),
        )
    limit = most if most is not None else _roomy(tokens, facts, config)
    if limit is None:
        return
    if limit <= _LEAST:
        name = "effort" if tokens is None else "thinking_tokens"
        yield Conflict(
            parameter=name,
            value=effort if tokens is None else tokens,
            effect="left out",
            reason=f"`max_tokens` = {limit} leaves less than {_LEAST} for thinking, and the model does not think",
            beside=("max_tokens",),
            source=THINKING,
            alternatives=(f"Make `max_tokens` greater than {_LEAST}.", 'Set `effort = "none"`.'),
        )
    elif tokens is not None and not _LEAST <= tokens < limit:
        yield Conflict(
            parameter="thinking_tokens",
            value=tokens,
            effect="changed",
            becomes=max(_LEAST, min(tokens, limit - 1)),
            reason=f"it has to be from {_LEAST} and below `max_tokens`, which is {limit}",
            beside=("max_tokens",) if tokens >= limit else (),
            source=THINKING,
            alternatives=(f"Use {_LEAST} to {limit - 1}, or a greater `max_tokens`.",),
        )


def _roomy(tokens: int | None, facts: ModelFacts, config: AnthropicConfig) -> int | None:
    """The tokens of an answer whose length is left open: what thinking takes is added, up to what the model can."""
    if tokens is None:
        return None
    usual = min(config.max_tokens, facts.max_output or config.max_tokens)
    return min(usual + tokens, facts.max_output or usual + tokens)


def _sampling(parameters: Parameters, model: str, facts: ModelFacts, config: AnthropicConfig) -> Iterator[Conflict]:
    thinks = _thinks(parameters, facts, config)
    sends_temperature = config.takes_sampling and facts.samples and not thinks and parameters.temperature is not None
    for name in ("temperature", "top_p", "top_k"):
        value: float | None = getattr(parameters, name)
        if value is None:
            continue
        reason = ""
        beside: tuple[str, ...] = ()
        instead: tuple[str, ...] = (_LEAVE,)
        if not config.takes_sampling:
            reason = f"the version {config.api_version} of the interface refuses it"
            older = f'Set `api_version = "{_OLD_VERSION}"` in the `options` of the provider.'
            instead = (older, _LEAVE) if facts.samples else (_LEAVE,)
        elif not facts.samples:
            reason = f"the model {model!r:.80} refuses it"
            instead = ("Use a model that takes it, such as `anthropic:claude-haiku-4-5`.", _LEAVE)
        elif name == "top_p" and sends_temperature and not facts.mixes:
            reason, beside = f"the model {model!r:.80} takes one of it and `temperature`", ("temperature",)
            instead = ("Give one of the two.",)
        elif thinks and name != "top_p":
            reason, beside = "a model that thinks refuses it", ("effort", "thinking_tokens")
            instead = ('Set `effort = "none"`: then the model does not think, and takes it.', _LEAVE)
        if reason:
            yield Conflict(
                parameter=name,
                value=value,
                effect="left out",
                reason=reason,
                beside=beside,
                source=_MESSAGES,
                alternatives=instead,
            )
        elif name == "temperature" and value > 1:
            yield Conflict(
                parameter=name,
                value=value,
                effect="changed",
                becomes=1.0,
                reason="the provider takes 0 to 1",
                source=_MESSAGES,
                alternatives=("Use 1 or less.",),
            )
