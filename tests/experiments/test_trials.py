"""Runs that take part: what their calls get, what their log is told, and what others see of it."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import msgspec
import pytest
from typing_extensions import override

from sentient_cli import Parameters, Query, Response, Session, StoreError, UsageError, experiments, llm
from sentient_cli.experiments.book import BATCH, OutcomeBook, read_batches, read_outcomes
from sentient_cli.experiments.guards import Guard
from sentient_cli.experiments.plan import Plan, Variant
from sentient_cli.experiments.standing import (
    Change,
    Standing,
    change_standing,
    read_standing,
    resumed,
    rolled_back,
    stopped,
)
from sentient_cli.llm.defaults import current_use
from sentient_cli.store.memory import MemoryStateStore
from sentient_cli.store.open import Stores, open_stores
from sentient_cli.store.ports import Row
from tests.experiments.trial_kit import TONE, answered, chats, drawing, outcome, told, trying


async def _ask(_session: Session, query: Query, response: Response) -> None:
    await response.stream_llm("ANSWER", llm.stream(query.prompt))


async def _fail(_session: Session, _query: Query, response: Response) -> None:
    if (use := current_use.get()) is not None and use.parameters.temperature == 0.9:
        await llm.generate("hi")
        raise ValueError("this variant does not work")
    await response.stream_llm("ANSWER", llm.stream("hi"))


async def test_calls_get_what_the_variant_has_and_the_log_is_told() -> None:
    async with trying(_ask, TONE) as host:
        (warm,), (control,) = drawing(TONE, "warm"), drawing(TONE, "control")
        for chat, variant, temperature in ((warm, "warm", 0.9), (control, "control", None), (warm, "warm", 0.9)):
            run = await answered(host, chat)
            (asked,) = told(run, "llm.request")
            assert asked["parameters"] == ({} if temperature is None else {"temperature": temperature})
            (exposed,) = told(run, "experiment.exposed")
            (ended,) = told(run, "experiment.outcome")
            assert (exposed["experiment"], exposed["variant"]) == ("tone", variant)
            assert (ended["variant"], ended["ending"], ended["failed"], ended["tokens"]) == (variant, "done", False, 2)
            assert chat not in f"{exposed}{ended}", "who it is stands in the log once, where it always did"
            types = [entry.type for entry in run.log.read(0, 1000)]
            assert types.index("experiment.exposed") < types.index("llm.finished")
            assert types[-1] == "run.finished"


async def test_a_call_and_a_session_win_over_an_experiment_whichever_was_said_first() -> None:
    async def stubborn(_session: Session, query: Query, response: Response) -> None:
        await response.stream_llm("ONE", llm.stream(query.prompt, parameters=Parameters(temperature=0.1)))
        with llm.use(parameters=Parameters(temperature=0.5)):
            await response.stream_llm("TWO", llm.stream(query.prompt))
            with llm.on_behalf_of("ann"):
                await response.stream_llm("THREE", llm.stream(query.prompt))
        with llm.on_behalf_of("ann"):
            await response.stream_llm("FOUR", llm.stream(query.prompt))

    plan = Plan(
        name="stops",
        by="user",
        variants={"control": Variant(), "b": Variant(weight=1e6, parameters=Parameters(stop=("!",), temperature=0.7))},
    )
    async with trying(stubborn, plan) as host:
        run = await answered(host, drawing(TONE, "warm")[0])
    asked = [each["parameters"] for each in told(run, "llm.request")]
    assert asked == [
        {"temperature": 0.1},
        {"temperature": 0.5},
        {"temperature": 0.5, "stop": ["!"]},
        {"temperature": 0.7, "stop": ["!"]},
    ]
    assert len(told(run, "experiment.exposed")) == len(told(run, "experiment.outcome")) == 1


async def test_a_user_keeps_the_variant_in_every_session() -> None:
    async def for_a_user(_session: Session, query: Query, response: Response) -> None:
        with llm.on_behalf_of(query.prompt):
            await response.stream_llm("ANSWER", llm.stream("hi"))
        await llm.generate("of nobody")

    plan = msgspec.structs.replace(TONE, by="user")
    users = {plan.variant_of(f"user-{number}"): f"user-{number}" for number in range(30)}
    async with trying(for_a_user, plan) as host:
        for variant in ("control", "warm"):
            runs = [await answered(host, chat, str(users[variant])) for chat in chats(3)]
            assert {str(each["variant"]) for run in runs for each in told(run, "experiment.exposed")} == {variant}
            assert len({str(each["unit"]) for run in runs for each in told(run, "experiment.exposed")}) == 1
            for run in runs:
                of_the_user, of_nobody = (each["parameters"] for each in told(run, "llm.request"))
                assert of_the_user == ({"temperature": 0.9} if variant == "warm" else {})
                assert of_nobody == {}


async def test_a_run_that_no_variant_can_have_changed_does_not_count() -> None:
    async def silent(_session: Session, _query: Query, response: Response) -> None:
        await response.text_block("ANSWER", "no model was asked")

    async with trying(silent, TONE) as host:
        run = await answered(host, chats(1)[0])
        assert not told(run, "experiment.exposed", "experiment.outcome")


async def test_an_agent_may_ask_for_its_variant_and_say_how_good_it_was() -> None:
    async def curious(_session: Session, _query: Query, response: Response) -> None:
        assert experiments.variant("other") is None
        await response.text_block("ANSWER", str(experiments.variant("tone")))
        experiments.score("helpful", 0.25)
        experiments.score("helpful", 1)
        with pytest.raises(UsageError):
            experiments.score("helpful", float("inf"))
        with pytest.raises(UsageError):
            experiments.score("so helpful", 1.0)

    stores = open_stores("memory")
    async with trying(curious, TONE, stores=stores) as host:
        run = await answered(host, drawing(TONE, "warm")[0])
        assert [each["value"] for each in told(run, "experiment.score")] == [0.25, 1.0]
        await host.experimenting.aclose()
        (batch,) = await read_batches(stores.state, "tone")
        assert [(each.variant, each.scores) for each in batch.outcomes] == [("warm", {"helpful": 1.0})]


async def test_a_run_may_be_scored_when_it_has_ended() -> None:
    async def judged(_session: Session, query: Query, response: Response) -> None:
        await response.stream_llm("ANSWER", llm.stream("hi"))
        run, _, value = query.prompt.partition(" ")
        if value:
            experiments.score("helpful", float(value), run=run)
            with pytest.raises(UsageError):
                experiments.score("helpful", 1.0, run="../NO")

    stores = open_stores("memory")
    async with trying(judged, TONE, stores=stores) as host:
        chat = drawing(TONE, "warm")[0]
        run = await answered(host, chat, "")
        runs = [await answered(host, chat, f"{run.id} {value}") for value in ("0.5", "1")]
        assert told(runs[-1], "experiment.score") == [{"name": "helpful", "value": 1.0, "run": run.id}]
        await host.experimenting.aclose()
        assert [each.scores for each in await read_outcomes(stores.state, "tone")] == [{"helpful": 1.0}, {}, {}]


async def test_a_variant_that_fails_is_stopped_and_stays_so_in_the_next_process(tmp_path: Path) -> None:
    plan = msgspec.structs.replace(TONE, guard=Guard(max_error_rate=0.1, min_runs=5))
    chosen = drawing(plan, "warm", 8)
    async with trying(_fail, plan, stores=open_stores(f"sqlite:{tmp_path / 'runs.db'}")) as host:
        runs = [await answered(host, chat) for chat in chosen]
    assert [run.outcome for run in runs] == ["error"] * 5 + ["done"] * 3
    assert not told(runs[5], "experiment.exposed"), "what was stopped does not count as control"
    async with trying(_fail, plan, stores=open_stores(f"sqlite:{tmp_path / 'runs.db'}")) as host:
        assert (await answered(host, chosen[0])).outcome == "done"
        counted = await answered(host, drawing(plan, "control")[0])
        assert told(counted, "experiment.exposed"), "the rest of the experiment goes on"


async def test_a_variant_that_costs_too_much_is_stopped() -> None:
    async def wordy(_session: Session, _query: Query, response: Response) -> None:
        use = current_use.get()
        is_warm = use is not None and use.parameters.temperature == 0.9
        await response.stream_llm("ANSWER", llm.stream("word " * (40 if is_warm else 4)))

    plan = msgspec.structs.replace(TONE, guard=Guard(max_cost=0.05, min_runs=5))
    stores = open_stores("memory")
    async with trying(wordy, plan, stores=stores, price=0.001) as host:
        for chat in (*drawing(plan, "control", 6), *drawing(plan, "warm", 7)):
            await answered(host, chat)
        await host.experimenting.aclose()
        standing, _ = await read_standing(stores.state, "tone")
        assert set(standing.stopped) == {"warm"}
        assert standing.stopped["warm"].why.startswith("5 runs cost $0.")
        assert standing.stopped["warm"].why.endswith("on average, and $0.05 is allowed")


async def test_a_roll_back_ends_the_whole_experiment() -> None:
    plan = msgspec.structs.replace(TONE, guard=Guard(max_error_rate=0.1, min_runs=5), rolls_back=True)
    stores = open_stores("memory")
    async with trying(_fail, plan, stores=stores) as host:
        for chat in drawing(plan, "warm", 5):
            await answered(host, chat)
        for variant in ("warm", "control"):
            run = await answered(host, drawing(plan, variant)[0])
            assert run.outcome == "done"
            assert not told(run, "experiment.exposed")
        await host.experimenting.aclose()
        standing, _ = await read_standing(stores.state, "tone")
        assert standing.ended is not None
        assert (standing.ended.kind, standing.ended.by, standing.ended.variant) == ("rollback", "guard", "warm")


async def test_variants_that_are_something_else_begin_anew() -> None:
    plan = msgspec.structs.replace(TONE, guard=Guard(max_error_rate=0.1, min_runs=5))
    chosen = drawing(plan, "warm", 5)
    async with trying(_fail, plan) as host:
        for chat in chosen:
            await answered(host, chat)
        mended = msgspec.structs.replace(
            plan, variants={**plan.variants, "warm": Variant(parameters=Parameters(temperature=0.8))}
        )
        host.experimenting.take([mended])
        run = await answered(host, chosen[0])
        assert run.outcome == "done"
        assert told(run, "experiment.exposed")[0]["revision"] != plan.revision


async def test_the_guard_counts_the_runs_of_all_processes(tmp_path: Path) -> None:
    plan = msgspec.structs.replace(TONE, guard=Guard(max_error_rate=0.1, min_runs=6))
    chosen = drawing(plan, "warm", 8)
    url = f"sqlite:{tmp_path / 'runs.db'}"
    async with trying(_fail, plan, stores=open_stores(url)) as one:
        for chat in chosen[:3]:
            await answered(one, chat)
    async with trying(_fail, plan, stores=open_stores(url)) as other:
        runs = [await answered(other, chat) for chat in chosen[3:]]
    assert [run.outcome for run in runs] == ["error"] * 3 + ["done"] * 2


class _Broken(MemoryStateStore):
    """A store that fails while it is told to."""

    fails = False

    @override
    async def get(self, key: str) -> Row | None:
        self._fail()
        return await super().get(key)

    @override
    async def put(self, key: str, value: bytes, *, expected: int, at: int = 0) -> int:
        version = await super().put(key, value, expected=expected, at=at)
        self._fail()  # it is kept nevertheless
        return version

    def _fail(self) -> None:
        if self.fails:
            raise StoreError("The disk is full")


async def test_a_store_that_fails_harms_no_run_and_what_it_missed_is_kept_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = _Broken()
    async with trying(_ask, TONE, stores=Stores(open_stores("memory").events, store)) as host:
        chosen = drawing(TONE, "warm", 3)
        store.fails = True
        untried = await answered(host, chosen[0])
        assert untried.outcome == "done"
        assert not told(untried, "experiment.exposed"), "nobody knows whether it was stopped"
        assert [record.message for record in caplog.records if "experiments cannot be" in record.message] != []
        store.fails = False
        host.experimenting.take([TONE])  # and look again
        assert told(await answered(host, chosen[1]), "experiment.exposed")
        store.fails = True
        await host.experimenting.aclose()
        store.fails = False
        await host.experimenting.aclose()
        assert len(await read_outcomes(store, "tone")) == 1


@pytest.mark.parametrize("change", [{"starts": 2**62}, {"ends": 1}, {"share": 0.0}])
async def test_outside_of_its_time_and_share_nothing_is_tried(change: dict[str, float]) -> None:
    async with trying(_ask, msgspec.structs.replace(TONE, **change)) as host:
        run = await answered(host, drawing(TONE, "warm")[0])
        assert told(run, "llm.request")[0]["parameters"] == {}
        assert not told(run, "experiment.exposed", "experiment.outcome")


async def test_without_experiments_nothing_is_kept() -> None:
    stores = open_stores("memory")
    async with trying(_ask, stores=stores) as host:
        run = await answered(host, chats(1)[0])
        assert told(run, "llm.request")[0]["parameters"] == {}
        assert await stores.state.kept("experiments/") == []


# -- what is kept ------------------------------------------------------------------------------------------------------


async def test_outcomes_are_kept_in_rows_of_bounded_size_and_read_as_they_were() -> None:
    store = MemoryStateStore()
    one, other = OutcomeBook(store, "a"), OutcomeBook(store, "b")
    written = [outcome("warm", number, helpful=0.5) for number in range(2 * BATCH + 10)]
    for number, each in enumerate(written):
        one.add("tone", each)
        if number % 100 == 0:
            await one.flush()
    other.add("tone", outcome("control", 9_999))
    other.add("tone-2", outcome("control", 1))
    await asyncio.gather(one.flush(), other.flush(), one.flush())
    batches = await read_batches(store, "tone")
    assert [len(batch.outcomes) for batch in batches] == [BATCH, BATCH, 10, 1]
    assert [each for batch in batches[:3] for each in batch.outcomes] == written
    assert await read_batches(store, "tone", {batch.key: batch.version for batch in batches}) == []


def _with(change: Change, found: Standing) -> Standing:
    return stopped(found, change)


async def test_several_change_where_an_experiment_stands_and_nothing_is_lost() -> None:
    store = MemoryStateStore()
    kinds = [Change("stop", number, "guard", "too dear", f"variant-{number}") for number in range(6)]
    await asyncio.gather(*(change_standing(store, "tone", "a1", partial(_with, each)) for each in kinds))
    standing, _ = await read_standing(store, "tone")
    assert set(standing.stopped) == {each.variant for each in kinds}
    assert not (await change_standing(store, "tone", "a1", lambda found: stopped(found, kinds[0]))).is_ours
    await change_standing(store, "tone", "a1", lambda found: rolled_back(found, Change("rollback", 7, "ann", "enough")))
    assert (await read_standing(store, "tone"))[0].ended is not None
    again = Change("resume", 8, "ann", "mended")
    await change_standing(store, "tone", "a1", lambda found: resumed(found, again, {}))
    standing, _ = await read_standing(store, "tone")
    assert (standing.ended, standing.stopped, len(standing.history)) == (None, {}, 8)
    assert standing.of("b2").history == standing.history
