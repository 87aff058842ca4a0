"""What the tests of experiments share: outcomes, plans, hosts with experiments, and questions of many sessions."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec

from sentient_cli.clock import SystemClock, SystemIds, Ulid
from sentient_cli.experiments.outcomes import Ending, Outcome
from sentient_cli.experiments.plan import Plan, Variant
from sentient_cli.host import Host
from sentient_cli.host.calls import RunCallHook
from sentient_cli.llm import LLMManager, OfflineProvider, Parameters
from sentient_cli.runtime.agent import AssistFunction, FunctionAgent
from sentient_cli.runtime.request import RunRequest
from sentient_cli.runtime.run import Run
from sentient_cli.store.open import Stores, open_stores

WARM = Parameters(temperature=0.9)
TONE = Plan(name="tone", variants={"control": Variant(), "warm": Variant(parameters=WARM)})


def outcome(
    variant: str,
    number: int = 0,
    *,
    unit: str | None = None,
    plan: Plan = TONE,
    ending: Ending = "done",
    failed_calls: int = 0,
    seconds: float = 1.0,
    cost: float | None = 0.0,
    **scores: float,
) -> Outcome:
    """What became of a run, of a unit of its own unless one is named."""
    return Outcome(
        f"{number:x}",
        plan.revision,
        variant,
        unit or f"{variant}-{number}",
        number,
        ending,
        failed_calls,
        seconds,
        10,
        cost,
        scores,
    )


@asynccontextmanager
async def trying(
    function: AssistFunction, *plans: Plan, stores: Stores | None = None, price: float = 0.0
) -> AsyncGenerator[Host]:
    """A host with experiments, closed at the end."""
    manager = LLMManager(
        [OfflineProvider()],
        default_model="offline:echo",
        hooks=[RunCallHook()],
        price=lambda _provider, _model, usage, _tier: price * (usage.total or 0),
    )
    host = Host(FunctionAgent(function), llm=manager, stores=stores or open_stores("memory"), capture=False)
    host.experimenting.take(plans)
    try:
        yield host
    finally:
        await host.aclose()


def chats(count: int, wanted: Callable[[str], bool] = lambda _: True) -> Sequence[Ulid]:
    """Sessions that are wanted."""
    ids, found = SystemIds(SystemClock()), list[Ulid]()
    while len(found) < count:
        if wanted(chat := ids.ulid()):
            found.append(chat)
    return found


def drawing(plan: Plan, variant: str, count: int = 1) -> Sequence[Ulid]:
    """Sessions that draw a variant."""
    return chats(count, lambda chat: plan.variant_of(chat) == variant)


async def answered(host: Host, chat: str, prompt: str = "hi") -> Run:
    """A run of a session, when it has ended."""
    ids = {"processor_id": "client", "activity_id": chat, "request_id": "01JS4F4Z5V0000000000000003"}
    body = {
        "query": {"id": "01JS4F4Z5V0000000000000001", "prompt": prompt},
        "session": {**ids, "interactions": list[object]()},
    }
    run = await host.start_run(RunRequest.model_validate(body))
    await run.wait()
    return run


def told(run: Run, *types: str) -> list[dict[str, object]]:
    """The data of the entries of some types."""
    return [msgspec.json.decode(entry.data) for entry in run.log.read(0, 1_000_000) if entry.type in types]
