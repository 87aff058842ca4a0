"""A request as the body of a message, and what of it is not asked as it was wanted."""

from __future__ import annotations

from typing import Final

from sentient_cli.llm.anthropic.config import AnthropicConfig
from sentient_cli.llm.anthropic.facts import ModelFacts, facts_of
from sentient_cli.llm.anthropic.messages import Conversation
from sentient_cli.llm.anthropic.schemas import closed
from sentient_cli.llm.parameters import Effort, Parameters
from sentient_cli.llm.provider import Request
from sentient_cli.llm.types import JsonValue, OutputSpec, ToolSpec
from sentient_cli.llm.wire.efforts import listed_efforts, nearest_effort
from sentient_cli.llm.wire.extras import lay_over

__all__ = ["COUNTED", "Asked", "ask"]

COUNTED: Final = frozenset(
    {"model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control"}
)
"""What of a body decides about the tokens of the request."""
_LEAST_THINKING: Final = 1024
_THOUGHTLESS: Final[tuple[JsonValue, ...]] = (None, {"type": "disabled"})
_UNKNOWN: Final = ("seed", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "cache_key")
_TIERS: Final = ("auto", "standard_only")
_SAMPLING: Final = ("temperature", "top_p", "top_k")
_SHARES: Final[dict[Effort, int]] = {"low": 2048, "medium": 8192, "high": 16_384, "xhigh": 24_576, "max": 32_768}
"""Tokens to think for models that take no effort."""


class Asked:
    """What is sent.

    Args:
        body: The body, ready to be encoded.
        notices: What of the request it leaves out or changes.
        betas: Names of previews to be used.
    """

    __slots__ = ("betas", "body", "notices")

    def __init__(self, body: dict[str, JsonValue], notices: list[str], betas: tuple[str, ...] = ()) -> None:
        self.body: dict[str, JsonValue] = body
        self.notices: list[str] = notices
        self.betas: tuple[str, ...] = betas


def ask(
    request: Request, config: AnthropicConfig, *, max_output: int | None = None, provider: str = "anthropic"
) -> Asked:
    """What is sent for a request.

    Args:
        request: What is asked.
        config: The settings.
        max_output: Tokens that an answer of this model may have, when known.
        provider: Whose it is: the one whose extra parameters are taken.

    Raises:
        BadRequestError: the models cannot read it.

    Example:
        >>> from sentient_cli.llm import Message
        >>> asked = ask(Request(model="claude-opus-5", messages=(Message.user("Hi"),)), AnthropicConfig())
        >>> asked.body["max_tokens"], asked.body["stream"]
        (16384, True)
    """
    facts = facts_of(request.model)
    said = Conversation(request.messages, lifetime=config.cache_lifetime, prefill=facts.prefill, provider=provider)
    body: dict[str, JsonValue] = {"model": request.model, "stream": True, "messages": said.turns}
    if said.system:
        body["system"] = list[JsonValue](said.system)
    shaper = _Shaper(body, said.notices, request.parameters, config, facts, max_output)
    shaper.limit()
    shaper.think()
    shaper.sample()
    shaper.offer(request.tools, request.output)
    shaper.name()
    betas: tuple[str, ...] = ()
    for name, value in (request.parameters.extra or {}).get(provider, {}).items():
        if name == "betas" and isinstance(value, list):
            betas = tuple(str(beta) for beta in value)
        else:
            lay_over(body, {name: value})
    return Asked(body, said.notices, betas)


class _Shaper:
    """Puts the parameters of one request into its body."""

    def __init__(
        self,
        body: dict[str, JsonValue],
        notices: list[str],
        parameters: Parameters,
        config: AnthropicConfig,
        facts: ModelFacts,
        max_output: int | None,
    ) -> None:
        self._body = body
        self._notices = notices
        self._parameters = parameters
        self._config = config
        self._facts = facts
        self._max_output = max_output or facts.max_output

    def limit(self) -> None:
        wanted = self._parameters.max_tokens
        self._body["max_tokens"] = wanted or min(self._config.max_tokens, self._max_output or self._config.max_tokens)
        stops: list[JsonValue] = [word for word in self._parameters.stop if not word.isspace()]
        if stops:
            self._body["stop_sequences"] = stops
        if len(stops) < len(self._parameters.stop):
            self._notices.append("White space alone in `stop` is not sent: the provider refuses it")

    def think(self) -> None:
        effort, tokens = self._parameters.effort, self._parameters.thinking_tokens
        if effort is None and tokens is None:
            return
        if not self._facts.thinks:
            if effort != "none" and tokens != 0:
                self._notices.append("The model does not think: `effort` and `thinking_tokens` are not sent")
        elif effort == "none" or tokens == 0:
            self._body["thinking"] = {"type": "disabled"}
            if tokens:
                self._notices.append(
                    "`thinking_tokens` is not sent: the effort `none` says that the model shall not think"
                )
            elif effort not in {None, "none"}:
                self._notices.append("`effort` is not sent: `thinking_tokens` = 0 says that the model shall not think")
        elif self._facts.adaptive:
            self._adapt(effort, tokens)
        else:
            self._budget(effort, tokens)

    def _adapt(self, effort: Effort | None, tokens: int | None) -> None:
        self._body["thinking"] = {"type": "adaptive"}
        if tokens is not None:
            self._notices.append("The model decides itself how long it thinks: `thinking_tokens` is not sent")
        if effort is None:
            return
        nearest = nearest_effort(effort, self._facts.efforts)
        if nearest != effort:
            known = listed_efforts(self._facts.efforts)
            self._notices.append(f"The `effort` {effort!r} becomes {nearest!r}: the model has {known}")
        self._output_config()["effort"] = nearest

    def _budget(self, effort: Effort | None, tokens: int | None) -> None:
        """Thoughts of so many tokens, which count as a part of the answer's."""
        if tokens and effort is not None:
            self._notices.append("`effort` is not sent: the model takes `thinking_tokens`, which say more")
        limit = self._body["max_tokens"]
        assert isinstance(limit, int)  # noqa: S101 - `limit` put it there
        wanted = tokens or _SHARES.get(effort or "low", _SHARES["low"])
        if self._parameters.max_tokens is None:
            limit = self._body["max_tokens"] = min(limit + wanted, self._max_output or limit + wanted)
        most = limit - 1 if tokens else limit * 3 // 4  # an effort leaves something for the answer
        budget = max(_LEAST_THINKING, min(wanted, most))
        if budget >= limit:
            self._notices.append(f"The model does not think: `max_tokens` leaves less than {_LEAST_THINKING} for it")
            return
        if tokens not in {None, budget}:
            self._notices.append(f"`thinking_tokens` is {budget}, from {_LEAST_THINKING} and below `max_tokens`")
        self._body["thinking"] = {"type": "enabled", "budget_tokens": budget}

    def sample(self) -> None:
        thinking = self._body.get("thinking")
        thinks = isinstance(thinking, dict) and thinking.get("type") != "disabled"
        for name in _SAMPLING:
            value: float | None = getattr(self._parameters, name)
            if value is None:
                continue
            if not self._config.takes_sampling:
                version = self._config.api_version
                self._notices.append(f"`{name}` is not sent: the version {version} of the interface refuses it")
            elif not self._facts.samples:
                self._notices.append(f"`{name}` is not sent: the model refuses it")
            elif name == "top_p" and "temperature" in self._body and not self._facts.mixes:
                self._notices.append("`top_p` is not sent: the model takes one of it and `temperature`")
            elif thinks and name != "top_p":
                self._notices.append(f"`{name}` is not sent: a model that thinks refuses it")
            elif name == "temperature" and value > 1:
                self._notices.append("`temperature` is 1, the highest there is")
                self._body[name] = 1.0
            else:
                self._body[name] = value
        for name in _UNKNOWN:
            if getattr(self._parameters, name) is not None:
                self._notices.append(f"`{name}` is not sent: the provider has no such parameter")

    def offer(self, tools: tuple[ToolSpec, ...], output: OutputSpec | None) -> None:
        """The tools, and the form of the answer: by a tool, too, where the model knows no other way."""
        choice = self._parameters.tool_choice
        if output is not None:
            schema = closed(output.schema) if self._facts.schemas else None
            if schema is None:
                tools = (*tools, output.spec)
                choice = choice or ("required" if len(tools) > 1 else OutputSpec.FINAL_ANSWER)
            else:
                self._output_config()["format"] = {"type": "json_schema", "schema": schema}
        if not tools:
            if choice not in {None, "auto", "none"}:
                self._notices.append("`tool_choice` is not sent: no tool is offered")
            return
        self._body["tools"] = [_tool(tool) for tool in tools]
        chosen = _choice(choice)
        if chosen["type"] in {"any", "tool"} and self._body.pop("thinking", None) not in _THOUGHTLESS:
            self._notices.append("The model does not think: it may not while it has to call a tool")
        if self._parameters.parallel_tools is False and chosen.get("type") != "none":
            chosen["disable_parallel_tool_use"] = True
        if choice is not None or len(chosen) > 1:
            self._body["tool_choice"] = chosen

    def name(self) -> None:
        """On whose behalf, and how soon."""
        metadata = dict(self._parameters.metadata or {})
        user = self._parameters.user or metadata.pop("user_id", None)
        if user:
            self._body["metadata"] = {"user_id": user}
        if metadata:
            self._notices.append("`metadata` is not sent: the provider keeps none but `user_id`")
        tier = self._parameters.service_tier
        if tier in _TIERS:
            self._body["service_tier"] = tier
        elif tier is not None:
            self._notices.append(f"`service_tier` is not sent: the provider has {' and '.join(_TIERS)}")

    def _output_config(self) -> dict[str, JsonValue]:
        found = self._body.setdefault("output_config", {})
        assert isinstance(found, dict)  # noqa: S101 - nobody else puts it there
        return found


def _tool(tool: ToolSpec) -> JsonValue:
    told: dict[str, JsonValue] = {"name": tool.name, "input_schema": {"type": "object", **tool.parameters}}
    if tool.description:
        told["description"] = tool.description
    return told


def _choice(choice: str | None) -> dict[str, JsonValue]:
    if choice is None or choice == "auto":
        return {"type": "auto"}
    if choice == "none":
        return {"type": "none"}
    if choice in {"any", "required"}:
        return {"type": "any"}
    return {"type": "tool", "name": choice}
