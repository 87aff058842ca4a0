"""Characters whose halves come in two pieces: whole in everything that is given on, whoever streams them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.config.secret import Secret
from sentient_cli.errors import ProviderConnectionError
from sentient_cli.llm import Message, Request
from sentient_cli.llm.anthropic.reading import MessageReader
from sentient_cli.llm.assembly import Assembly
from sentient_cli.llm.chatwire.decoder import ChatDecoder
from sentient_cli.llm.openai import OpenAIConfig, OpenAIProvider
from sentient_cli.llm.openai.responses_decoder import ResponsesDecoder
from sentient_cli.llm.wire.decoding import StreamDecoder
from tests.llm.providers import anthropic_wire, responses_wire
from tests.llm.providers.chat_wire import call_frame, ending, frame, text_answer
from tests.llm.providers.wires import WIRES, Wire
from tests.support.llm_server import Answer, LLMServer, as_sse

HALVES = ("Hi \ud83d", "\ude00!")
TORN = r"\ud83d"


def _chat(pieces: Iterable[str]) -> list[bytes]:
    deltas = [
        *(frame({"content": text}) for text in pieces),
        *(frame({"reasoning_content": text}) for text in pieces),
        *(frame({"refusal": text}) for text in pieces),
        call_frame(0, "call_1", name="say", arguments=""),
        *(call_frame(0, arguments=text) for text in pieces),
    ]
    return as_sse([*deltas, *ending()], done=True)


def _responses(pieces: Iterable[str]) -> list[bytes]:
    item = {"type": "function_call", "call_id": "call_1", "name": "say", "arguments": ""}
    kinds = ("output_text", "reasoning_summary_text", "refusal", "function_call_arguments")
    return as_sse(
        [
            {"type": "response.created", "response": {"id": "r", "model": "m"}},
            {"type": "response.output_item.added", "output_index": 0, "item": item},
            *(
                {"type": f"response.{kind}.delta", "delta": text, "output_index": 0}
                for kind in kinds
                for text in pieces
            ),
            {"type": "response.completed", "response": {"id": "r"}},
        ]
    )


def _messages(pieces: Iterable[str]) -> list[bytes]:
    tool: dict[str, object] = {"type": "tool_use", "id": "call_1", "name": "say", "input": {}}
    return anthropic_wire.message(
        anthropic_wire.block(
            0, {"type": "thinking", "thinking": ""}, [{"type": "thinking_delta", "thinking": text} for text in pieces]
        ),
        anthropic_wire.block(
            1, {"type": "text", "text": ""}, [{"type": "text_delta", "text": text} for text in pieces]
        ),
        anthropic_wire.block(2, tool, [{"type": "input_json_delta", "partial_json": text} for text in pieces]),
    )


STREAMS: dict[str, tuple[Callable[[str], StreamDecoder], Callable[[Iterable[str]], list[bytes]]]] = {
    "chat": (ChatDecoder, _chat),
    "responses": (ResponsesDecoder, _responses),
    "messages": (MessageReader, _messages),
}


def _response_of_text(pieces: Iterable[str]) -> list[bytes]:
    kind = "response.output_text.delta"
    told: list[dict[str, object]] = [{"type": kind, "delta": text, "output_index": 0} for text in pieces]
    return responses_wire.stream(responses_wire.events(*told))


ANSWERS: dict[str, Callable[[Iterable[str]], list[bytes]]] = {
    "compatible": text_answer,
    "openai": text_answer,
    "responses": _response_of_text,
    "anthropic": anthropic_wire.text_answer,
}


def _read(name: str, pieces: Iterable[str]) -> Assembly:
    make, stream = STREAMS[name]
    decoder, assembly = make("mine"), Assembly()
    for data in stream(pieces):
        for chunk in decoder.feed(data):
            assembly.add(chunk)
    for chunk in decoder.end():
        assembly.add(chunk)
    assert decoder.text == assembly.text
    return assembly


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (HALVES, "Hi 😀!"),
        (("\ud83d", "\ude00"), "😀"),
        (("a\ud83d", "b"), "a\ufffdb"),
        (("a", "\ude00b"), "a\ufffdb"),
        (("a", "b\ud83d"), "ab\ufffd"),
        (("\ud83d\ud83d", "\ude00 ok \ud83d", "\ude01"), "\ufffd😀 ok 😁"),
    ],
)
def test_the_halves_of_a_character_are_put_together_wherever_they_stand(
    name: str, pieces: tuple[str, ...], text: str
) -> None:
    answer = _read(name, pieces)
    assert answer.text == text
    assert [call.arguments for call in answer.tool_calls] == [text]
    assert "".join(part.text for part in answer.thinking) == text
    assert answer.refusal in ("", text)


@given(st.text(st.sampled_from("a😀é\n"), max_size=6).map(lambda text: text.encode("utf-16-le")), st.data())
def test_a_text_is_the_same_wherever_it_is_cut(text: bytes, data: st.DataObject) -> None:
    units = [text[place : place + 2].decode("utf-16-le", "surrogatepass") for place in range(0, len(text), 2)]
    cut = data.draw(st.integers(0, len(units)))
    pieces = [piece for piece in ("".join(units[:cut]), "".join(units[cut:])) if piece]
    for name in STREAMS:
        assert _read(name, pieces).text == text.decode("utf-16-le")


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
async def test_nothing_of_it_is_seen_over_a_socket(wire: Wire) -> None:
    with LLMServer(Answer(ANSWERS[wire.name](HALVES))) as server:
        provider = wire.make(server.url, 5.0)
        answer = await provider.generate(Request(model=wire.model, messages=(Message.user("Hi"),)))
        await provider.aclose()
    assert answer.text == "Hi 😀!"


@pytest.mark.parametrize("name", STREAMS)
def test_what_is_broken_otherwise_is_broken(name: str) -> None:
    make, _ = STREAMS[name]
    decoder = make("mine")
    assert decoder.feed(f'data: {{"type": "{TORN}\n\n'.encode()) == []
    with pytest.raises(ProviderConnectionError) as caught:
        decoder.end()
    assert "malformed" in caught.value.what


async def test_names_and_what_a_vendor_adds_have_whole_characters_too() -> None:
    body = as_sse([frame({"content": "Hi"}, logprobs={"token": "\ud83d"}), *ending()], done=True)
    odd = json.dumps({"model": "m\ud83d", "choices": [{"delta": {"content": "x"}, "logprobs": {"t": ["\ud83d"]}}]})
    with LLMServer(Answer([f"data: {odd}\n\n".encode(), *body])) as server:
        provider = OpenAIProvider(OpenAIConfig(base_url=f"{server.url}/v1", api_key=Secret("sk-1")))
        answer = await provider.generate(Request(model="m", messages=(Message.user("Hi"),)))
        await provider.aclose()
    assert (answer.text, answer.extra) == ("xHi", {"logprobs": {"t": ["\ufffd"]}})
    assert answer.model_used.isprintable()
