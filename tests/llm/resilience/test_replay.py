"""What is too short to be gone on with from its end: the answer comes once more, and is joined to the character."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.errors import ServerError
from sentient_cli.llm.resilience.failover import FailoverPolicy
from sentient_cli.llm.resilience.policies import ResiliencePolicies
from sentient_cli.llm.resilience.replay import Replay
from sentient_cli.llm.resilience.retry import RetryPolicy
from tests.llm.resilience.actors import STOP, Actor, Stage, said

DOWN = ServerError("Down")
POLICIES = ResiliencePolicies(retry=RetryPolicy(attempts=1), failover=FailoverPolicy(after_content="continue"))


@given(st.lists(st.text(max_size=5), max_size=20), st.integers(0, 40))
def test_an_answer_that_is_the_same_is_joined_to_the_character(pieces: list[str], cut: int) -> None:
    whole = "".join(pieces)
    partial = whole[:cut]
    if not partial:
        return
    replay = Replay(partial)
    rest = "".join([replay.feed(piece) for piece in pieces])
    assert replay.finish() == ""
    assert partial + rest == whole
    assert replay.cut == len(partial)


@given(st.text(min_size=1, max_size=30), st.lists(st.text(max_size=5), max_size=10))
def test_another_answer_is_never_joined(partial: str, pieces: list[str]) -> None:
    replay = Replay(partial)
    rest = "".join([replay.feed(piece) for piece in pieces])
    whole = "".join(pieces)
    if whole.startswith(partial):
        assert partial + rest == whole
    else:
        assert rest == ""
        assert replay.is_refused or replay.finish() is None


async def test_a_word_that_was_said_is_joined_by_asking_anew() -> None:
    actor = Actor([*said("Yes"), DOWN], [*said("Yes, it is."), STOP])
    stage = Stage(actor, policies=POLICIES)
    stream = stage.manager.stream("Is it?")
    assert "".join([text async for text in stream]) == "Yes, it is."
    first, second = actor.requests
    assert second.messages == first.messages
    assert second.call == f"{first.call}-1"
    (told,) = stage.of("llm.splice")
    assert (told.data["at"], told.data["cut"]) == (3, 3)


async def test_another_answer_ends_in_the_error_and_the_text_so_far() -> None:
    actor = Actor([*said("Yes"), DOWN], [*said("No, it is not."), STOP])
    stream = Stage(actor, policies=POLICIES).manager.stream("Is it?")
    assert await anext(aiter(stream)) == "Yes"
    with pytest.raises(ServerError) as caught:
        await stream.completion()
    assert caught.value.partial_text == "Yes"
