"""Conversations kept within what a model can read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sentient_cli.clock import SystemClock
from sentient_cli.errors import BadRequestError, ContextLengthExceededError, ServerError
from sentient_cli.llm import (
    Chunk,
    DocumentPart,
    ImagePart,
    LLMProvider,
    Message,
    OfflineProvider,
    Parameters,
    Request,
    TextPart,
    TokenCount,
    ToolCall,
    ToolSpec,
)
from sentient_cli.llm.call import Call
from sentient_cli.llm.context import ContextManager, Estimate, InContext, ModelSummary
from sentient_cli.llm.context.counting import most_tokens
from sentient_cli.llm.context.steps import removals
from sentient_cli.llm.hooks import Recorder


class Letters:
    """Counts letters, exactly, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def count_tokens(self, request: Request) -> TokenCount:
        self.asked += 1
        return TokenCount(letters(request.messages), exact=True)


def letters(messages: Sequence[Message]) -> int:
    return sum(1 + len(message.text) for message in messages)


class Short:
    """Says in short what was left out, or fails."""

    def __init__(self, *, length: int = 10, fails: bool = False, most: int = 1000) -> None:
        self.length = length
        self.most = most
        self.fails = fails
        self.given: list[tuple[int, str]] = []

    @property
    def max_tokens(self) -> int:
        return 50

    async def summarise(self, messages: Sequence[Message], before: str) -> str:
        if self.fails:
            raise ServerError("Down")
        if len(messages) > self.most:
            raise ContextLengthExceededError("The conversation is too long")
        self.given.append((len(messages), before))
        return "s" * self.length


def asked(messages: Sequence[Message], max_tokens: int = 1) -> Request:
    return Request(model="m", messages=tuple(messages), parameters=Parameters(max_tokens=max_tokens))


def talk(turns: int, text: str = "x" * 9) -> list[Message]:
    return [
        message
        for number in range(turns)
        for message in (Message.user(f"{number:02}{text}"), Message.assistant(f"{number:02}{text}"))
    ]


CALL = ToolCall("c", "add")

_BITS = st.one_of(
    st.builds(Message.system, st.text("s", max_size=4)),
    st.builds(Message.user, st.text("u", max_size=8)),
    st.builds(Message.assistant, st.text("a", max_size=8)),
)


@st.composite
def _with_tools(draw: st.DrawFn) -> list[Message]:
    """A tool is asked for, something may be said, and the results come, or not all of them."""
    name = draw(st.sampled_from(["c1", "c2", "c3"]))
    calls = tuple(ToolCall(f"{name}-{number}", "add") for number in range(draw(st.integers(1, 2))))
    results = [Message.tool(call, draw(st.text("r", max_size=8))) for call in calls]
    between = draw(st.lists(_BITS, max_size=1))
    return [Message.assistant("", calls), *between, *results[: draw(st.integers(0, 2))]]


CONVERSATIONS = st.lists(st.one_of(_BITS.map(lambda bit: [bit]), _with_tools()), min_size=1, max_size=8).map(
    lambda parts: [message for part in parts for message in part]
)


def partners(messages: Sequence[Message]) -> list[set[int]]:
    """The places of each result and of the last call before it that it answers."""
    found: list[set[int]] = []
    for place, message in enumerate(messages):
        if message.role == "tool":
            calls = [
                before
                for before in range(place)
                if any(call.id == message.tool_call_id for call in messages[before].tool_calls)
            ]
            found += [{calls[-1], place}] if calls else []
    return found


@given(CONVERSATIONS, st.integers(1, 120), st.sets(st.integers(0, 20), max_size=3))
def test_what_fits_is_kept_whole_in_order_and_below_the_limit(
    messages: list[Message], limit: int, pinned: set[int]
) -> None:
    assume(any(message.role != "system" for message in messages))
    pinned = {place for place in pinned if place < len(messages)}
    manager = ContextManager(limit + 1, counter=Letters())
    # The same message may be there twice: each gets a mark of its own that costs nothing.
    marked = [
        Message(m.role, m.content, m.tool_calls, m.tool_call_id, f"n{place}", m.is_error)
        for place, m in enumerate(messages)
    ]
    steps = removals(marked, pinned)
    gone = frozenset[int]().union(*steps)
    try:
        fitted = asyncio.run(manager.fit(asked(marked), pinned=pinned))
    except ContextLengthExceededError:
        assert letters([message for place, message in enumerate(marked) if place not in gone]) > limit
        return
    kept = [int((message.name or "n0")[1:]) for message in fitted.request.messages]
    assert letters(fitted.request.messages) <= limit
    assert kept == sorted(kept)
    assert fitted.removed == len(marked) - len(kept)
    assert pinned <= set(kept)
    assert {place for place, message in enumerate(marked) if message.role == "system"} <= set(kept)
    assert max(place for place, message in enumerate(marked) if message.role != "system") in kept
    questions = [place for place, message in enumerate(marked) if message.role == "user"]
    assert not questions or questions[-1] in kept
    for pair in partners(marked):
        assert pair <= set(kept) or not pair & set(kept)
    if fitted.removed:  # not one step more than needed
        left_out = [step for step in steps if not step & set(kept)]
        one_less = frozenset[int]().union(*left_out[:-1])
        assert letters([message for place, message in enumerate(marked) if place not in one_less]) > limit


async def test_the_oldest_turns_go_first_and_as_few_as_needed() -> None:
    messages = [Message.system("Be brief"), *talk(10), Message.user("And now?")]
    fitted = await ContextManager(101, counter=Letters()).fit(asked(messages))
    assert [message.text[:2] for message in fitted.request.messages] == ["Be", "07", "07", "08", "08", "09", "09", "An"]
    assert fitted.tokens == letters(fitted.request.messages)
    assert fitted.notice == "14 messages were left out, since the conversation is too long for the model"


async def test_it_is_counted_by_halves_and_not_at_all_when_it_fits_for_certain() -> None:
    counter = Letters()
    manager = ContextManager(3000, counter=counter)
    await manager.fit(asked(talk(3)))
    assert counter.asked == 0
    await manager.fit(asked(talk(200)))
    assert counter.asked <= 10


async def test_within_the_last_turn_the_oldest_calls_of_tools_go_first() -> None:
    calls = [ToolCall(f"c{number}", "add") for number in range(4)]
    steps = [message for call in calls for message in (Message.assistant("", (call,)), Message.tool(call, "r" * 20))]
    fitted = await ContextManager(56, counter=Letters()).fit(asked([Message.user("Add them"), *steps]))
    assert [message.tool_call_id or message.role for message in fitted.request.messages] == [
        "user",
        "assistant",
        "c2",
        "assistant",
        "c3",
    ]


async def test_what_is_pinned_stays() -> None:
    messages = talk(10)
    manager = ContextManager(62, counter=Letters(), pin=lambda message: message.text.startswith("03"))
    kept = (await manager.fit(asked(messages), pinned=[0])).request.messages
    assert [message.text[:2] for message in kept] == ["00", "03", "03", "09", "09"]


async def test_what_has_to_stay_and_is_too_long_is_an_error_with_the_counts() -> None:
    messages = [*talk(5), Message.user("y" * 99)]
    with pytest.raises(ContextLengthExceededError) as caught:
        await ContextManager(51, counter=Letters()).fit(asked(messages))
    assert caught.value.why == "It has 220 tokens, 100 without all that can be left out, and 50 are allowed"
    assert (caught.value.tokens, caught.value.limit) == (100, 50)
    with pytest.raises(ContextLengthExceededError, match="100 without"):
        await ContextManager(51, counter=Letters()).fit(asked(messages[-1:]))


async def test_the_answer_needs_room_too() -> None:
    manager = ContextManager(150, counter=Letters(), reserve=30)
    messages = talk(10)
    by_default = await manager.fit(Request(model="m", messages=tuple(messages)))
    assert letters(by_default.request.messages) <= 120
    assert letters((await manager.fit(asked(messages, max_tokens=100))).request.messages) <= 50


async def test_what_is_kept_for_the_answer_leaves_room_for_the_question() -> None:
    asked = Request(model="m", messages=(Message.user("Hi"),), parameters=Parameters(max_tokens=900))
    with pytest.raises(ContextLengthExceededError, match="There is no room") as caught:
        await ContextManager(1000).fit(asked)
    assert caught.value.why == "900 tokens are kept for the answer, and there are 900 for both"
    assert "`max_tokens`" in caught.value.fix


async def test_a_summary_takes_the_place_of_what_was_left_out_and_is_made_once() -> None:
    short = Short()
    manager = ContextManager(251, counter=Letters(), summariser=short)
    messages = [Message.system("Be brief"), *talk(20), Message.user("And now?")]
    fitted = await manager.fit(asked(messages))
    texts = [message.text for message in fitted.request.messages]
    assert texts[:2] == ["Be brief", "[What was said before, in short]\nssssssssss"]
    assert fitted.request.messages[1].role == "user"
    assert letters(fitted.request.messages) <= 250
    assert fitted.notice.endswith("were summarised, since the conversation is too long for the model")
    first = fitted.removed
    assert short.given == [(first, "")]
    # Some turns later the same summary will do; then a new one is made of it.
    again = await manager.fit(asked([*messages, Message.assistant("Now"), Message.user("And?")]))
    assert (again.removed, again.summary) == (first, "s" * 10)
    assert len(short.given) == 1
    later = await manager.fit(asked([*messages, *talk(15), Message.user("And?")]))
    assert later.removed > first
    assert short.given[1] == (later.removed - first, "s" * 10)


@pytest.mark.parametrize("short", [Short(fails=True), Short(length=0), Short(length=1000)])
async def test_without_a_summary_that_fits_the_oldest_is_forgotten(short: Short) -> None:
    fitted = await ContextManager(151, counter=Letters(), summariser=short).fit(asked(talk(20)))
    assert fitted.summary == ""
    assert letters(fitted.request.messages) <= 150
    assert "left out and could not be summarised" in fitted.notice


async def test_what_is_too_long_for_a_summary_is_summarised_in_parts() -> None:
    short = Short(most=6)
    fitted = await ContextManager(251, counter=Letters(), summariser=short).fit(asked(talk(20)))
    assert fitted.summary == "s" * 10
    assert sum(count for count, _ in short.given) == fitted.removed
    assert all(count <= 6 for count, _ in short.given)
    assert [before for _, before in short.given] == ["", *["s" * 10] * (len(short.given) - 1)]


async def test_a_message_that_no_summary_can_hold_is_forgotten() -> None:
    fitted = await ContextManager(151, counter=Letters(), summariser=Short(most=0)).fit(asked(talk(20)))
    assert "left out and could not be summarised" in fitted.notice


async def test_a_summary_needs_room_as_well() -> None:
    short = Short()
    fitted = await ContextManager(40, counter=Letters(), summariser=short).fit(asked(talk(20)))
    assert not short.given
    assert fitted.removed == 38


async def test_a_model_writes_the_summary() -> None:
    provider: LLMProvider = OfflineProvider()
    summary = await ModelSummary(provider, "echo").summarise(
        [Message.user("I am Ann"), Message.assistant("", (CALL,)), Message.tool(CALL, "z" * 9000)], "They met"
    )
    assert "What was said before, in short: They met" in summary
    assert "user: I am Ann" in summary
    assert "[calls add with {}]" in summary
    assert len(summary) < 6000


async def test_around_what_answers_it_says_what_it_did() -> None:
    seen: list[Request] = []

    class Inner:
        async def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
            seen.append(request)
            yield Chunk("Yes")
            yield Chunk(finish_reason="stop")

    call = Call(Recorder((), SystemClock(), "call"))
    inside = InContext(Inner(), ContextManager(60, counter=Letters()))
    chunks = [chunk async for chunk in inside.stream(asked(talk(10)), call)]
    assert [chunk.text for chunk in chunks] == ["Yes", ""]
    assert letters(seen[0].messages) < 60
    assert len(call.notices) == 1


@pytest.mark.slow
@given(CONVERSATIONS)
def test_no_estimate_is_above_what_there_can_be_at_most(messages: list[Message]) -> None:
    most = most_tokens(asked(messages))
    assert most is not None
    assert asyncio.run(Estimate().count_tokens(asked(messages))).tokens <= most


async def test_an_estimate_counts_everything() -> None:
    estimate = Estimate()

    async def count(*messages: Message, tools: tuple[ToolSpec, ...] = ()) -> int:
        return (await estimate.count_tokens(Request(model="m", messages=messages, tools=tools))).tokens

    plain = await count(Message.user("Hello"))
    assert await count(Message.user("Hello"), tools=(ToolSpec("now", "Says what time it is."),)) > plain
    assert await count(Message.user("漢字漢字漢")) > plain
    assert await count(Message.user((ImagePart(data=b"GIF89a\x01"), TextPart("Hello")))) > plain + 1000
    assert await count(Message.user((DocumentPart(data=b"x" * 4000),))) > 1000
    assert await count(Message.assistant("Hello", (CALL,))) > plain
    assert most_tokens(asked([Message.user((ImagePart(data=b"GIF89a\x01"),))])) is None


@pytest.mark.parametrize(
    "values", [{"context_tokens": 0}, {"context_tokens": "100"}, {"reserve": -1}, {"reserve": 1.5}]
)
def test_a_number_of_tokens_that_cannot_be_says_so(values: dict[str, object]) -> None:
    with pytest.raises(BadRequestError, match="cannot be") as caught:
        ContextManager(**{"context_tokens": 100, **values})  # type: ignore[arg-type]
    assert "whole number from" in caught.value.fix
