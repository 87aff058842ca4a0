from __future__ import annotations

import msgspec
import pytest

from sentient_cli.errors import (
    AuthenticationError,
    BadRequestError,
    ConfigError,
    ContextLengthExceededError,
    CredentialNotFoundError,
    ModelNotFoundError,
    ProviderConnectionError,
    ProviderError,
    QuotaError,
    RateLimitError,
    SentientError,
    ServerError,
)
from sentient_cli.llm import (
    Capabilities,
    Chunk,
    ImagePart,
    LLMManager,
    Message,
    OutputSpec,
    Request,
    ThinkingPart,
    ToolCallDelta,
    Usage,
)
from sentient_cli.llm.call import CallOptions
from sentient_cli.llm.resilience.breaker import BreakerPolicy
from sentient_cli.llm.resilience.failover import FailoverPolicy
from sentient_cli.llm.resilience.policies import ResiliencePolicies
from sentient_cli.llm.resilience.retry import RetryPolicy
from tests.llm.resilience.actors import STOP, USAGE, Actor, Deed, Script, Stage, said

WELL: list[Deed] = [*said("Hello"), STOP, USAGE]
DOWN = ServerError("Down")
TEXT = "It was the best of times, it was the worst of times, it was the age of wisdom and of foolishness."
CUT = 60


def policies(after: str = "continue", otherwise: str = "fail", hops: int = 2) -> ResiliencePolicies:
    failover = FailoverPolicy(
        after_content="fail" if after == "fail" else "restart" if after == "restart" else "continue",
        otherwise="restart" if otherwise == "restart" else "fail",
        hops=hops,
    )
    return ResiliencePolicies(retry=RetryPolicy(attempts=1), failover=failover)


def repeats(request: Request, number: int) -> Script:
    """Breaks off; when it is asked to go on, it does as it is told."""
    if number == 0:
        return [*said(TEXT[:CUT]), DOWN]
    anchor = request.messages[-1].text.rpartition("\n\n")[2]
    return [*said(anchor + TEXT[CUT:]), STOP, USAGE]


@pytest.mark.parametrize(
    "error",
    [
        DOWN,
        RateLimitError("Slow"),
        QuotaError("No credit"),
        AuthenticationError("Bad key"),
        ContextLengthExceededError("Too long"),
        CredentialNotFoundError("No key"),
        ProviderConnectionError("Refused"),
    ],
)
async def test_another_takes_over_before_content_and_nobody_sees_it(error: Exception) -> None:
    one, two = Actor([Chunk(model="x"), error], name="one"), Actor(WELL, name="two")
    stage = Stage(one, two, policies=policies())
    stream = stage.manager.stream("hi")
    assert [chunk async for chunk in stream.chunks()] == WELL
    answer = await stream.completion()
    assert (answer.provider, answer.attempts, answer.failovers, answer.degraded) == ("two", 2, 1, "")
    assert stage.told == [
        "llm.request",
        "llm.selection",
        "llm.attempt",
        "llm.failover",
        "llm.attempt",
        "llm.finished",
    ]
    assert isinstance(error, SentientError)
    told = stage.of("llm.failover")[0].data
    assert (told["from"], told["to"]) == ("one:m", "two:m")
    assert told["error"] == {"code": error.code, "what": error.what}
    assert stage.of("llm.selection")[0].data["targets"] == ["one:m", "two:m"]
    assert (stage.records.last()["failovers"], stage.records.last()["attempts"]) == (1, 2)


async def test_what_would_fail_everywhere_is_asked_once() -> None:
    one, two = Actor([BadRequestError("What?")], name="one"), Actor(WELL, name="two")
    with pytest.raises(BadRequestError):
        await Stage(one, two).manager.generate("hi")
    assert two.calls == 0


async def test_when_all_fail_the_last_error_tells_of_each() -> None:
    one, two = Actor([QuotaError("No credit")], name="one"), Actor([DOWN], name="two")
    with pytest.raises(ServerError) as caught:
        await Stage(one, two, policies=policies()).manager.generate("hi")
    assert caught.value.provider == "two"
    assert caught.value.detail == "one:m: No credit\ntwo:m: Down"


async def test_a_fallback_answers_in_the_end_and_says_so() -> None:
    one, small = Actor([ServerError("Down")], name="one"), Actor(WELL, name="small")
    stage = Stage(one, small, policies=policies(), together=False, fallback=["small:tiny", "unknown:x"])
    answer = await stage.manager.generate("hi")
    assert (answer.provider, answer.model, answer.degraded) == ("small", "tiny", "one:m could not answer")
    assert stage.records.last()["degraded"] == answer.degraded


async def test_a_group_is_a_model_and_its_first_is_asked() -> None:
    one, two = Actor(WELL, name="one"), Actor(WELL, name="two")
    manager = LLMManager([one, two], groups={"large": ["gone:x", "two:b", "one:a"]})
    answer = await manager.generate("hi", model="large")
    assert (answer.provider, answer.model) == ("two", "b")
    assert [target.id for target in manager.targets("one:a")] == ["one:a", "two:b"]
    manager.groups = {"none": ["gone:x"]}
    with pytest.raises(ConfigError, match="No provider of the group"):
        manager.stream("hi", model="none")


async def test_who_cannot_take_the_request_is_not_asked() -> None:
    blind, sees = Actor(WELL, name="blind"), Actor(WELL, name="sees", capabilities=Capabilities(images=True))
    stage = Stage(blind, sees)
    picture = [Message.user((ImagePart(data=b"\x89PNG\r\n\x1a\n"),))]
    assert (await stage.manager.generate(picture)).provider == "sees"
    stage.manager.remove("sees")
    with pytest.raises(BadRequestError, match="It has to read images"):
        await stage.manager.generate(picture)
    assert blind.calls == 0


async def test_each_provider_is_asked_for_a_form_of_answer_in_its_own_way() -> None:
    spec = OutputSpec("City", {"type": "object"})
    one = Actor([DOWN], name="one", capabilities=Capabilities(structured_output=True))
    two = Actor(WELL, name="two")
    async with Stage(one, two, policies=policies()).manager.stream("hi", output=spec) as stream:
        await stream.completion()
    assert (one.requests[0].output, one.requests[0].tools) == (spec, ())
    assert two.requests[0].output is None
    assert [tool.name for tool in two.requests[0].tools] == ["final_answer"]


async def test_an_answer_that_breaks_off_is_continued_by_the_same_model() -> None:
    actor = Actor(by=repeats)
    stage = Stage(actor, policies=policies())
    stream = stage.manager.stream("hi")
    assert "".join([text async for text in stream]) == TEXT
    answer = await stream.completion()
    assert (answer.text, answer.attempts, answer.failovers) == (TEXT, 2, 0)
    assert stage.told == ["llm.request", "llm.attempt", "llm.retry", "llm.attempt", "llm.splice", "llm.finished"]
    (again,) = stage.of("llm.retry")
    assert again.attempt == 1
    assert (again.data["after"], again.data["error"]) == (0.0, {"code": "provider-server", "what": "Down"})
    first, second = actor.requests
    assert second.messages[-2] == Message.assistant(TEXT[:CUT].rstrip())
    assert second.call == f"{first.call}-1", "another request has another key"
    assert stage.records.last()["wasted"] == {
        "input": 5,
        "cache_read": 0,
        "cache_write": 0,
        "output": 15,
        "reasoning": 0,
        "estimated": True,
    }


async def test_then_another_provider_continues_it() -> None:
    one = Actor([*said(TEXT[:CUT]), DOWN], [DOWN], name="one")
    two = Actor(by=lambda request, number: repeats(request, 1), name="two")
    answer = await Stage(one, two, policies=policies()).manager.generate("hi")
    assert (answer.text, answer.provider, answer.attempts, answer.failovers) == (TEXT, "two", 3, 1)


async def test_a_continuation_that_breaks_off_is_continued_too() -> None:
    def plays(request: Request, number: int) -> Script:
        if number == 0:
            return [*said(text[:CUT]), DOWN]
        anchor = request.messages[-1].text.rpartition("\n\n")[2]
        return [*said(anchor + text[CUT:400]), DOWN] if number == 1 else [*said(anchor + text[400:]), STOP]

    text = TEXT + "".join(f" Year {year} came and went." for year in range(1775, 1805))
    answer = await Stage(Actor(by=plays), policies=policies()).manager.generate("hi")
    assert (answer.text, answer.attempts) == (text, 3)


async def test_a_continuation_that_breaks_off_before_it_is_sure_counts_for_nothing() -> None:
    def plays(request: Request, number: int) -> Script:
        if number != 1:
            return repeats(request, number) if number == 0 else _rest(request, CUT)
        anchor = request.messages[-1].text.rpartition("\n\n")[2]
        return [*said(anchor + TEXT[CUT:80]), DOWN]

    answer = await Stage(Actor(by=plays), policies=policies()).manager.generate("hi")
    assert (answer.text, answer.attempts) == (TEXT, 3)


def _rest(request: Request, cut: int) -> Script:
    return [*said(request.messages[-1].text.rpartition("\n\n")[2] + TEXT[cut:]), STOP]


async def test_two_hops_are_enough() -> None:
    actor = Actor([*said(TEXT[:CUT]), DOWN], [ServerError("Still down")])
    with pytest.raises(ServerError) as caught:
        await anyhow(Stage(actor, policies=policies()))
    assert (actor.calls, caught.value.what, caught.value.partial_text) == (3, "Down", TEXT[:CUT])


async def anyhow(stage: Stage) -> str:
    """Read a stream as an agent does."""
    return "".join([text async for text in stage.manager.stream("hi")])


async def test_a_model_that_does_not_repeat_is_refused_and_the_text_so_far_is_kept() -> None:
    actor = Actor([*said(TEXT[:CUT]), DOWN], [*said("Something else entirely. " * 20), STOP])
    with pytest.raises(ServerError) as caught:
        await anyhow(Stage(actor, policies=policies()))
    assert caught.value.partial_text == TEXT[:CUT]
    assert "does not join" in caught.value.detail


async def test_continuations_are_told_joined_or_not() -> None:
    actor = Actor([*said(TEXT[:CUT]), DOWN], [*said("Something else entirely. " * 20), STOP])
    stage = Stage(actor, policies=policies(hops=1))
    with pytest.raises(ServerError):
        await anyhow(stage)
    (told,) = stage.of("llm.splice")
    assert (told.data["target"], told.data["at"]) == ("plain:m", CUT)
    assert told.data["error"] == {
        "code": "provider-connection",
        "what": "The rest of the answer does not join its beginning",
    }
    stage = Stage(Actor(by=repeats), policies=policies())
    await anyhow(stage)
    (told,) = stage.of("llm.splice")
    cut = told.data["cut"]
    assert isinstance(cut, int)
    assert 40 <= cut <= 64


async def test_answers_do_not_begin_anew_again_and_again_either() -> None:
    actor = Actor([*said(TEXT[:CUT]), DOWN])
    never = BreakerPolicy(failures=10**9, minimum=10**9)
    stage = Stage(actor, policies=msgspec.structs.replace(policies("restart"), breaker=never))
    for _ in range(300):
        with pytest.raises(ServerError):
            await stage.manager.generate("hi")
    assert 300 < actor.calls <= 330


async def test_where_nobody_reads_yet_the_answer_begins_anew_instead() -> None:
    actor = Actor([*said("Hel"), DOWN], WELL)
    answer = await Stage(actor, policies=policies()).manager.generate("hi")
    assert (answer.text, answer.attempts) == ("Hello", 2)


async def test_a_restart_is_marked_and_voids_what_came_before() -> None:
    actor = Actor([*said("Hel"), DOWN], [DOWN], WELL)
    stage = Stage(actor, policies=policies("restart"))
    stream = stage.manager.stream("hi")
    chunks = [chunk async for chunk in stream.chunks()]
    assert chunks == [*said("Hel"), Chunk(restarted=True), *WELL]
    assert (await stream.completion()).text == "Hello"
    assert stage.told.count("llm.restart") == 1
    assert stage.of("llm.restart")[0].data["void"] == 3


async def test_after_content_nothing_happens_where_that_is_wished() -> None:
    actor = Actor(by=repeats)
    with pytest.raises(ServerError) as caught:
        await Stage(actor, policies=policies("fail")).manager.generate("hi")
    assert (actor.calls, caught.value.partial_text) == (1, TEXT[:CUT])


async def test_a_call_may_wish_otherwise() -> None:
    actor = Actor(by=repeats)
    with pytest.raises(ServerError):
        await Stage(actor).manager.generate("hi", options=CallOptions(after_content="fail"))


async def test_a_complete_tool_call_is_kept_and_ends_the_turn() -> None:
    call = Chunk(tool_call=ToolCallDelta(0, "1", "add", '{"a": 1}'))
    actor = Actor([*said("Let me see. "), call, DOWN])
    answer = await Stage(actor, policies=policies()).manager.generate("hi")
    assert (answer.finish_reason, answer.text) == ("tool_call", "Let me see. ")
    assert [made.name for made in answer.tool_calls] == ["add"]
    assert answer.notices == ("The answer was cut off after it had asked for tools",)
    assert actor.calls == 1


@pytest.mark.parametrize("arguments", ["", '{"a": ', "{} x"])
async def test_an_open_tool_call_is_not_continued(arguments: str) -> None:
    call = Chunk(tool_call=ToolCallDelta(0, "1", "add", arguments))
    actor = Actor([*said(TEXT), call, DOWN])
    with pytest.raises(ServerError):
        await anyhow(Stage(actor, policies=policies()))
    assert actor.calls == 1


async def test_text_after_a_tool_call_is_not_continued() -> None:
    call = Chunk(tool_call=ToolCallDelta(0, "1", "add", "{}"))
    with pytest.raises(ServerError):
        await anyhow(Stage(Actor([call, *said(TEXT), DOWN]), policies=policies()))


async def test_thoughts_without_text_begin_anew() -> None:
    thought = Chunk(thinking=ThinkingPart("Hm"))
    actor = Actor([thought, DOWN], [thought, *WELL])
    stream = Stage(actor, policies=policies()).manager.stream("hi")
    assert [chunk async for chunk in stream.chunks()] == [thought, Chunk(restarted=True), thought, *WELL]
    assert (await stream.completion()).thinking == (ThinkingPart("Hm"),)


async def test_what_cannot_succeed_again_is_not_tried_again() -> None:
    actor = Actor([*said(TEXT), BadRequestError("No more")])
    with pytest.raises(BadRequestError):
        await Stage(actor, policies=policies("restart")).manager.generate("hi")
    assert actor.calls == 1


async def test_a_failure_after_the_terminal_marker_is_none() -> None:
    actor = Actor([*said("Hello"), STOP, ProviderConnectionError("Reset")])
    stage = Stage(actor)
    assert (await stage.manager.generate("hi")).text == "Hello"
    assert stage.manager.breakers.state("plain", "m") == "closed"


async def test_failed_attempts_are_counted_and_paid_for() -> None:
    begun = Chunk(usage=Usage(10, 0, 0, 1, 0))
    actor = Actor(
        [begun, DOWN], [begun, *said("Hel"), DOWN], [*said("Hello"), STOP, Chunk(usage=Usage(10, 0, 0, 2, 0))]
    )
    stage = Stage(actor)
    manager = LLMManager(
        [actor],
        default_model="plain:m",
        hooks=[stage.records],
        clock=stage.clock,
        price=_cents,
    )
    answer = await manager.generate("hi")
    assert (answer.text, answer.attempts, answer.usage) == ("Hello", 3, Usage(10, 0, 0, 2, 0))
    assert answer.cost == pytest.approx(0.01 * (11 + 11 + 12))
    wasted = stage.records.last()["wasted"]
    assert isinstance(wasted, dict)
    assert (wasted["input"], wasted["output"]) == (20, 2)


def _cents(provider: str, model: str, usage: Usage, tier: str | None) -> float | None:
    return None if usage.total is None else 0.01 * usage.total


def _unknown(provider: str, model: str, usage: Usage, tier: str | None) -> float | None:
    return None


async def test_an_unknown_price_is_none() -> None:
    actor = Actor(WELL)
    assert (await LLMManager([actor], default_model="plain", price=_unknown).generate("hi")).cost is None
    assert (await LLMManager([actor], default_model="plain").generate("hi")).cost is None


@pytest.mark.parametrize("where", range(4))
async def test_errors_carry_the_text_so_far_wherever_they_come(where: int) -> None:
    pieces = said("Hello, you")[:where]
    with pytest.raises(ProviderError) as caught:
        await anyhow(Stage(Actor([*pieces, AuthenticationError("No")]), policies=policies()))
    assert caught.value.partial_text == "".join(piece.text for piece in pieces if isinstance(piece, Chunk))


async def test_a_model_that_is_not_there_is_left_for_another() -> None:
    one, two = Actor([ModelNotFoundError("No such model")], name="one"), Actor([*said("Hello"), STOP], name="two")
    answer = await Stage(one, two).manager.generate("hi", model="all")
    assert (answer.text, answer.provider, one.calls) == ("Hello", "two", 1)


async def test_the_partial_text_is_all_that_was_given_on() -> None:
    def plays(request: Request, number: int) -> Script:
        if number == 0:
            return [*said(text[:CUT]), ServerError("Down", partial_text="Only")]
        anchor = request.messages[-1].text.rpartition("\n\n")[2]
        return [*said(anchor + text[CUT:400]), DOWN] if number == 1 else [DOWN]

    text = TEXT + "".join(f" Year {year} came and went." for year in range(1775, 1805))
    with pytest.raises(ServerError) as caught:
        await anyhow(Stage(Actor(by=plays), policies=policies()))
    assert caught.value.partial_text == text[:400]
