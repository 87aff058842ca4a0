"""What a provider's refusal means, whoever refuses."""

from __future__ import annotations

import pytest

from sentient_cli.errors import ContextLengthExceededError
from sentient_cli.llm import Message, Request
from sentient_cli.llm.wire.failures import Refusal, error_of, read_refusal
from tests.llm.providers.wires import WIRES, Wire
from tests.support.llm_server import LLMServer, as_json


@pytest.mark.slow
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422])
@pytest.mark.parametrize("code", ["", "rate_limit_exceeded", "server_error", "overloaded_error"])
def test_what_has_to_be_sent_in_another_way_is_not_sent_again(status: int, code: str) -> None:
    error = error_of("groq", status, Refusal("No.", code=code), headers={"x-should-retry": "true"})
    assert not error.retryable


def test_what_is_too_large_for_the_rate_is_no_matter_of_waiting() -> None:
    assert (
        type(error_of("groq", 413, Refusal("Too large", "tokens", "rate_limit_exceeded"))) is ContextLengthExceededError
    )


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500])
def test_whether_to_try_again_is_as_the_provider_says(status: int) -> None:
    assert error_of("openai", status, Refusal("No."), headers={"x-should-retry": "true"}).retryable
    assert not error_of("openai", status, Refusal("No."), headers={"x-should-retry": "false"}).retryable


HOSTILE = "\x1b]0;owned\x07\x1b[31m\nsk-proj-\u200b" + "A" * 40 + "X" * 5000


@pytest.mark.parametrize("refusal", [Refusal(code=HOSTILE), Refusal(kind=HOSTILE), Refusal(HOSTILE)])
def test_what_a_refusal_says_is_shown_safely(refusal: Refusal) -> None:
    error = error_of("vllm", 400, refusal)
    shown = error.what + error.why
    assert not set("\x1b\x07\u200b") & set(shown)
    assert "\n" not in error.what
    assert "AAAA" not in shown
    assert len(error.what) < 150
    assert len(error.why) <= 500


_WORDED = [
    ("prompt is too long: 205000 tokens > 200000 maximum", (205_000, 200_000)),
    ("input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease", (210_000, 200_000)),
    (
        (
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 10000 tokens. "
            "Please reduce the length of the messages."
        ),
        (10_000, 8192),
    ),
    (
        (
            "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens "
            "(4000 in the messages, 1000 in the completion)."
        ),
        (5000, 4096),
    ),
    (
        (
            "This model's maximum context length is 4096 tokens. However, you requested 100 output tokens and your "
            "prompt contains at least 3997 input tokens, for a total of at least 4097 tokens. Please reduce it."
        ),
        (4097, 4096),
    ),
    ("Input tokens exceed the configured limit of 10 tokens. Your messages resulted in 12 tokens.", (12, 10)),
    ("request (12 tokens) exceeds the available context size (10 tokens), try increasing it", (12, 10)),
]


@pytest.mark.parametrize(("message", "counts"), _WORDED)
def test_how_long_a_request_was_is_told_where_the_server_does(message: str, counts: tuple[int, int]) -> None:
    for kind in ("invalid_request_error", "context_length_exceeded", "BadRequestError"):
        error = error_of("mine", 400, Refusal(message, kind))
        assert isinstance(error, ContextLengthExceededError)
        assert (error.tokens, error.limit) == counts
    quoted = error_of("mine", 400, Refusal(f"Invalid request: {message!r}", "invalid_request_error"))
    assert not isinstance(quoted, ContextLengthExceededError)


def test_numbers_beside_the_words_count_first_and_none_are_made_up() -> None:
    body = b'{"error":{"type":"exceed_context_size_error","message":"Too long","n_prompt_tokens":12,"n_ctx":10}}'
    told = error_of("llamacpp", 400, read_refusal(body))
    silent = error_of("openai", 400, Refusal("Too long", code="context_length_exceeded"))
    assert isinstance(told, ContextLengthExceededError)
    assert isinstance(silent, ContextLengthExceededError)
    assert (told.tokens, told.limit, silent.tokens, silent.limit) == (12, 10, None, None)


@pytest.mark.story("E1.3")
@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
async def test_the_counts_come_over_a_socket(wire: Wire) -> None:
    told = {"type": "error", "error": {"type": "invalid_request_error", "message": _WORDED[0][0]}}
    with LLMServer(as_json(told, 400)) as server:
        provider = wire.make(server.url, 5.0)
        with pytest.raises(ContextLengthExceededError) as caught:
            await provider.generate(Request(model=wire.model, messages=(Message.user("Hi"),)))
        await provider.aclose()
    assert (caught.value.tokens, caught.value.limit) == (205_000, 200_000)
