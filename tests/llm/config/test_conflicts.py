"""What a model does not take: what is said of it is what happens to the request, for any parameters."""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.config.llm import LlmSettings, ProviderSettings
from sentient_cli.llm import Message, Parameters, Request, ToolSpec
from sentient_cli.llm.anthropic import AnthropicConfig
from sentient_cli.llm.anthropic.request import ask
from sentient_cli.llm.chatwire.body import body_of, settings_of
from sentient_cli.llm.chatwire.dialect import Dialect
from sentient_cli.llm.compatible.vendors import VENDORS
from sentient_cli.llm.config import Conflict, conflicts, conflicts_of
from sentient_cli.llm.config.sources import REFERENCES
from sentient_cli.llm.openai.config import DIALECT
from sentient_cli.llm.openai.responses_body import RESPONSES
from sentient_cli.llm.types import JsonValue

_WORDS = st.sampled_from(["a", "b", "c", "d", "e", "f"])
_PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.sampled_from([0.0, 0.5, 1.0, 1.5]),
        "top_p": st.sampled_from([0.0, 0.9]),
        "top_k": st.integers(1, 50),
        "max_tokens": st.sampled_from([1, 1024, 1025, 2000, 4096]),
        "stop": st.lists(_WORDS, min_size=1, max_size=6).map(tuple),
        "seed": st.integers(0, 3),
        "presence_penalty": st.floats(-2, 2),
        "frequency_penalty": st.floats(-2, 2),
        "effort": st.sampled_from(["none", "minimal", "low", "medium", "high", "xhigh", "max"]),
        "thinking_tokens": st.sampled_from([0, 1, 1023, 1024, 1025, 1999, 3000, 90_000]),
        "parallel_tools": st.booleans(),
        "logprobs": st.booleans(),
        "top_logprobs": st.integers(0, 20),
        "service_tier": st.sampled_from(["auto", "flex", "standard_only"]),
        "user": st.just("somebody"),
        "cache_key": _WORDS,
        "metadata": st.dictionaries(st.sampled_from(["user_id", "team"]), _WORDS, min_size=1),
    },
).map(lambda values: msgspec.convert(values, Parameters))
_TOOL = ToolSpec("now", "Says what time it is.")


def _request(model: str, parameters: Parameters, *tools: ToolSpec) -> Request:
    return Request(model=model, messages=(Message.user("Hi"),), parameters=parameters, tools=tools)


_LATE = ("effort", "tools are offered")


def _names(found: Sequence[Conflict]) -> set[str]:
    return {each.parameter for each in found if (each.parameter, each.when) != _LATE and each.effect != "refused"}


def _at(body: dict[str, JsonValue], path: str) -> object:
    found: JsonValue = body
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _kept_by_chat(parameters: Parameters, dialect: Dialect, kind: str, model: str) -> set[str]:
    told: dict[str, JsonValue] = {}
    settings_of(_request(model, parameters, _TOOL), dialect, kind, told)
    given_ = {name: getattr(parameters, name) for name in Parameters.__struct_fields__}
    plain = json.loads(msgspec.json.encode(told))
    if parameters.effort == "none" and dialect.unthinking and plain.items() >= dialect.unthinking.items():
        plain[dialect.parameters["effort"]] = "none"  # said in other words
    return {
        name
        for name, value in given_.items()
        if name in dialect.parameters
        and value not in (None, ())
        and _at(plain, dialect.parameters[name]) == json.loads(msgspec.json.encode(value))
    }


_CHATS = [
    *((kind, vendor.dialect, vendor.default_model, "") for kind, vendor in VENDORS.items()),
    *(
        ("openai", dialect, model, api)
        for model in ("gpt-4.1", "gpt-5-mini", "gpt-5.4", "gpt-5.6-sol", "gpt-6", "o3", "o1-mini", "gpt-5-chat-latest")
        for dialect, api in ((DIALECT, "chat"), (RESPONSES, "responses"))
    ),
    *(("xai", VENDORS["xai"].dialect, model, "") for model in ("grok-3-mini", "grok-4.3", "grok-3")),
    *(("deepseek", VENDORS["deepseek"].dialect, model, "") for model in ("deepseek-reasoner", "deepseek-v4-pro")),
    *(("mistral", VENDORS["mistral"].dialect, model, "") for model in ("mistral-small-latest", "mistral-large-4")),
    ("azure", VENDORS["azure"].dialect, "gpt-5", ""),
]


@given(st.sampled_from(_CHATS), _PARAMETERS)
def test_of_those_that_speak_like_openai_what_is_said_is_what_is_sent(
    row: tuple[str, Dialect, str, str], parameters: Parameters
) -> None:
    kind, dialect, model, api = row
    found = conflicts(parameters, kind, model, options={"api": api} if api else {})
    told = {name for name in Parameters.__struct_fields__ if getattr(parameters, name) not in (None, ())}
    assert _kept_by_chat(parameters, dialect, kind, model) == told - _names(found)


@given(st.sampled_from(["gpt-5.2", "gpt-5.4", "gpt-5.6-sol", "gpt-4.1", "gpt-5"]), _PARAMETERS)
def test_an_effort_beside_tools_is_told_as_it_is_sent(model: str, parameters: Parameters) -> None:
    with_tools = json.loads(body_of(_request(model, parameters, _TOOL), DIALECT, "openai").content)
    without = json.loads(body_of(_request(model, parameters), DIALECT, "openai").content)
    found = [each for each in conflicts(parameters, "openai", model) if each.parameter == "effort" and each.when]
    sent = with_tools.get("reasoning_effort")
    if found:
        assert (found[0].when, found[0].becomes) == ("tools are offered", sent)
    elif parameters.effort is not None:
        assert sent == without.get("reasoning_effort")


_CLAUDES = (
    *("claude-3-haiku-20240307", "claude-3-7-sonnet-latest", "claude-opus-4-0", "claude-opus-4-1"),
    *("claude-haiku-4-5", "claude-sonnet-4-6", "claude-opus-4-7", "claude-sonnet-5-5", "another-one"),
)


def _kept_by_claude(parameters: Parameters, model: str, config: AnthropicConfig) -> set[str]:
    body = ask(_request(model, parameters, _TOOL), config).body
    thinking = body.get("thinking") or {}
    assert isinstance(thinking, dict)
    kept = {name for name in ("temperature", "top_p", "top_k") if body.get(name) == getattr(parameters, name)}
    if parameters.effort == _at(body, "output_config.effort") or (
        parameters.effort in {None, "none"} and thinking.get("type") == "disabled"
    ):
        kept.add("effort")
    if thinking.get("type") == "enabled" and parameters.thinking_tokens is None:
        kept.add("effort")  # as so many tokens
    if thinking.get("budget_tokens") == parameters.thinking_tokens or (
        parameters.thinking_tokens == 0 and thinking.get("type") == "disabled"
    ):
        kept.add("thinking_tokens")
    if body.get("service_tier") == parameters.service_tier:
        kept.add("service_tier")
    wanted = parameters.metadata or {}
    if _at(body, "metadata.user_id") == wanted.get("user_id") and not wanted.keys() - {"user_id"}:
        kept.add("metadata")
    return kept


@given(st.sampled_from(_CLAUDES), st.sampled_from(["2023-06-01", "2026-10-21"]), _PARAMETERS)
def test_of_claude_what_is_said_is_what_is_sent(model: str, version: str, parameters: Parameters) -> None:
    found = conflicts(parameters, "anthropic", model, options={"api_version": version})
    kept = _kept_by_claude(parameters, model, AnthropicConfig(api_version=version))
    watched = {"temperature", "top_p", "top_k", "effort", "thinking_tokens", "service_tier", "metadata"}
    told = {name for name in watched if getattr(parameters, name) is not None}
    silent = {"effort", "thinking_tokens"} if not _ever_thinks(model) else set[str]()  # `none` is what they do anyway
    assert (kept & told) - silent == (told - _names(found)) - silent
    for each in found:
        if each.effect == "changed" and each.parameter == "thinking_tokens":
            body = ask(_request(model, parameters), AnthropicConfig(api_version=version)).body
            assert _at(body, "thinking.budget_tokens") == each.becomes
    unknown = {"seed", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "cache_key"}
    assert {name for name in unknown if getattr(parameters, name) is not None} == unknown & _names(found)


def _ever_thinks(model: str) -> bool:
    return not model.startswith("claude-3-haiku")


@given(st.sampled_from([*REFERENCES, "compatible"]), _PARAMETERS)
def test_each_says_why_where_it_is_documented_and_what_to_do(kind: str, parameters: Parameters) -> None:
    for each in conflicts(parameters, kind, ""):
        assert each.reason
        assert each.alternatives
        assert each.source.startswith("https://") or kind == "compatible"
        assert all(sentence.endswith(".") for sentence in each.alternatives)


def test_a_kind_that_nobody_knows_and_the_offline_model_take_everything() -> None:
    parameters = Parameters(temperature=1.9, thinking_tokens=7, logprobs=True)
    assert conflicts(parameters, "offline", "echo") == ()
    assert conflicts(parameters, "somebody", "m") == ()
    assert conflicts(Parameters(), "openai", "gpt-5") == ()


@pytest.mark.parametrize(
    ("kind", "model", "parameters", "said"),
    [
        ("openai", "gpt-5.4", {"temperature": 0.2}, "takes it only with the effort 'none' | `effort = \"none\"`"),
        ("openai", "gpt-5-mini", {"temperature": 0.2}, "does not take it | `effort`: minimal, low | `openai:gpt-4.1`"),
        ("openai", "gpt-4.1", {"max_tokens": 40_000}, "is refused | at most 32768"),
        ("openai", "gpt-4.1", {"stop": ("a", "b", "c", "d", "e")}, 'becomes ["a","b","c","d"] | no more than 4'),
        ("openai", "gpt-5.6-sol", {"effort": "high"}, "where tools are offered | chat completions | responses"),
        ("xai", "grok-4.5", {"effort": "minimal"}, 'becomes "low" | low, medium, high'),
        ("deepseek", "deepseek-flash", {"effort": "medium"}, 'becomes "high" | low, high, max | thinking_mode'),
        (
            "deepseek",
            "deepseek-flash",
            {"temperature": 0.5},
            "takes it only with the effort 'none' | `effort = \"none\"`",
        ),
        ("mistral", "mistral-large-latest", {"effort": "high"}, "does not take it | docs.mistral.ai"),
        ("openai", "gpt-6-astra", {"effort": "max"}, 'becomes "xhigh" | low, medium, high, xhigh'),
        ("anthropic", "claude-opus-4-6", {"effort": "xhigh"}, 'becomes "high" | low, medium, high, max | effort'),
        ("groq", "x", {"logprobs": True}, "'groq' does not take it | console.groq.com"),
        ("groq", "x", {"service_tier": "priority"}, "has auto, on_demand | Use one of these"),
        ("anthropic", "claude-haiku-4-5", {"temperature": 1.5}, '2026-10-21 | `api_version = "2023-06-01"`'),
        ("anthropic", "claude-sonnet-4-6", {"thinking_tokens": 2000}, "decides itself | Steer it with `effort`"),
        ("anthropic", "claude-haiku-4-5", {"thinking_tokens": 99, "max_tokens": 5000}, "becomes 1024 | 1024 to 4999"),
        ("anthropic", "claude-haiku-4-5", {"thinking_tokens": 6000, "max_tokens": 5000}, "becomes 4999 | `max_tokens`"),
        ("anthropic", "claude-haiku-4-5", {"effort": "low", "max_tokens": 100}, "leaves less than 1024"),
        ("anthropic", "claude-haiku-4-5", {"stop": ["\n", "END"]}, 'becomes ["END"] | white space'),
        ("anthropic", "claude-haiku-4-5", {"stop": ["\n"]}, "left out | white space"),
        (
            "anthropic",
            "claude-haiku-4-5",
            {"effort": "none", "thinking_tokens": 2000},
            "`effort` says | one of the two",
        ),
    ],
)
def test_the_words(kind: str, model: str, parameters: dict[str, object], said: str) -> None:
    found = conflicts(msgspec.convert(parameters, Parameters), kind, model)
    assert found
    text = "\n".join(f"{each} {each.source} {' '.join(each.alternatives)}" for each in found)
    for part in said.split(" | "):
        assert part in text


def test_models_that_stand_in_and_providers_with_settings_of_their_own_are_looked_at() -> None:
    settings = LlmSettings(
        model="pair",
        groups={"pair": ("work", "anthropic:claude-haiku-4-5")},
        fallback=("offline",),
        providers={"work": ProviderSettings(kind="openai", default_model="gpt-5", options={"api": "responses"})},
        preset="creative",
    )
    found = {(each.model, each.conflict.parameter) for each in conflicts_of(settings)}
    assert found == {
        (model, name)
        for model in ("work", "anthropic:claude-haiku-4-5")
        for name in ("temperature", "presence_penalty")
    }
