"""What a provider's refusal means, whoever refuses."""

from __future__ import annotations

import pytest

from sentient_cli.errors import ContextLengthExceededError
from sentient_cli.llm.wire.failures import Refusal, error_of


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
