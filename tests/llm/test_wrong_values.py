"""What an author may get wrong: each slip is an error that names what was given and what is right."""

from __future__ import annotations

import enum
from collections.abc import Callable

import msgspec
import pytest

from sentient_cli import llm
from sentient_cli.config.secret import Secret
from sentient_cli.errors import BadRequestError, ConfigError, SentientError, ToolDefinitionError
from sentient_cli.llm import (
    AudioPart,
    CallOptions,
    DocumentPart,
    ImagePart,
    LLMManager,
    Message,
    OfflineProvider,
    Parameters,
    ToolSpec,
)
from sentient_cli.llm.anthropic import AnthropicConfig
from sentient_cli.llm.checked import check_fields
from sentient_cli.llm.openai import OpenAIConfig
from sentient_cli.llm.resilience.breaker import BreakerPolicy
from sentient_cli.llm.resilience.deadlines import Deadlines
from sentient_cli.llm.resilience.failover import FailoverPolicy
from sentient_cli.llm.resilience.hedging import HedgePolicy
from sentient_cli.llm.resilience.retry import RetryPolicy

NOW = ToolSpec("now", "Says what time it is.")


@pytest.mark.parametrize(
    ("values", "said", "right"),
    [
        ({"temperature": "hot"}, "'temperature' cannot be 'hot'", "a number from 0 to 2"),
        ({"max_tokens": 1.5}, "'max_tokens' cannot be 1.5", "a whole number from 1"),
        ({"max_tokens": True}, "'max_tokens' cannot be True", "a whole number"),
        ({"effort": "bogus"}, "'effort' cannot be 'bogus'", "`high`, `xhigh` or `max`"),
        ({"logprobs": "yes"}, "'logprobs' cannot be 'yes'", "True or False"),
        ({"stop": "ab"}, "'stop' cannot be 'ab'", "a tuple of strings that are not empty"),
        ({"stop": (None,)}, "'stop' cannot be", "a tuple of strings"),
        ({"metadata": {"a": {1}}}, "'metadata' cannot be", "a dict of texts"),
        ({"metadata": "x"}, "'metadata' cannot be 'x'", "a dict of texts"),
        ({"tool_choice": ""}, "'tool_choice' cannot be ''", "not empty"),
        ({"extra": {"openai": "k"}}, "'extra' cannot be", "a dict of dicts"),
        ({"extra": {"openai": {"k": float("nan")}}}, "extra.openai.k is nan", "a number"),
        ({"extra": {"openai": {"k": [{"a": object()}]}}}, r"extra.openai.k\[\].a is of the type 'object'", "JSON"),
        ({"extra": {"openai": {"k": {1: 2}}}}, "has the name 1", "texts"),
        *(
            (values, "has half a character", "errors='replace'")
            for values in (
                {"stop": ("a", "\ud83d")},
                {"user": "a\ud83d"},
                {"cache_key": "\ud83d"},
                {"service_tier": "\ud83d"},
                {"metadata": {"a": "\ud83d"}},
                {"metadata": {"\ud83d": "a"}},
                {"extra": {"openai": {"k": ["\ud83d"]}}},
            )
        ),
    ],
)
def test_a_parameter_of_another_type_is_named(values: dict[str, object], said: str, right: str) -> None:
    with pytest.raises(BadRequestError, match=said) as caught:
        Parameters(**values)  # type: ignore[arg-type]
    assert right in caught.value.fix


def test_what_is_like_a_value_becomes_one() -> None:
    class Level(enum.Enum):
        FEW = "low"

    class Share(float):
        pass

    given: dict[str, object] = {"effort": Level.FEW, "stop": ["a"], "top_p": Share(0.5), "temperature": 1}
    made = Parameters(**given)  # type: ignore[arg-type]
    assert made == Parameters(effort="low", stop=("a",), top_p=0.5, temperature=1)
    assert (type(made.top_p), type(made.stop), type(made.effort)) == (float, tuple, str)


@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        (CallOptions, {"timeout": "5"}, "'timeout' cannot be '5'. Use a number above 0"),
        (CallOptions, {"timeout": -1}, "'timeout' cannot be -1"),
        (CallOptions, {"after_content": "contnue"}, "'contnue'. Use `fail`, `restart` or `continue`"),
        (FailoverPolicy, {"after_content": "contnue"}, "'contnue'. Use `fail`, `restart` or `continue`"),
        (RetryPolicy, {"attempts": 1000}, "'attempts' cannot be 1000. Use a whole number from 1 to 20"),
        (BreakerPolicy, {"share": 2.0}, "'share' cannot be 2.0. Use a number above 0 to 1"),
        (Deadlines, {"total": 0}, "'total' cannot be 0"),
        (HedgePolicy, {"learn": 1}, "'learn' cannot be 1. Use a whole number from 5"),
        (AnthropicConfig, {"max_tokens": -5}, "'max_tokens' cannot be -5"),
        (OpenAIConfig, {"timeout": float("inf")}, "'timeout' cannot be inf"),
        (OpenAIConfig, {"api_key": "sk-1"}, "'api_key' cannot be of the type 'str'. Use `Secret`"),
        (OpenAIConfig, {"headers": {"a": 5}}, "'headers' cannot be of the type 'dict'. Use a dict of texts by name"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused_when_it_is_made(
    kind: Callable[..., object], values: dict[str, object], said: str
) -> None:
    with pytest.raises(SentientError) as caught:
        kind(**values)
    assert isinstance(caught.value, BadRequestError | ConfigError)
    assert said in str(caught.value)
    assert "sk-1" not in str(caught.value)


def test_a_structure_of_somebody_elses_is_checked_as_far_as_it_can_be() -> None:
    class Like(enum.Enum):
        IT = 1

    class Theirs(msgspec.Struct, kw_only=True):
        name: str
        like: Like | None = None
        hidden: Nobody | None = None  # type: ignore[name-defined]  # noqa: F821 - as one that is there for checkers only

        def __post_init__(self) -> None:
            check_fields(self)

    assert Theirs(name="a", like=Like.IT).name == "a"
    assert OpenAIConfig(api_keys=[Secret("a")]).keys == (Secret("a"),)  # type: ignore[arg-type]


async def answered(messages: object = "Hi", **more: object) -> None:
    await llm.generate(messages, **more)  # type: ignore[call-overload]


def plain(city: str) -> str:
    return city


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        (None, "a text or a list of messages, not NoneType"),
        (5, "a text or a list of messages, not int"),
        ({"role": "user"}, "a text or a list of messages, not dict"),
        ([{"role": "user"}], "is a `Message`, not dict"),
        ([Message("user", None)], "'user' is NoneType"),  # type: ignore[arg-type]
        ([Message("user", ["a"])], "not str"),  # type: ignore[arg-type]
        ([Message("user", (None,))], "not NoneType"),  # type: ignore[arg-type]
    ],
)
async def test_a_message_that_is_none_says_what_is_wrong(messages: object, said: str) -> None:
    with pytest.raises(BadRequestError, match=said) as caught:
        await answered(messages)
    assert caught.value.fix


@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        (ImagePart, {"data": "abc"}, "is bytes, not str"),
        (AudioPart, {"data": "abc"}, "is bytes, not str"),
        (ImagePart, {"url": "file:///etc/passwd"}, "cannot be at 'file:///etc/passwd'"),
        (ImagePart, {"url": "cat.png"}, "cannot be at 'cat.png'"),
        (ImagePart, {"url": "data:image/png;base64,????"}, "holds no data that can be read"),
        (ImagePart, {"url": "data:image/png"}, "holds no data that can be read"),
        (ImagePart, {"url": "data:text/plain,hello"}, "This is no image"),
        (AudioPart, {"data": b"RIFF....WEBPVP8 "}, "This is no sound"),
        (AudioPart, {"data": b"\xff\xf1AAC"}, "This is no sound"),
    ],
)
def test_a_part_says_what_it_needs(kind: Callable[..., object], values: dict[str, object], said: str) -> None:
    with pytest.raises(BadRequestError, match=said):
        kind(**values)


@pytest.mark.parametrize("path", [None, "a\0b", 5, "/"])
def test_what_is_no_path_is_an_error_of_ours(path: object) -> None:
    with pytest.raises(BadRequestError, match="cannot be read") as caught:
        ImagePart.read(path)  # type: ignore[arg-type]
    assert caught.value.why


def test_a_file_is_what_its_bytes_are() -> None:
    assert [AudioPart(data=data).format for data in (b"\xff\xf3a", b"\xff\xfaa", b"\xff\xfba")] == ["mp3"] * 3
    assert DocumentPart(data=b"PK\3\4\xff\xfe").media_type == "application/octet-stream"
    assert DocumentPart(data="Grüße".encode()).media_type == "text/plain"


def test_the_data_of_an_address_is_taken_out_of_it() -> None:
    part = ImagePart(url="data:image/png;base64,R0lGODlhAQ==")
    assert (part.data, part.media_type, part.url) == (b"GIF89a\x01", "image/gif", "")
    told = DocumentPart(url="data:text/csv;charset=utf-8,a%2Cb")
    assert (told.data, told.media_type, told.url) == (b"a,b", "text/csv", "")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: LLMManager([OfflineProvider]), r"not the class OfflineProvider. Make one: `OfflineProvider\(…\)`"),  # type: ignore[list-item]
        (lambda: LLMManager([5]), "not int"),  # type: ignore[list-item]
        (lambda: LLMManager(OfflineProvider()), "are a list, not OfflineProvider"),  # type: ignore[arg-type]
        (lambda: LLMManager([OfflineProvider()], fallback="offline"), r'Write `\["offline"\]`'),
        (lambda: LLMManager([OfflineProvider()], groups={"g": "offline"}), "The models of the group 'g' are one text"),
    ],
)
def test_a_slip_in_a_manager_says_what_is_right(make: Callable[[], object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make()


@pytest.mark.parametrize(
    ("tools", "said"),
    [
        ([plain], "'plain' is no tool yet. Write `@llm.tool`"),
        (llm.tool(plain), "one tool and no list"),
        ([5], "not int"),
        (5, "not int"),
        ("now", "not str"),
    ],
)
async def test_what_is_no_tool_says_how_to_make_one(tools: object, said: str) -> None:
    for asking in (answered("Hi", tools=tools), llm.run_tools("Hi", tools)):  # type: ignore[call-overload]
        with pytest.raises(ToolDefinitionError) as caught:
            await asking
        assert said in str(caught.value)


async def test_a_description_is_no_tool_that_can_be_called() -> None:
    with pytest.raises(ToolDefinitionError, match="cannot be called"):
        await llm.run_tools("Hi", [NOW])  # type: ignore[list-item]


async def test_other_slips_of_a_call() -> None:
    with pytest.raises(BadRequestError, match=r"names .noww.*Did you mean `now`") as caught:
        await answered(tools=[NOW], parameters=Parameters(tool_choice="noww"))
    assert "The tools are now" in caught.value.why
    with pytest.raises(ConfigError, match="A model id is a text, not int"):
        await answered(model=5)
    for steps in (0, -1):
        with pytest.raises(BadRequestError, match="'max_steps' cannot be"):
            await llm.run_tools("Hi", [llm.tool(plain)], max_steps=steps)
    for retries in ("2", -1, True, None):
        with pytest.raises(BadRequestError, match="'output_retries' cannot be"):
            await llm.generate("Hi", output=int, output_retries=retries)  # type: ignore[arg-type]
