"""Who answers: those who can, of those who are well, by the policy; and why is on record."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator

import pytest

from sentient_cli.errors import (
    BadRequestError,
    CircuitOpenError,
    ContextLengthExceededError,
    CredentialNotFoundError,
    ModelNotFoundError,
    ProviderConnectionError,
    ProviderError,
)
from sentient_cli.llm import Chunk, ImagePart, LLMManager, Message, OutputSpec, Parameters, Request, TextPart, Usage
from sentient_cli.llm.call import Call
from sentient_cli.llm.hooks import CallRecord
from sentient_cli.llm.models.prices import PriceBook
from sentient_cli.llm.providers.factory import provider_factory
from sentient_cli.llm.resilience.targets import Target
from sentient_cli.llm.selection.observed import Observed, Observing
from sentient_cli.llm.selection.policies import (
    Asked,
    Cheapest,
    Complexity,
    LeastBusy,
    LeastLatency,
    Own,
    Policy,
    RoundRobin,
    Sticky,
    Weighted,
)
from sentient_cli.llm.selection.selector import Selector
from tests.llm.resilience.actors import Actor
from tests.llm.selection.selection_kit import a_book, a_call, a_request, a_target

PICTURE = Request(model="m", messages=(Message.user((ImagePart(url="https://example.org/a.png"), TextPart("What?"))),))
A, B, C = (a_target(name, tools=True) for name in "abc")


def _first(policy: Policy | None = None, *, request: Request | None = None, call: Call | None = None) -> str:
    choice = Selector(policy)(request or a_request(), call or a_call(), (A, B, C))
    return choice.targets[0].provider.provider_id


def test_who_cannot_is_left_out_with_the_reason() -> None:
    blind, seeing = a_target("blind"), a_target("seeing", images=True)
    choice = Selector()(PICTURE, a_call(), (blind, seeing))
    assert choice.targets == (seeing,)
    assert choice.reasons == {"left_out": {"blind:m": "cannot read images"}}


def test_who_does_not_obey_system_messages_is_not_given_any() -> None:
    deaf, plain = a_target("deaf", system_prompts=False), a_target("plain")
    asked = Request(model="m", messages=(Message.system("Be brief."), Message.user("Hi")))
    choice = Selector()(asked, a_call(), (deaf, plain))
    assert choice.targets == (plain,)
    assert choice.reasons == {"left_out": {"deaf:m": "does not obey system messages"}}
    assert Selector()(a_request(), a_call(), (deaf, plain)).targets == (deaf, plain)


def test_an_answer_as_a_whole_is_said() -> None:
    call = a_call()
    Selector()(a_request(), call, (a_target("whole", streaming=False),))
    assert call.notices == ["whole:m gives its answers as a whole, not piece by piece"]


def test_what_is_known_of_a_model_counts_more_than_its_provider() -> None:
    old, new = a_target("openai", "o1-mini", images=True), a_target("openai", "gpt-5", images=True)
    assert Selector()(PICTURE, a_call(), (old, new)).targets == (new,)
    renamed = a_target("work", "o1-mini", images=True)
    assert Selector(kinds={"work": "openai"})(PICTURE, a_call(), (renamed, new)).targets == (new,)


def test_nobody_can() -> None:
    with pytest.raises(BadRequestError) as caught:
        Selector()(a_request(tools=True), a_call(), (a_target("a"), a_target("b")))
    assert caught.value.why == "a:m cannot ask for tools; b:m cannot ask for tools"


def test_a_form_of_answer_needs_that_or_tools() -> None:
    request = Request(model="m", messages=(Message.user("x"),), output=OutputSpec("City", {"type": "object"}))
    able = a_target("a", structured_output=True), a_target("b", tools=True)
    assert Selector()(request, a_call(), (*able, a_target("c"))).targets == able


def test_tools_that_may_not_be_asked_for_need_no_ability() -> None:
    request = a_request(tools=True)
    request = Request(
        model="m", messages=request.messages, tools=request.tools, parameters=Parameters(tool_choice="none")
    )
    assert len(Selector()(request, a_call(), (a_target("a"), a_target("b"))).targets) == 2


def test_length() -> None:
    small, large = a_target("small", max_input_tokens=100), a_target("large", max_input_tokens=10_000)
    long = a_request("word " * 400)
    assert Selector()(long, a_call(), (small, large)).targets == (large,)
    with pytest.raises(ContextLengthExceededError, match=r"takes 100 tokens, and this has about 504") as caught:
        Selector()(long, a_call(), (small, a_target("smaller", max_input_tokens=50)))
    assert (caught.value.tokens, caught.value.limit) == (504, 100)
    close = a_request("word " * 120)  # about 154: our estimate, and not far off
    assert Selector()(close, a_call(), (small,)).targets == (small,)
    short = a_target("short", max_output_tokens=10)
    with pytest.raises(BadRequestError, match="at most 10 tokens"):
        Selector()(a_request(max_tokens=20), a_call(), (short,))


def test_who_has_no_key_is_left_out_and_named_when_nobody_else_is_there() -> None:
    keyless = Target(provider_factory("groq", None, {}), "m")
    assert Selector()(a_request(), a_call(), (keyless, A)).targets == (A,)
    with pytest.raises(CredentialNotFoundError, match="GROQ_API_KEY"):
        Selector()(a_request(), a_call(), (keyless,))


def test_who_is_not_well_comes_last_and_is_still_there() -> None:
    selector = Selector(healthy=lambda target: target is not A)
    choice = selector(a_request(), a_call(), (A, B, C))
    assert choice.targets == (B, C, A)
    assert choice.reasons == {"for": {"a:m": "named first"}, "unwell": ["a:m"]}
    selector.healthy = lambda target: False
    assert selector(a_request(), a_call(), (A, B)).targets == (A, B)


def test_what_one_falls_back_on_stays_last() -> None:
    lesser = a_target("lesser", degraded="the others failed")
    policy = Cheapest(a_book(lesser=0.01, a=1, b=2), Observed())
    assert Selector(policy)(a_request(), a_call(), (B, A, lesser)).targets == (A, B, lesser)


def test_round_robin() -> None:
    policy = RoundRobin()
    assert [_first(policy) for _ in range(6)] == ["a", "b", "c"] * 2


def test_weights_are_kept_smoothly() -> None:
    policy = Weighted({"a": 3, "b:m": 2})
    seen = [_first(policy) for _ in range(60)]
    assert Counter(seen) == {"a": 30, "b": 20, "c": 10}
    assert "aaa" not in "".join(seen)


def test_the_quickest_and_who_was_never_asked() -> None:
    observed = Observed()
    for name, seconds in (("a:m", 0.9), ("b:m", 0.2)):
        observed.of(name).begun(seconds)
    policy = LeastLatency(observed)
    assert _first(policy) == "c"
    observed.of("c:m").begun(0.5)
    assert _first(policy) == "b"
    for _ in range(20):
        observed.of("b:m").begun(2.0)
    assert _first(policy) == "c"


def test_who_failed_of_late_comes_after_those_that_did_not() -> None:
    observed = Observed()
    for name, seconds in (("a:m", 0.1), ("b:m", 0.9), ("c:m", 0.5)):
        observed.of(name).begun(seconds)
    observed.of("a:m").failures = 1
    choice = Selector(LeastLatency(observed))(a_request(), a_call(), (A, B, C))
    assert [target.provider.provider_id for target in choice.targets] == ["c", "b", "a"]
    assert choice.reasons == {
        "for": {
            "a:m": "failed the last time",
            "b:m": "900 ms to the first token",
            "c:m": "500 ms to the first token",
        }
    }


@pytest.mark.parametrize("failures", [0, 1])
def test_who_was_slow_or_failed_is_asked_again_after_a_minute_once(failures: int) -> None:
    now = 0.0
    observed = Observed(lambda: now)
    for name, seconds in (("a:m", 5.0), ("b:m", 0.9), ("c:m", 0.5)):
        observed.of(name).begun(seconds)
        observed.of(name).at = 0.0
    observed.of("a:m").failures = failures
    policy = LeastLatency(observed)
    now = 59.0
    assert _first(policy) == "c"
    observed.of("b:m").at = observed.of("c:m").at = now
    now = 60.0
    choice = Selector(policy)(a_request(), a_call(), (A, B, C))
    assert [target.provider.provider_id for target in choice.targets] == ["a", "c", "b"]
    told = choice.reasons["for"] if choice.reasons else None
    assert isinstance(told, dict)
    assert str(told["a:m"]).endswith(", more than a minute ago")
    assert _first(policy) == "c", "one call finds out, and not all that come meanwhile"


@pytest.mark.parametrize(
    ("error", "failures"),
    [
        (ModelNotFoundError("Gone"), 1),
        (ProviderConnectionError("Reset"), 1),
        (BadRequestError("What?"), 0),
        (CircuitOpenError("It rests"), 0),
        (None, 0),
    ],
)
def test_what_counts_as_a_failure_of_a_model(error: ProviderError | None, failures: int) -> None:
    """What is wrong with the request says nothing of the model, and an answer makes good what was before."""

    class Fails:
        async def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
            del request, call
            yield Chunk("Hi")
            if error is not None:
                raise error

    observed, call = Observed(), a_call()
    call.provider = "a"
    observed.of("a:m").failures = 0 if error else 3

    async def main() -> None:
        with contextlib.suppress(ProviderError):
            [chunk async for chunk in Observing(Fails(), observed).stream(a_request(), call)]

    asyncio.run(main())
    assert observed.of("a:m").failures == failures


def test_a_model_that_is_gone_is_not_asked_first_again() -> None:
    """It never answers, so it was never slow."""
    gone = Actor([ModelNotFoundError("Gone")], name="gone")
    well = Actor([Chunk("Hi"), Chunk(finish_reason="stop")], name="well")
    observed = Observed()
    manager = LLMManager(
        [gone, well],
        groups={"all": ["gone:m", "well:m"]},
        choose=Selector(LeastLatency(observed)),
        around_attempts=[lambda inner: Observing(inner, observed)],
    )
    answers = [asyncio.run(manager.generate("Hello", model="all")).provider for _ in range(5)]
    assert (answers, gone.calls) == (["well"] * 5, 1)


def test_the_least_busy() -> None:
    observed = Observed()
    observed.of("a:m").active = 2
    observed.of("b:m").active = 1
    assert _first(LeastBusy(observed)) == "c"


def test_the_cheapest_by_prices_and_the_answers_it_gives() -> None:
    observed = Observed()
    policy = Cheapest(a_book(a=2, b=1), observed)
    choice = Selector(policy)(a_request(), a_call(), (C, A, B))
    assert [target.provider.provider_id for target in choice.targets] == ["b", "a", "c"]
    assert choice.reasons == {
        "for": {"a:m": "about $0.001034", "b:m": "about $0.000517", "c:m": "its price is not known"}
    }
    for _ in range(50):
        observed.of("b:m").ended(5000)  # it talks too much
    assert _first(policy) == "a"
    assert _first(policy, request=a_request(max_tokens=10)) == "b"


def test_prices_that_were_not_read_yet_are_fetched_meanwhile() -> None:
    async def main() -> str:
        book = PriceBook(kinds={"work": "openai"})
        selector = Selector(Cheapest(book, Observed()))
        targets = a_target("work", "gpt-5.5"), a_target("work", "gpt-5.4-nano")
        selector(a_request(), a_call(), targets)
        for target in targets:
            await book.ready("work", target.model)
        return selector(a_request(), a_call(), targets).targets[0].model

    assert asyncio.run(main()) == "gpt-5.4-nano"


@pytest.mark.parametrize(
    ("request_", "first"),
    [
        (a_request("What is 2 + 2?"), "b"),
        (a_request("word " * 1000), "a"),
        (a_request("Hi", tools=True), "a"),
        (Request(model="m", messages=(Message.user("Hi"),), parameters=Parameters(effort="high")), "a"),
        (Request(model="m", messages=(Message.user("Hi"),) * 5), "a"),
    ],
)
def test_easy_requests_go_to_the_cheap_model(request_: Request, first: str) -> None:
    policy = Complexity(Cheapest(a_book(a=9, b=1, c=2), Observed()))
    assert _first(policy, request=request_) == first


def test_a_rule_of_ones_own() -> None:
    policy = Complexity(Cheapest(a_book(a=9, b=1, c=2), Observed()), rule=lambda asked: asked.needs.tokens > 100)
    assert _first(policy) == "a"
    assert _first(policy, request=a_request("word " * 200)) == "b"


def test_a_session_stays_and_sessions_are_spread() -> None:
    firsts = {f"s{number}": _first(Sticky(), call=a_call(f"s{number}")) for number in range(300)}
    assert all(_first(Sticky(), call=a_call(session)) == first for session, first in firsts.items())
    assert min(Counter(firsts.values()).values()) > 70
    without_c = {s: Selector(Sticky())(a_request(), a_call(s), (A, B)).targets[0].provider.provider_id for s in firsts}
    assert all(without_c[session] == first for session, first in firsts.items() if first != "c")
    assert _first(Sticky()) == "a"


def test_ones_own_order() -> None:
    def last_first(asked: Asked, targets: object) -> list[Target]:
        del asked, targets
        return [C]

    choice = Selector(Own(last_first, name="mine"))(a_request(), a_call(), (A, B, C))
    assert (choice.targets, choice.policy) == ((C,), "mine")
    with pytest.raises(BadRequestError, match="left out by the policy"):
        Selector(Own(lambda asked, targets: []))(a_request(), a_call(), (A, B))


class _Slow:
    def __init__(self, clock: list[float]) -> None:
        self.clock = clock

    async def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        del request, call
        self.clock[0] += 0.25
        yield Chunk("Hi")
        yield Chunk(usage=Usage(input=1, output=40))
        if self.clock[0] > 100:
            raise ProviderConnectionError("It broke")
        yield Chunk(finish_reason="stop")


def test_what_is_observed() -> None:
    clock = [0.0]
    observed = Observed(lambda: clock[0])
    observing = Observing(_Slow(clock), observed)

    async def main() -> None:
        call = a_call()
        call.provider = "a"
        stream = observing.stream(a_request(), call)
        await anext(stream)
        assert observed.of("a:m").active == 1
        await stream.aclose()
        clock[0] = 200.0
        with pytest.raises(ProviderConnectionError):
            [chunk async for chunk in observing.stream(a_request(), call)]

    asyncio.run(main())
    seen = observed.of("a:m")
    assert (seen.active, seen.first_token, seen.output) == (0, 0.25, 40.0)


def test_the_choice_is_on_record() -> None:
    records: list[CallRecord] = []

    class Hook:
        def on_record(self, record: CallRecord) -> None:
            records.append(record)

    manager = LLMManager(
        [A.provider, B.provider],
        default_model="a:echo",
        groups={"all": ("a:echo", "b:echo")},
        choose=Selector(RoundRobin()),
        hooks=[Hook()],
    )
    answers = [asyncio.run(manager.generate("Hello")).provider for _ in range(2)]
    assert answers == ["a", "b"]
    told = [record.data for record in records if record.kind == "llm.selection"]
    assert told[1] == {
        "targets": ["b:echo", "a:echo"],
        "policy": "round-robin",
        "reasons": {"for": {"b:echo": "its turn"}},
    }
