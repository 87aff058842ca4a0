"""What calls get that they leave open: laid under one another, value by value."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue, ValidationError
from typing_extensions import override

from sentient_cli import llm
from sentient_cli.config.llm import LlmSettings, ParameterSettings, PresetSettings
from sentient_cli.errors import BadRequestError, ConfigError
from sentient_cli.llm import CallOptions, Chunk, LLMManager, OfflineProvider, Parameters, Request
from sentient_cli.llm.config.standing import parameters_of, presets_of, standing
from sentient_cli.llm.defaults import NOTHING, Overlay, current_use, in_force, overlaid, under
from tests.llm.factory.socket_kit import configured

_TEXTS = st.text(min_size=1, max_size=5)
_GIVEN = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.floats(0, 2),
        "top_p": st.floats(0, 1),
        "max_tokens": st.integers(1, 1000),
        "stop": st.lists(_TEXTS, max_size=3).map(tuple),
        "seed": st.integers(-5, 5),
        "effort": st.sampled_from(["none", "low", "high"]),
        "parallel_tools": st.booleans(),
        "metadata": st.dictionaries(_TEXTS, _TEXTS, max_size=2),
        "extra": st.dictionaries(_TEXTS, st.dictionaries(_TEXTS, st.integers(), max_size=2), max_size=2),
    },
)
_PARAMETERS = _GIVEN.map(lambda values: msgspec.convert(values, Parameters))


def _is_open(value: object) -> bool:
    return value is None or value == ()


@given(_PARAMETERS, _PARAMETERS)
def test_each_value_is_from_the_upper_else_from_the_lower(lower: Parameters, upper: Parameters) -> None:
    before = msgspec.json.encode([lower, upper])
    merged = under(lower, upper)
    for name in Parameters.__struct_fields__:
        low, high = getattr(lower, name), getattr(upper, name)
        if isinstance(low, dict) and isinstance(high, dict):
            assert getattr(merged, name) == {**low, **high}
        else:
            assert getattr(merged, name) == (low if _is_open(high) else high)
    assert msgspec.json.encode([lower, upper]) == before


@given(_PARAMETERS, _PARAMETERS, _PARAMETERS)
def test_the_order_of_laying_does_not_matter(one: Parameters, two: Parameters, three: Parameters) -> None:
    assert under(under(one, two), three) == under(one, under(two, three))


@given(_PARAMETERS)
def test_nothing_changes_nothing_and_is_not_copied(some: Parameters) -> None:
    assert under(NOTHING, some) is some
    assert under(some, NOTHING) is some
    assert in_force(NOTHING, None, some) is some


_WHOLE = st.one_of(st.integers(-(2**66), 2**66), st.booleans(), st.sampled_from([0, 1, 2, 20, 21, -2]))
_NUMBERS = dict.fromkeys(("top_k", "max_tokens", "seed", "thinking_tokens", "top_logprobs"), _WHOLE) | dict.fromkeys(
    ("temperature", "top_p", "presence_penalty", "frequency_penalty"), st.one_of(_WHOLE, st.floats(), st.floats(-3, 3))
)
_WORDS = {name: st.text(max_size=3) for name in ("service_tier",)}
_CHOICES = {"effort": st.sampled_from(["none", "minimal", "low", "medium", "high", "xhigh", "max", "", "huge"])}


@given(st.sampled_from(sorted(_NUMBERS | _WORDS | _CHOICES)), st.data())
def test_settings_take_what_calls_take(name: str, data: st.DataObject) -> None:
    value = data.draw((_NUMBERS | _WORDS | _CHOICES)[name])
    try:
        told: Parameters | None = Parameters(**{name: value})  # type: ignore[arg-type]
    except BadRequestError:
        told = None
    try:
        made = parameters_of(ParameterSettings.model_validate({name: value}))
    except ValidationError:
        assert told is None
    else:
        assert made == told


def test_every_parameter_is_a_setting_but_the_choice_of_a_tool() -> None:
    assert set(Parameters.__struct_fields__) - set(ParameterSettings.model_fields) == {"tool_choice"}
    assert set(ParameterSettings.model_fields) < set(Parameters.__struct_fields__)
    assert set(PresetSettings.model_fields) - set(ParameterSettings.model_fields) == {"base"}


def test_what_json_cannot_hold_is_refused_at_the_start() -> None:
    extra: dict[str, dict[str, JsonValue]] = {"openai": {"a": float("nan")}}
    with pytest.raises(ValidationError, match="should be finite"):
        ParameterSettings(extra=extra)
    with pytest.raises(ConfigError, match="cannot be sent") as caught:
        parameters_of(ParameterSettings.model_construct({"extra"}, extra=extra))
    assert "extra.openai.a" in caught.value.why


class _Seeing(OfflineProvider):
    """Keeps the parameters of what it was asked last."""

    seen = NOTHING

    @override
    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        self.seen = request.parameters
        async with aclosing(super().stream(request)) as chunks:
            async for chunk in chunks:
                yield chunk


async def _asked(
    manager: LLMManager, parameters: Parameters | None = None, options: CallOptions | None = None
) -> Parameters:
    await manager.generate("Hi", parameters=parameters, options=options)
    (provider,) = manager.providers
    assert isinstance(provider, _Seeing)
    return provider.seen


async def test_the_call_wins_and_may_have_nothing_of_it() -> None:
    manager = LLMManager([_Seeing()], default_model="offline", parameters=Parameters(temperature=0.2, seed=3))
    assert await _asked(manager) is manager.parameters
    assert await _asked(manager, Parameters(temperature=0.0)) == Parameters(temperature=0.0, seed=3)
    plain = CallOptions(defaults=False)
    assert await _asked(manager, Parameters(top_p=0.5), options=plain) == Parameters(top_p=0.5)
    assert await _asked(manager, options=plain) == NOTHING
    with overlaid(Overlay(parameters=Parameters(seed=4))):
        assert await _asked(manager, options=plain) == NOTHING


async def test_an_experiment_lies_under_a_session_and_both_under_the_call() -> None:
    manager = LLMManager([_Seeing()], default_model="offline", parameters=Parameters(temperature=0.1, seed=1))
    with overlaid(Overlay(layer="experiment", model="offline:echo", parameters=Parameters(temperature=0.2, top_k=2))):
        with overlaid(Overlay(parameters=Parameters(top_k=3, max_tokens=3))):
            assert await _asked(manager, Parameters(max_tokens=4)) == Parameters(
                temperature=0.2, seed=1, top_k=3, max_tokens=4
            )
            assert (await manager.generate("Say this")).text == "Say this"
            use = current_use.get()
            assert use is not None
            assert [each.layer for each in use.overlays] == ["experiment", "session"]
        assert (await _asked(manager)).top_k == 2
    assert current_use.get() is None


async def test_a_session_holds_in_the_tasks_that_it_starts_and_nowhere_else() -> None:
    async def alone() -> Parameters:
        await asyncio.sleep(0)
        return await _asked(LLMManager([_Seeing()], default_model="offline"))

    with llm.use(preset="precise", parameters=Parameters(max_tokens=5)):
        inner = asyncio.create_task(alone())
    outer = asyncio.create_task(alone())
    assert await inner == Parameters(temperature=0.0, max_tokens=5)
    assert await outer == NOTHING


def test_what_is_wrong_with_a_session_is_said() -> None:
    with pytest.raises(ConfigError, match="no preset 'precice'") as caught, llm.use(preset="precice"):
        pass
    assert "precise" in caught.value.fix
    with pytest.raises(BadRequestError, match="takes `Parameters`"), llm.use(parameters={"seed": 1}):  # type: ignore[arg-type]
        pass


async def test_presets_of_settings_are_there_by_name() -> None:
    told = {
        "preset": "mine",
        "presets": {"mine": {"base": "precise", "max_tokens": 7}},
        "parameters": {"seed": 2},
        "usage": False,
    }
    async with configured(told) as manager:
        assert manager.parameters == Parameters(temperature=0.0, max_tokens=7, seed=2)
        assert manager.presets["mine"].max_tokens == 7
        assert set(manager.presets) == {"precise", "balanced", "creative", "code", "fast", "mine"}


@pytest.mark.parametrize("presets", [{"a": {"base": "b"}, "b": {"base": "a"}}, {"a": {"base": "zzz"}}])
def test_settings_made_in_code_are_held_to_the_same(presets: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"b -> a|no preset 'zzz'"):
        presets_of(LlmSettings.model_validate({"presets": presets}))
    with pytest.raises(ConfigError, match="no preset 'yyy'"):
        standing(LlmSettings(preset="yyy"))


def test_an_exchange_takes_them_along() -> None:
    one, two = LLMManager(parameters=Parameters(seed=1)), LLMManager(presets={"x": Parameters(seed=2)})
    one.exchange(two)
    assert (one.parameters, two.parameters) == (NOTHING, Parameters(seed=1))
    assert (dict(one.presets), dict(two.presets)) == ({"x": Parameters(seed=2)}, {})
