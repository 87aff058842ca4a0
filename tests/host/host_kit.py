"""What the tests of the host share: hosts with stores, questions, and what was said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from sentient_cli.host import Host, HostLimits
from sentient_cli.runtime.agent import AssistFunction, FunctionAgent
from sentient_cli.runtime.events import Event, JsonValue, decode_event
from sentient_cli.runtime.request import RunRequest
from sentient_cli.runtime.run import Run
from sentient_cli.store.entry import LogEntry
from sentient_cli.store.open import Stores, open_stores

CHAT = "01JS4F4Z5V0000000000000002"


@asynccontextmanager
async def hosting(
    function: AssistFunction,
    *,
    stores: Stores | None = None,
    memory: bool = False,
    limits: HostLimits | None = None,
    capture: bool = False,
) -> AsyncGenerator[Host]:
    """A host for one function, closed at the end."""
    opened = stores or open_stores("memory")
    host = Host(FunctionAgent(function), stores=opened, session_memory=memory, limits=limits, capture=capture)
    try:
        yield host
    finally:
        await host.aclose()


def request(prompt: str, *, chat: str | None = CHAT, interactions: object = ()) -> RunRequest:
    """A question as a client sends it."""
    body: dict[str, object] = {"query": {"id": "01JS4F4Z5V0000000000000001", "prompt": prompt}}
    if chat is not None:
        ids = {"processor_id": "client", "activity_id": chat, "request_id": "01JS4F4Z5V0000000000000003"}
        body["session"] = {**ids, "interactions": interactions}
    return RunRequest.model_validate(body)


async def answer(host: Host, prompt: str, *, chat: str | None = CHAT, interactions: object = ()) -> Run:
    """Ask, and wait for the end of the run and of what is done after it."""
    run = await host.start_run(request(prompt, chat=chat, interactions=interactions))
    await run.wait()
    while host._chores:
        await next(iter(host._chores))
        await asyncio.sleep(0)  # it is taken off the list in the next turn
    return run


def entries(run: Run) -> list[LogEntry]:
    """All entries of a run."""
    return run.log.read(0, 1_000_000)


def events(run: Run) -> list[Event]:
    """Its events."""
    return [decode_event(entry.data) for entry in entries(run) if entry.type == "event"]


def turn(prompt: str) -> Mapping[str, JsonValue]:
    """An interaction that a client sends along."""
    part: JsonValue = {"prompt": prompt, "fileIds": []}
    event: JsonValue = {
        "id": "01JS4F4Z5V0000000000000003",
        "chatId": CHAT,
        "content": {"request_payload": {"parts": [part]}},
    }
    return {"request": {"sender": None, "recipients": ["client"], "event": event}, "responses": []}
