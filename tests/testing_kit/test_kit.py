"""The public testing kit, used as an author of agents uses it."""

from __future__ import annotations

import asyncio
import logging
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli import Agent, Query, Response, ResponseClosedError, RunError, Session, UsageError, agent, llm
from sentient_cli import testing as kit
from sentient_cli.errors import (
    AgentImportError,
    AgentLoadError,
    AgentSignatureError,
    BadRequestError,
    InvalidEventError,
    RateLimitError,
    SentientError,
)
from sentient_cli.llm.offline.script import Failure, Rule, Script
from sentient_cli.runtime.events import DoneEvent, TextBlockEvent, encode_event
from sentient_cli.testing import (
    FixedClock,
    RecordingResponse,
    SequentialIds,
    make_session,
    run_agent,
    run_agent_sync,
    scripted_llm,
)
from sentient_cli.testing.running import Testable


@agent
async def talker(session: Session, query: Query, response: Response) -> None:
    await response.text_block("PLAN", "think")
    await response.json("DATA", {"prompt": query.prompt, "turns": [turn.answer() for turn in session.interactions]})
    async with response.stream("ANSWER") as out:
        await out.write("Hello, ")
        await out.write(query.prompt)
    await response.error("careful", 503)


async def model_user(session: Session, query: Query, response: Response) -> None:
    await response.stream_llm("ANSWER", llm.stream(query.prompt))


async def test_everything_that_happened_is_there() -> None:
    run = await run_agent(talker, "Ann", session=make_session([("hi", "hello")]))
    assert run.raise_for_outcome() is run
    assert run.names == ("PLAN", "DATA", "ANSWER", "error")
    assert run.text() == run.text("ANSWER") == "Hello, Ann"
    assert [block.content for block in run.blocks] == ["think"]
    assert run.json("DATA") == {"prompt": "Ann", "turns": ["hello"]}
    assert [(error.error_message, error.error_code) for error in run.errors] == [("careful", 503)]
    assert isinstance(run.events[-1], DoneEvent)
    assert [run.entries[0].type, run.entries[-1].type] == ["run.started", "run.finished"]
    assert (run.outcome, run.failure, run.prompt) == ("done", None, "Ann")


class Named:
    """As agents of the public framework are: they take their name."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def assist(self, session: Session, query: Query, response: Response) -> None:
        await response.respond("ANSWER", f"{self.name}: {query.prompt}")


class Two(Named):
    def __init__(self, name: str, other: int) -> None:
        super().__init__(name * other)


class Broken(Named):
    def __init__(self) -> None:
        super().__init__("")
        raise ValueError("no luck")


def plain(session: Session, query: Query, response: Response) -> None:
    pass


async def short(session: Session) -> None:
    pass


def test_what_is_served_can_be_tested() -> None:
    made: list[object] = [Named, Named("Named"), Named("Named").assist]
    assert [run_agent_sync(cast("Testable", each), "hi").text() for each in made] == ["Named: hi"] * 3


@pytest.mark.parametrize(
    ("value", "kind", "said"),
    [
        (plain, AgentSignatureError, "plain is not async"),
        (short, AgentSignatureError, "short does not take a session, a query and a response"),
        (Two, AgentLoadError, "Its constructor needs name, other"),
        (Broken, AgentImportError, "ValueError: no luck"),
        (object(), AgentSignatureError, "object in the test is no agent"),
        ("agent.py", AgentSignatureError, "str in the test is no agent"),
    ],
)
def test_what_is_no_agent_is_refused_as_when_it_is_served(value: object, kind: type[SentientError], said: str) -> None:
    with pytest.raises(kind, match=said) as caught:
        run_agent_sync(cast("Testable", value), "hi")
    assert said in str(caught.value)


@pytest.mark.slow
@given(st.text(max_size=20))
def test_the_same_run_is_the_same_to_the_byte(prompt: str) -> None:
    first, second = run_agent_sync(talker, prompt), run_agent_sync(talker, prompt)
    assert [encode_event(event) for event in first.events] == [encode_event(event) for event in second.events]
    assert [entry.data for entry in first.entries] == [entry.data for entry in second.entries]


async def test_a_json_event_must_be_the_only_one() -> None:
    run = await run_agent(talker, "Ann")
    with pytest.raises(LookupError, match="names: PLAN, DATA"):
        run.json("OTHER")


async def test_further_turns_can_be_given() -> None:
    turns = make_session([("one", "1"), ("two", "2")]).interactions
    run = await run_agent(talker, "x", interactions=turns)
    assert run.json("DATA")["turns"] == ["1", "2"]


async def test_what_the_agent_raises_is_in_the_result(caplog: pytest.LogCaptureFixture) -> None:
    async def failing(session: Session, query: Query, response: Response) -> None:
        raise ValueError(query.prompt)

    with caplog.at_level(logging.CRITICAL):
        run = await run_agent(failing, "no")
    assert run.outcome == "error"
    assert isinstance(run.failure, ValueError)
    assert run.errors[0].error_code == 500
    with pytest.raises(ValueError, match="no"):
        run.raise_for_outcome()


async def test_an_agent_that_does_not_end_reaches_its_deadline() -> None:
    async def waiting(session: Session, query: Query, response: Response) -> None:
        await asyncio.Event().wait()

    run = await run_agent(waiting, "hi", deadline=0.01)
    assert run.outcome == "deadline"
    with pytest.raises(RunError, match="'deadline'"):
        run.raise_for_outcome()


async def test_an_agent_is_set_up_and_closed() -> None:
    steps: list[str] = []

    class Steps(Agent):
        async def setup(self) -> None:
            steps.append("setup")

        async def assist(self, session: Session, query: Query, response: Response) -> None:
            steps.append("assist")

        async def aclose(self) -> None:
            steps.append("close")

    await run_agent(Steps, "hi")
    await run_agent(Steps(), "hi")
    assert steps == ["setup", "assist", "close"] * 2


async def test_prints_become_entries_when_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    async def printing(session: Session, query: Query, response: Response) -> None:
        print("said")  # noqa: T201 - what the test is about

    quiet = await run_agent(printing, "hi")
    loud = await run_agent(printing, "hi", capture=True)
    assert [sum(entry.type == "log" for entry in run.entries) for run in (quiet, loud)] == [0, 1]
    assert capsys.readouterr().out == "said\nsaid\n"


async def test_a_running_loop_is_told_what_to_write() -> None:
    with pytest.raises(UsageError, match="await run_agent"):
        run_agent_sync(talker, "hi")


# -- models ----------------------------------------------------------------------------------------------------------


async def test_a_model_says_what_it_is_told() -> None:
    llm = scripted_llm({"weather": "It rains ${1} $5.", "(?i)hello": "Hi!"})
    run = await run_agent(model_user, "What is the weather?", llm=llm)
    assert run.text() == "It rains ${1} $5."
    assert "llm.request" in {entry.type for entry in run.entries}
    assert (await run_agent(model_user, "Hello", llm=llm)).text() == "Hi!"


async def test_a_model_without_an_answer_fails() -> None:
    run = await run_agent(model_user, "What?", llm=scripted_llm({}))
    assert isinstance(run.failure, BadRequestError)
    assert (await run_agent(model_user, "What?", llm=scripted_llm({}, fallback="echo"))).text() == "What?"


async def test_a_whole_script_can_be_given() -> None:
    script = Script(rule=(Rule(fail=Failure(kind="rate_limit")),))
    run = await run_agent(model_user, "hi", llm=scripted_llm(script))
    assert isinstance(run.failure, RateLimitError)


async def test_without_a_model_there_is_the_offline_one() -> None:
    assert "5" in (await run_agent(model_user, "What is 2 + 3?")).text()


# -- response, clock, ids --------------------------------------------------------------------------------------------


async def test_a_recording_response_remembers() -> None:
    response = RecordingResponse("me")
    await response.text_block("PLAN", "think")
    with pytest.raises(InvalidEventError):
        await response.json("DATA", {"x": object()})
    await response.complete()
    with pytest.raises(ResponseClosedError):
        await response.text_block("LATE", "x")
    assert isinstance(response.events[0], TextBlockEvent)
    assert isinstance(response.events[-1], DoneEvent)
    assert {event.source for event in response.events} == {"me"}
    assert response.text() == "think"


async def test_time_stands_still_until_somebody_sleeps() -> None:
    clock = FixedClock(10)
    assert clock.now_ns() == clock.now_ns() == 10_000_000_000
    await clock.sleep(2.5)
    assert clock.now_ns() == 12_500_000_000


@pytest.mark.slow
@given(st.integers(1, 2000))
def test_sequential_ids_increase(count: int) -> None:
    ids = SequentialIds()
    made = [ids.ulid() for _ in range(count)]
    assert made == sorted(set(made))


def test_unknown_names_are_unknown() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = getattr(kit, "nothing")  # noqa: B009 - no type knows it
