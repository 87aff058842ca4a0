"""A moderation endpoint on loopback: what it is asked, and what its answer does."""

from __future__ import annotations

import asyncio
from typing import Literal

import pytest

from sentient_cli.config.secret import Secret
from sentient_cli.errors import (
    ConfigError,
    ContentFilterError,
    CredentialNotFoundError,
    ProviderConnectionError,
    ServerError,
)
from sentient_cli.llm import ImagePart, Message, Request, TextPart
from sentient_cli.llm.safety import Guarded, LocalFilter, ModerationConfig, ModerationFilter
from sentient_cli.llm.safety.guarded import OnFinding
from tests.llm.safety_kit import END, Saying, call, read, shown, texts
from tests.support.llm_server import Answer, LLMServer, Received, as_json


def judge(received: Received) -> Answer:
    text = received.json()["input"]
    assert isinstance(text, str)
    flagged = "harm" in text
    return as_json({"results": [{"flagged": flagged, "categories": {"violence": flagged, "hate": False}}]})


def moderating(
    server: LLMServer,
    categories: tuple[str, ...] = (),
    when_down: Literal["pass", "fail"] = "fail",
    model: str = "omni-moderation-latest",
    keys: tuple[str, ...] = ("sk-test-moderation",),
) -> ModerationFilter:
    config = ModerationConfig(
        default_model=model, base_url=f"{server.url}/v1", api_keys=tuple(Secret(key) for key in keys)
    )
    return ModerationFilter(config, step=10, categories=categories, when_down=when_down)


@pytest.mark.story("2.6")
async def test_the_moderation_endpoint_is_asked_before_and_in_blocks_while_the_answer_comes() -> None:
    with LLMServer(judge) as server:
        moderation = moderating(server)
        pieces = [*texts(*(f"word{number} " for number in range(6))), END]
        assert await read(Guarded(Saying(*pieces), [LocalFilter(), moderation])) == pieces
        asked = [request.json()["input"] for request in server.requests]
        await moderation.aclose()
        await moderation.aclose()
        await asyncio.to_thread(server.wait_open, 0)
    assert asked[0] == "Hello"
    assert len(asked) == 4
    assert server.requests[0].path == "/v1/moderations"
    assert server.requests[0].headers["authorization"] == "Bearer sk-test-moderation"
    assert server.requests[0].json()["model"] == "omni-moderation-latest"


@pytest.mark.story("2.6")
@pytest.mark.parametrize("policy", ["end", "raise"])
async def test_what_the_endpoint_finds_harmful_is_not_shown(policy: OnFinding) -> None:
    with LLMServer(judge) as server:
        moderation = moderating(server)
        saying = Saying(*texts("All is well. ", "Then he does ", "harm. ", "And more"), END)
        guarded = Guarded(saying, [moderation], on_finding=policy)
        if policy == "raise":
            with pytest.raises(ContentFilterError, match="violence") as caught:
                await read(guarded)
            assert caught.value.partial_text == "All is well. Then he does "
        else:
            chunks = await read(guarded)
            assert shown(chunks) == "All is well. Then he does "
            assert chunks[-1].finish_reason == "content_filter"
        await moderation.aclose()


@pytest.mark.story("2.6")
async def test_categories_that_do_not_count_pass() -> None:
    with LLMServer(judge) as server:
        moderation = moderating(server, categories=("hate",))
        assert shown(await read(Guarded(Saying(*texts("harm"), END), [moderation]))) == "harm"
        await moderation.aclose()


@pytest.mark.story("2.6")
async def test_an_endpoint_that_is_down_lets_nothing_pass_unless_told_so() -> None:
    with LLMServer(as_json({"error": {"message": "Oops"}}, 500)) as server:
        strict, easy = moderating(server), moderating(server, when_down="pass")
        with pytest.raises(ServerError):
            await read(Guarded(Saying(*texts("Hi"), END), [strict]))
        of = call()
        assert shown(await read(Guarded(Saying(*texts("Hi"), END), [easy]), of=of)) == "Hi"
        assert of.notices == [
            "The question was not checked: the moderation endpoint failed",
            "The answer was not checked: the moderation endpoint failed",
        ]
        server.answer(as_json(["nothing"]))
        with pytest.raises(ProviderConnectionError, match="cannot be read"):
            await strict.check_text("Hi", is_end=True)
        await strict.aclose()
        await easy.aclose()


PNG = ImagePart(data=b"\x89PNG\r\n\x1a\n")
SHOWN = Request(
    model="m", messages=(Message.user((TextPart("What is it?"), PNG, ImagePart(url="https://e.com/b.png"))),)
)


@pytest.mark.story("2.6")
async def test_pictures_are_asked_about_where_the_model_reads_them() -> None:
    def look(received: Received) -> Answer:
        return as_json({"results": [{"categories": {"violence": "b.png" in str(received.json()["input"])}}]})

    with LLMServer(look) as server:
        moderation = moderating(server)
        with pytest.raises(ContentFilterError, match="violence"):
            await read(Guarded(Saying(*texts("Hi"), END), [moderation]), SHOWN)
        asked = [request.json()["input"] for request in server.requests]
        assert asked == [
            "What is it?",
            [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG.base64}"}}],
            [{"type": "image_url", "image_url": {"url": "https://e.com/b.png"}}],
        ]
        await moderation.aclose()
        blind = moderating(server, model="text-moderation-latest")
        of = call()
        assert shown(await read(Guarded(Saying(*texts("Hi"), END), [blind]), SHOWN, of=of)) == "Hi"
        assert of.notices == ["The pictures were not checked: 'text-moderation-latest' reads none"]
        await blind.aclose()


@pytest.mark.story("2.6")
async def test_a_category_that_is_not_there_is_an_error_and_not_silence() -> None:
    with pytest.raises(ConfigError, match="no category 'violense'") as caught:
        ModerationFilter(ModerationConfig(), categories=("hate", "violense"))
    assert "Did you mean `violence`?" in caught.value.fix
    with LLMServer(judge) as server:  # what another's endpoint looks for, its answer tells
        moderation = moderating(server, categories=("violense",), when_down="pass")
        with pytest.raises(ConfigError, match="no category 'violense'"):
            await read(Guarded(Saying(*texts("harm"), END), [moderation]))
        await moderation.aclose()


@pytest.mark.story("2.6")
async def test_the_keys_of_the_endpoint_take_turns_and_one_that_is_refused_rests() -> None:
    def judge_key(received: Received) -> Answer:
        if received.headers["authorization"] == "Bearer sk-second":
            return as_json({"error": {"message": "Wrong key"}}, 401)
        return judge(received)

    with LLMServer(judge_key) as server:
        moderation = moderating(server, keys=("sk-first", "sk-second", "sk-third"))
        for _ in range(4):
            assert (await moderation.check_text("Hi", is_end=True)).finding is None
        await moderation.aclose()
    sent = [request.headers["authorization"].removeprefix("Bearer sk-") for request in server.requests]
    assert sent == ["first", "second", "third", "first", "third"]


async def test_without_a_key_the_endpoint_is_not_asked() -> None:
    with pytest.raises(CredentialNotFoundError, match="OPENAI_API_KEY"):
        await ModerationFilter(ModerationConfig()).check_text("Hi", is_end=True)
