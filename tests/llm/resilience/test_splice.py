from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncGenerator, Callable

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from sentient_cli.errors import ProviderConnectionError, ProviderError, ServerError
from sentient_cli.llm import Chunk, LLMManager, Message, Parameters, Request, ToolCallDelta, Usage
from sentient_cli.llm.resilience.breaker import BreakerPolicy
from sentient_cli.llm.resilience.failover import FailoverPolicy
from sentient_cli.llm.resilience.policies import ResiliencePolicies
from sentient_cli.llm.resilience.retry import RetryPolicy
from sentient_cli.llm.resilience.splice import HOLD, LEAST, Splicer, anchor_of, continuation, find_cut, spliced
from tests.llm.resilience.actors import STOP, Actor, Script, said

TEXT = """\
# How tides work

The Moon pulls on the ocean that faces it a little more strongly than on the solid Earth below, and on the Earth a
little more strongly than on the ocean at the far side. So the water bulges towards the Moon and away from it at once,
and a place on the coast turns through both bulges in a little more than a day.

- A *spring tide* comes when Sun and Moon stand in one line, and both pull together.
- A *neap tide* comes a week later, when they pull at right angles and weaken each other.

## Why the times shift

The Moon goes on along its orbit while the Earth turns, so each day the coast has to turn about fifty minutes longer to
catch up with it. Friction with the sea floor drags the bulges ahead of the Moon; that slows the rotation of the Earth
by some two milliseconds a century, and lifts the Moon by nearly four centimetres a year. “It is a clock that runs
down,” as one astronomer put it, “but very slowly.”

```python
def minutes_later(days: int) -> float:
    return 50.47 * days  # about
```

In narrow bays, such as the Bay of Fundy, the natural swing of the water has nearly the period of the tide, and the
level rises by sixteen metres; in the Mediterranean, which is almost closed, by a hand's breadth only.
"""

SIZES = (2, 17, 60, 400)
Model = Callable[[str, str, random.Random], str]


def _asked(request: Request) -> str:
    said_before = request.messages[-2].text
    place = request.messages[-1].text.find(said_before[-12:].strip())
    assert place > 0, "the model is shown what it shall repeat"
    return request.messages[-1].text.partition("second time.\n\n")[2]


def repeats(anchor: str, rest: str, _: random.Random) -> str:
    return anchor + rest


def repeats_loosely(anchor: str, rest: str, chance: random.Random) -> str:
    return chance.choice(["\n", " ", "\n\n"]) + " ".join(anchor.split()) + rest


def repeats_after_a_word(anchor: str, rest: str, chance: random.Random) -> str:
    return chance.choice(["Sure, here is the rest:\n\n", "Continuing:\n", "Of course: "]) + anchor + rest


def forgets(_: str, rest: str, __: random.Random) -> str:
    return rest.lstrip()


def paraphrases(anchor: str, rest: str, chance: random.Random) -> str:
    words = anchor.split()
    words[chance.randrange(max(1, len(words) - 1))] = "indeed"
    return " ".join(words) + anchor[len(anchor.rstrip()) :] + rest


def quotes(anchor: str, rest: str, _: random.Random) -> str:
    return f'I stopped at "{anchor}" and go on: {rest}'


def fences(anchor: str, rest: str, _: random.Random) -> str:
    return f"```\n{anchor}{rest}\n```"


def chats(_: str, __: str, ___: random.Random) -> str:
    return (
        "I am sorry, but I cannot see what you mean. Could you say more about what you would like me to do here? " * 4
    )


def says_nothing(_: str, __: str, ___: random.Random) -> str:
    return ""


class Reader:
    """Reads answers that are cut off, from a model that goes on in its way."""

    def __init__(self, model: Model, seed: int, policies: ResiliencePolicies | None = None) -> None:
        self._model = model
        self.chance = random.Random(seed)
        self._cut = 0
        self._manager = LLMManager([Actor(by=self._play)], default_model="plain", policies=policies)

    def _play(self, request: Request, _: int) -> Script:
        if len(request.messages) == 1:
            return [*said(TEXT[: self._cut], size=self.chance.choice(SIZES)), ServerError("Cut off")]
        answer = self._model(_asked(request), TEXT[self._cut :], self.chance)
        return [*said(answer, size=self.chance.choice(SIZES)), STOP]

    async def read(self, cut: int) -> tuple[str, ProviderError | None]:
        self._cut = cut
        texts: list[str] = []
        try:
            async for text in self._manager.stream("How do tides work?"):
                texts.append(text)  # noqa: PERF401 - it may break off
        except ProviderError as error:
            return "".join(texts), error
        return "".join(texts), None


def _bare(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("cuts", [100, pytest.param(1000, marks=[pytest.mark.slow, pytest.mark.timeout(300)])])
@pytest.mark.parametrize("model", [repeats, repeats_loosely, repeats_after_a_word])
async def test_where_the_model_repeats_the_text_is_exact(model: Model, cuts: int) -> None:
    reader, outcomes = Reader(model, 5), Counter[str]()
    for _ in range(cuts):
        cut = reader.chance.randint(24, len(TEXT) - 1)
        text, error = await reader.read(cut)
        if error is not None:
            assert text == TEXT[:cut] == error.partial_text
        else:
            assert _bare(text) == _bare(TEXT)
            assert text == TEXT or model is repeats_loosely, "white space changes only where the model changes it"
        outcomes["exact" if text == TEXT else "refused"] += 1
    assert outcomes["exact"] >= 0.99 * cuts, outcomes


@pytest.mark.parametrize("cuts", [50, pytest.param(400, marks=[pytest.mark.slow, pytest.mark.timeout(300)])])
@pytest.mark.parametrize("model", [forgets, paraphrases, quotes, fences, chats, says_nothing])
async def test_where_it_does_not_there_is_never_a_wrong_text(model: Model, cuts: int) -> None:
    policies = ResiliencePolicies(
        retry=RetryPolicy(attempts=1),
        failover=FailoverPolicy(hops=1),
        breaker=BreakerPolicy(failures=10**9, minimum=10**9),
    )
    reader = Reader(model, 7, policies)
    for _ in range(cuts):
        cut = reader.chance.randint(1, len(TEXT) - 1)
        text, error = await reader.read(cut)
        if error is None:
            assert text == TEXT
        else:
            assert isinstance(error, ServerError)
            assert text == TEXT[:cut] == error.partial_text


@given(st.text(min_size=1, max_size=400), st.text(max_size=120), st.integers(1, 20), st.data())
def test_what_is_repeated_exactly_is_joined_exactly(partial: str, rest: str, size: int, data: st.DataObject) -> None:
    anchor = anchor_of(partial)
    if anchor is None:
        return
    assert partial.rstrip().endswith(anchor)
    gap = partial[len(partial.rstrip()) :]
    splicer, told = Splicer(partial, anchor), anchor + gap + rest
    joined = "".join(splicer.feed(told[place : place + size]) for place in range(0, len(told), size))
    end = splicer.finish()
    if end is None:
        assert not joined, "nothing was given on that is in doubt"
        event("in doubt")
    else:
        assert partial + joined + end == partial + rest


@given(st.text(max_size=300), st.text(max_size=300), st.integers(1, 20))
def test_nothing_is_taken_that_shares_too_little(partial: str, other: str, size: int) -> None:
    anchor = anchor_of(partial)
    if anchor is None:
        return
    assert len("".join(anchor.split())) >= LEAST
    cut = find_cut(partial, anchor, other, is_end=True)
    if cut is not None:
        assert "".join(anchor.split()) in "".join(other[:cut].split())


@pytest.mark.parametrize("partial", ["", "  \n", "Hi", "1234567", "ha " * 90, "-" * 300])
def test_some_texts_cannot_be_continued(partial: str) -> None:
    assert anchor_of(partial) is None


def test_an_anchor_that_occurs_twice_grows_until_it_does_not() -> None:
    line = "and so it goes on and on, day after day, year after year"
    partial = f"First {line}. Second {line}"
    anchor = anchor_of(partial)
    assert anchor is not None
    assert "Second" in anchor


def test_a_model_that_goes_back_further_is_understood() -> None:
    partial = "The Moon pulls on the ocean that faces it a little more strongly than on the solid Earth"
    anchor = anchor_of(partial)
    assert anchor is not None
    assert anchor != partial
    splicer = Splicer(partial, anchor)
    assert (splicer.feed(partial + " below"), splicer.finish()) == ("", " below")


def test_an_anchor_that_is_found_twice_is_no_place() -> None:
    partial = "It was the best of times, it was the worst of times"
    anchor = anchor_of(partial)
    assert anchor is not None
    assert find_cut(partial, anchor, f"As said:\n{anchor}, and again:\n{anchor}, then", is_end=True) is None


TALE = "It was the best of times, it was the worst of times, it was the age of wisdom"
ANCHOR = "worst of times, it was the age of wisdom"
REST = ", it was the age of foolishness. The end."


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("more", ["", " And so it went on, day after day." * 10])
@pytest.mark.parametrize(
    "told",
    [
        f"{ANCHOR}\n\n{ANCHOR}{REST}",
        f"{ANCHOR}...\n\n...{ANCHOR}{REST}",
        f"{ANCHOR}\n\n{TALE}{REST}",
        f"{TALE}\n\n{TALE}{REST}",
        f"{ANCHOR}...{REST}",
        f"{ANCHOR} \u2026{REST}",
        f'{ANCHOR}" it was the age of foolishness. The end.',
        f'{ANCHOR}"\n\n{REST}',
        f"{ANCHOR}\u201d{REST}",
        f"{ANCHOR}' {REST}",
        f"{ANCHOR}\n\n(continuing)\nit was the age of foolishness.",
        f"{ANCHOR} (continued){REST}",
        f"{ANCHOR}\n*(here is what was missing)*\n{REST}",
        f"{ANCHOR} [...]{REST}",
    ],
)
def test_what_casts_doubt_behind_the_anchor_is_refused(told: str, more: str, size: int) -> None:
    splicer, told = Splicer(TALE, ANCHOR), told + more
    assert not any(splicer.feed(told[place : place + size]) for place in range(0, len(told), size))
    assert splicer.is_refused or splicer.finish() is None


@pytest.mark.parametrize(
    ("partial", "rest"),
    [
        (TALE, " (of a kind), it was the age of foolishness."),
        (TALE, ' "and of belief", as he said'),
        (TALE, "'s many children"),
        (TALE, "\n\n(Or so they say, in London and in Paris.) It was the age of foolishness."),
        (f'He said: "{TALE}', '" and left'),
        (f"Er sagte: \u201e{TALE}", "\u201c und ging"),
        (f"{TALE} he said: ", '"and of foolishness"'),
        ("for name in read_all_the_names(", '"names.txt"): pass'),
        ('{"the name of the place": ', '"London"}'),
        (f"{TALE}.", ".. and of foolishness"),
        ("the name` of it, and more.\n\nThen you call `run_the_agent", "`, which returns at once"),
        ('script = parse_the_script_of_it(r""', '"\n[[rule]]\nmatch = 1'),
        ("The settings are those of all layers,", " `.env`; whether they are good, it says"),
        (f"{TALE}:\n\n", "[llm.budget]\ncall = 1"),
    ],
)
def test_what_goes_on_in_earnest_is_joined(partial: str, rest: str) -> None:
    anchor = anchor_of(partial)
    assert anchor is not None
    splicer = Splicer(partial, anchor)
    told = splicer.feed(anchor + partial[len(partial.rstrip()) :] + rest)
    assert told + (splicer.finish() or "") == rest


def test_no_more_than_240_characters_are_held_back() -> None:
    splicer = Splicer("It was the best of times", "It was the best of times")
    assert splicer.feed("x" * (HOLD - 1)) == ""
    early = splicer.is_refused
    assert splicer.feed("x") == ""
    assert (early, splicer.is_refused) == (False, True)
    splicer, rest = Splicer(TALE, ANCHOR), ", and so on" * 30
    assert splicer.feed(ANCHOR + rest[: HOLD - len(ANCHOR) - 1]) == ""
    assert splicer.feed("!") == rest[: HOLD - len(ANCHOR) - 1] + "!"


def test_the_request_for_the_rest_asks_for_no_more_than_the_whole() -> None:
    request = Request(model="m", messages=(Message.user("Tell me"),), parameters=Parameters(max_tokens=100), call="01J")
    asked = continuation(request, "x" * 200, "x" * 40, 2)
    assert asked.parameters.max_tokens == 70
    assert (asked.call, [message.role for message in asked.messages]) == ("01J-2", ["user", "assistant", "user"])
    assert asked.messages[-1].text.endswith("\n\n" + "x" * 40)


async def _chunks(*chunks: Chunk) -> AsyncGenerator[Chunk, None]:
    for chunk in chunks:
        yield chunk


PARTIAL = "It was the best of times"


async def test_other_pieces_pass_once_the_place_is_found() -> None:
    usage = Chunk(usage=Usage(1, 0, 0, 2, 0))
    call = Chunk(tool_call=ToolCallDelta(0, "1", "add", "{}"))
    rest = ", it was the worst of times" + ", and so on" * 30
    source = _chunks(usage, Chunk(PARTIAL), Chunk(rest), Chunk("!"), call, STOP)
    chunks = [chunk async for chunk in spliced(Chunk(model="m"), source, Splicer(PARTIAL, PARTIAL))]
    assert chunks == [usage, Chunk(rest), Chunk("!"), call, STOP]


@pytest.mark.parametrize("end", [STOP, Chunk(tool_call=ToolCallDelta(0, "1", "add", "{}"))])
async def test_an_end_before_the_place_is_refused(end: Chunk) -> None:
    source = _chunks(end)
    with pytest.raises(ProviderConnectionError, match="does not join"):
        _ = [chunk async for chunk in spliced(Chunk("It was"), source, Splicer(PARTIAL, PARTIAL))]
    with pytest.raises(StopAsyncIteration):
        await anext(source)


async def test_the_answer_may_have_been_complete_already() -> None:
    chunks = [chunk async for chunk in spliced(Chunk(PARTIAL), _chunks(STOP), Splicer(PARTIAL, PARTIAL))]
    assert chunks == [STOP]
