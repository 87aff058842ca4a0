"""The model that a local server has, where none is named."""

from __future__ import annotations

import pytest

from sentient_cli.errors import BadRequestError
from sentient_cli.llm import Message, Request
from sentient_cli.llm.compatible import CompatibleConfig, CompatibleProvider
from tests.llm.providers.chat_wire import text_answer
from tests.support.llm_server import Answer, LLMServer, Received, as_json


@pytest.mark.story("3.2")
async def test_a_server_that_has_another_model_now_is_asked_for_it() -> None:
    has = ["first"]

    def answer(received: Received) -> Answer:
        if received.method == "GET":
            return as_json({"data": [{"id": model} for model in has]})
        if received.json()["model"] not in has:
            return as_json({"error": {"message": "model not found", "code": "model_not_found"}}, 404)
        return Answer(text_answer(["Hi"]))

    with LLMServer(answer) as changing:
        provider = CompatibleProvider("ollama", CompatibleConfig(base_url=f"{changing.url}/v1"))
        asked = Request(model="auto", messages=(Message.user("Hi"),))
        assert (await provider.generate(asked)).text == "Hi"
        has[:] = ["second"]
        assert (await provider.generate(asked)).text == "Hi"
        has.clear()
        with pytest.raises(BadRequestError, match="has no model"):
            await provider.generate(asked)
        await provider.aclose()
        sent = [received.json()["model"] for received in changing.requests if received.method == "POST"]
    assert sent == ["first", "first", "second", "second"]
