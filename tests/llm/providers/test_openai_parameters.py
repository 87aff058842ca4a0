"""Every parameter of OpenAI's two APIs is typed, or passed on with a reason; what is typed goes out as it should."""

from __future__ import annotations

import inspect
import json
import re
from base64 import b64decode, b64encode
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Literal, cast, get_args, get_origin, get_type_hints

import msgspec
import pytest
from openai.resources.chat.completions import AsyncCompletions
from openai.resources.responses import AsyncResponses
from openai.types.chat.chat_completion_audio_param import ChatCompletionAudioParam
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsStreaming,
    WebSearchOptions,
    WebSearchOptionsUserLocationApproximate,
)
from openai.types.responses.response_create_params import (
    ContextManagement,
    PromptCacheOptions,
    ResponseCreateParamsStreaming,
)
from openai.types.responses.response_create_params import (
    Moderation as SdkModeration,
)
from openai.types.shared_params.reasoning import Reasoning as SdkReasoning
from pydantic import TypeAdapter
from typing_extensions import TypeAliasType

from sentient_cli.config.secret import Secret
from sentient_cli.errors import BadRequestError
from sentient_cli.llm import LLMManager, Parameters, conflicts
from sentient_cli.llm.openai import (
    AudioOutput,
    Compaction,
    Moderation,
    OpenAIConfig,
    OpenAIParameters,
    OpenAIProvider,
    PromptCache,
    Reasoning,
    UserLocation,
    WebSearch,
)
from sentient_cli.llm.openai.parameters import BY_CHAT, BY_RESPONSES
from sentient_cli.llm.provider import Request
from sentient_cli.llm.types import Completion, Message, OutputSpec, ToolSpec
from tests.llm.providers import chat_wire, responses_wire
from tests.llm.providers.chat_wire import ending, frame
from tests.support.llm_server import Answer, LLMServer, as_sse

Api = Literal["chat", "responses"]
MODEL: Final = "a-model-of-tomorrow"
OURS: Final = Parameters(
    temperature=0.5, top_p=0.9, max_tokens=10, stop=("x",), seed=1, presence_penalty=0.1, frequency_penalty=0.2,
    effort="low", tool_choice="required", parallel_tools=False, logprobs=True, top_logprobs=2, service_tier="flex",
    user="u1", cache_key="k1", metadata={"a": "b"},
)  # fmt: skip
THEIRS: Final = OpenAIParameters(
    audio=AudioOutput(voice="marin"),
    context_management=(Compaction(compact_threshold=200_000),),
    conversation="conv_1",
    include=("web_search_call.results",),
    logit_bias={"50256": -100},
    max_tool_calls=3,
    modalities=("text", "audio"),
    moderation=Moderation(policy={"output": {"mode": "block"}}),
    prediction="def main():",
    previous_response_id="resp_0",
    prompt_cache_options=PromptCache(mode="implicit", ttl="30m"),
    prompt_cache_retention="24h",
    reasoning=Reasoning(summary="auto", context="all_turns", mode="pro"),
    store=True,
    truncation="auto",
    verbosity="low",
    web_search_options=WebSearch(
        search_context_size="low", user_location=UserLocation(city="Bern", country="CH", timezone="Europe/Zurich")
    ),
)
TYPES: Final = {"chat": CompletionCreateParamsStreaming, "responses": ResponseCreateParamsStreaming}
CREATE: Final[dict[Api, Callable[..., object]]] = {"chat": AsyncCompletions.create, "responses": AsyncResponses.create}

TRANSPORT: Final = frozenset({"self", "extra_headers", "extra_query", "extra_body", "timeout"})
"""What is about the request, and not in it."""
PASSED_ON: Final[dict[str, dict[str, str]]] = {
    "chat": {
        "function_call": "Went before `tool_choice`, which is typed.",
        "functions": "Went before `tools`, which are typed.",
        "max_tokens": "Went before `max_completion_tokens`, which `max_tokens` of ours is sent as.",
        "n": "Only the first answer is read: ask several times.",
        "user": "Went before `safety_identifier` and `prompt_cache_key`, which are typed.",
    },
    "responses": {
        "access_programs": "For accounts that OpenAI has admitted.",
        "background_options": "Its windows are for answers that do not come piece by piece.",
        "image": "How pictures are made smaller, which the model decides well.",
        "instructions": "System messages say it, and stay where they are in the conversation.",
        "prompt": "Ends on 2026-11-30.",
        "stream_options": "Its only option fills up what is sent, which costs a little and protects it.",
        "user": "Went before `safety_identifier` and `prompt_cache_key`, which are typed.",
    },
}
"""What goes through `Parameters.extra` alone, with the reason."""


@asynccontextmanager
async def asked(api: Api, *answers: Answer) -> AsyncGenerator[tuple[LLMManager, LLMServer], None]:
    wire = responses_wire if api == "responses" else chat_wire
    with LLMServer(*(answers or (Answer(wire.text_answer()),))) as server:
        config = OpenAIConfig(base_url=f"{server.url}/v1", api_key=Secret("sk-1"), api=api)
        manager = LLMManager([OpenAIProvider(config)], default_model=f"openai:{MODEL}")
        try:
            yield manager, server
        finally:
            await manager.aclose()


async def body_of_all(api: Api) -> tuple[dict[str, object], Completion]:
    """The body of a request that has everything, and its answer."""
    parameters = msgspec.structs.replace(OURS, extra=THEIRS.extra())
    output = OutputSpec("A", {"type": "object", "properties": {"a": {"type": "integer"}}})
    request = Request(
        model=MODEL, messages=(Message.user("Hi"),), parameters=parameters, tools=(ToolSpec("now"),), output=output
    )
    async with asked(api) as (manager, server):
        (provider,) = manager.providers
        answer = await provider.generate(request)
    return server.requests[-1].json(), answer


@pytest.mark.story("1.5")
@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_each_parameter_of_the_sdk_is_typed_or_passed_on_with_a_reason(api: Api) -> None:
    theirs = inspect.signature(CREATE[api]).parameters.keys() - TRANSPORT
    body, _ = await body_of_all(api)
    sent = {name for name in body if name != "background"}
    if api == "responses":
        sent |= {"background"}  # an option of the provider's, since it is about the connection
    assert theirs - sent == PASSED_ON[api].keys()
    assert sent <= theirs


@pytest.mark.story("1.5")
@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_all_of_them_go_out_in_the_form_that_the_sdk_has(api: Api) -> None:
    body, answer = await body_of_all(api)
    read = cast("dict[str, object]", TypeAdapter(TYPES[api]).validate_python(json.loads(json.dumps(body))))
    assert read.keys() == body.keys() <= get_type_hints(TYPES[api]).keys()
    elsewhere = BY_RESPONSES if api == "chat" else BY_CHAT
    told = (answer.extra or {}).get("notices")
    assert isinstance(told, list)
    left_out = {
        name for name in elsewhere if any(f"{name!r} was left out: 'openai' has it by" in str(each) for each in told)
    }
    assert left_out == elsewhere
    assert not body.keys() & (elsewhere - {"reasoning"})


@pytest.mark.story("1.5")
async def test_what_both_apis_have_is_found_where_each_has_it() -> None:
    chat, _ = await body_of_all("chat")
    responses, _ = await body_of_all("responses")
    assert (chat["verbosity"], "verbosity" in responses) == ("low", False)
    text = responses["text"]
    assert isinstance(text, dict)
    assert (text["verbosity"], text["format"]["type"]) == ("low", "json_schema")
    assert chat["prediction"] == {"type": "content", "content": "def main():"}
    assert chat["audio"] == {"voice": "marin", "format": "pcm16"}
    assert chat["stream_options"] == {"include_usage": True}
    assert responses["reasoning"] == {"effort": "low", "summary": "auto", "context": "all_turns", "mode": "pro"}
    assert responses["context_management"] == [{"type": "compaction", "compact_threshold": 200_000}]
    assert responses["include"] == [
        *("reasoning.encrypted_content", "message.output_text.logprobs", "web_search_call.results"),
    ]
    for name in ("store", "moderation", "prompt_cache_options", "prompt_cache_retention"):
        assert chat[name] == responses[name]


@pytest.mark.story("1.5")
@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_what_nobody_knows_here_goes_out_as_it_is(api: Api) -> None:
    parameters = Parameters(extra={"openai": {"of_tomorrow": {"deep": [1]}, "n": 1}, "groq": {"not": 1}})
    async with asked(api) as (manager, server):
        await manager.generate("Hi", parameters=parameters)
    body = server.requests[-1].json()
    assert (body["of_tomorrow"], body["n"], "not" in body) == ({"deep": [1]}, 1, False)


WORDS = ("One ", "two.")
SOUND = (b"\x01\x02\x03\x04", b"\x05\x06")


@pytest.mark.story("1.5")
async def test_an_answer_that_is_spoken() -> None:
    frames = [
        frame({"role": "assistant", "content": None, "audio": {"id": "audio_1", "transcript": WORDS[0]}}),
        frame({"audio": {"data": b64encode(SOUND[0]).decode()}}),
        frame({"audio": {"transcript": WORDS[1]}}),
        frame({"audio": {"data": b64encode(SOUND[1]).decode()}}),
        frame({"audio": {"expires_at": 1_800_000_000}}),
        *ending(),
    ]
    spoken = OpenAIParameters(modalities=("text", "audio"), audio=AudioOutput(voice="marin"))
    async with asked("chat", Answer(as_sse(frames, done=True))) as (manager, server):
        answer = await manager.generate("Count.", parameters=Parameters(extra=spoken.extra()))
    assert server.requests[-1].json()["modalities"] == ["text", "audio"]
    assert answer.text == "".join(WORDS)
    told = (answer.extra or {})["audio"]
    assert isinstance(told, dict)
    assert b64decode(str(told["data"])) == b"".join(SOUND)
    assert (told["id"], told["expires_at"]) == ("audio_1", 1_800_000_000)


@pytest.mark.parametrize("sound", [{"data": "%"}, {"data": 7, "transcript": 8}, {}, [1], "x"])
async def test_odd_sound_is_no_reason_to_fail(sound: object) -> None:
    told = [frame({"audio": sound}), frame({"content": "Hi", "audio": sound}), *ending()]
    async with asked("chat", Answer(as_sse(told, done=True))) as (manager, _):
        assert (await manager.generate("Count.")).text == "Hi"


@pytest.mark.parametrize(
    ("values", "said", "right"),
    [
        ({"verbosity": "loud"}, "'verbosity' cannot be 'loud'", "`low`, `medium` or `high`"),
        ({"logit_bias": {"1": 101}}, "'logit_bias' cannot be", "a dict of a whole number from -100 to 100 by name"),
        ({"modalities": ("smell",)}, "'modalities' cannot be", "a tuple of `text` or `audio`"),
        ({"max_tool_calls": 0}, "'max_tool_calls' cannot be 0", "a whole number from 1"),
        ({"store": "yes"}, "'store' cannot be 'yes'", "True or False"),
        ({"prediction": ""}, "'prediction' cannot be ''", "a text that is not empty"),
        ({"truncation": "yes"}, "'truncation' cannot be 'yes'", "`auto` or `disabled`"),
        ({"reasoning": "deep"}, "'reasoning' cannot be 'deep'", ""),
    ],
)
def test_a_value_of_another_type_is_named(values: dict[str, object], said: str, right: str) -> None:
    with pytest.raises(BadRequestError, match=said) as caught:
        OpenAIParameters(**values)  # type: ignore[arg-type]
    assert right in caught.value.fix


def test_what_is_in_them_is_checked_as_well() -> None:
    with pytest.raises(BadRequestError, match="'country' cannot be 'Switzerland'"):
        UserLocation(country="Switzerland")
    with pytest.raises(BadRequestError, match="'summary' cannot be 'long'"):
        Reasoning(summary="long")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("api", "given", "said"),
    [
        ("chat", {"truncation": "auto"}, "is left out: 'openai' has it by the Responses API alone"),
        ("responses", {"logit_bias": {"1": 1}}, "is left out: 'openai' has it by chat completions alone"),
        ("chat", {"verbosity": "loud"}, "is refused: it is not of the type that OpenAI documents"),
        ("responses", {"verbosity": "low", "of_tomorrow": 1}, ""),
    ],
)
def test_what_comes_of_it_can_be_known_before(api: Api, given: dict[str, object], said: str) -> None:
    parameters = msgspec.convert({"extra": {"openai": given}}, Parameters)
    found = conflicts(parameters, "openai", "gpt-5.4", options={"api": api})
    assert [said in str(each) for each in found] == ([True] if said else [])
    assert all(each.parameter == f"extra.openai.{next(iter(given))}" and each.alternatives for each in found)


def test_the_page_has_them_all(repository: Path) -> None:
    page = (repository / "docs/parameters.md").read_text("utf-8").partition("## What only OpenAI has")[2]
    rows = re.findall(r"^\| `(\w+)` \| (chat|responses|both) \|", page, re.MULTILINE)
    by = {
        field.name: "chat" if field.name in BY_CHAT else "responses" if field.name in BY_RESPONSES else "both"
        for field in msgspec.structs.fields(OpenAIParameters)
    }
    assert dict(rows) == by
    named = page.partition("A few have no type here")[2].partition("\n\n")[0]
    assert {name for reasons in PASSED_ON.values() for name in reasons} == set(re.findall(r"`(\w+)`", named))


def _words(hint: object) -> set[str]:
    """The words that a type takes, however deep they are in it."""
    if isinstance(hint, TypeAliasType):
        hint = hint.__value__
    if get_origin(hint) is Literal:
        return {str(word) for word in get_args(hint)}
    return {word for part in get_args(hint) for word in _words(part)}


SAME: Final = [
    (OpenAIParameters, "verbosity", CompletionCreateParamsStreaming, "verbosity"),
    (OpenAIParameters, "modalities", CompletionCreateParamsStreaming, "modalities"),
    (OpenAIParameters, "prompt_cache_retention", ResponseCreateParamsStreaming, "prompt_cache_retention"),
    (OpenAIParameters, "truncation", ResponseCreateParamsStreaming, "truncation"),
    (OpenAIParameters, "include", ResponseCreateParamsStreaming, "include"),
    (AudioOutput, "format", ChatCompletionAudioParam, "format"),
    (PromptCache, "mode", PromptCacheOptions, "mode"),
    (PromptCache, "ttl", PromptCacheOptions, "ttl"),
    (Reasoning, "summary", SdkReasoning, "summary"),
    (Reasoning, "context", SdkReasoning, "context"),
    (Reasoning, "mode", SdkReasoning, "mode"),
    (WebSearch, "search_context_size", WebSearchOptions, "search_context_size"),
    (Parameters, "effort", SdkReasoning, "effort"),
]


@pytest.mark.parametrize(("ours", "name", "theirs", "there"), SAME, ids=[f"{row[0].__name__}.{row[1]}" for row in SAME])
def test_a_choice_has_the_words_that_the_sdk_has(
    ours: type[msgspec.Struct], name: str, theirs: type[object], there: str
) -> None:
    words = _words(get_type_hints(ours, include_extras=True)[name])
    assert words == _words(get_type_hints(theirs)[there]) != set()


INNER: Final = [
    (AudioOutput, ChatCompletionAudioParam, set[str]()),
    (Compaction, ContextManagement, {"type"}),
    (Moderation, SdkModeration, set[str]()),
    (PromptCache, PromptCacheOptions, {"comparison_response_id", "prewarm"}),  # to look for faults, and for no answer
    (Reasoning, SdkReasoning, {"effort", "generate_summary"}),  # `Parameters.effort`, and what `summary` replaced
    (UserLocation, WebSearchOptionsUserLocationApproximate, set[str]()),
    (WebSearch, WebSearchOptions, set[str]()),
]


@pytest.mark.parametrize(("ours", "theirs", "more"), INNER, ids=[row[0].__name__ for row in INNER])
def test_so_have_the_objects_in_them(ours: type[msgspec.Struct], theirs: type[object], more: set[str]) -> None:
    assert set(ours.__struct_fields__) | more == get_type_hints(theirs).keys()
