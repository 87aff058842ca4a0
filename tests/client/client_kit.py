"""What the tests of the client share: a client of a server with faults, what it said, and a quick ask."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sentient_cli.client.agent_client import AgentClient
from sentient_cli.client.session import ClientSession
from sentient_cli.client.transport import Timeouts
from sentient_cli.runtime.events import Event, TextBlockEvent
from tests.client.fault_server import FaultServer, Handler, served

QUICK = Timeouts(connect=5, first_byte=5, idle=5, idle_unresumable=5, cancelled=5, backoff=0.001)


class Seen:
    """What a client said besides events."""

    def __init__(self) -> None:
        self.attempts: list[int] = []
        self.resumed = 0
        self.left_out: list[str] = []

    def reconnecting(self, attempt: int, tries: int) -> None:
        assert attempt <= tries
        self.attempts.append(attempt)

    def reconnected(self) -> None:
        self.resumed += 1

    def passed_over(self, content_type: str) -> None:
        self.left_out.append(content_type)


@asynccontextmanager
async def talking(
    handler: Handler, timeouts: Timeouts = QUICK, token: str | None = None
) -> AsyncGenerator[tuple[FaultServer, AgentClient, Seen]]:
    seen = Seen()
    async with (
        served(handler) as server,
        AgentClient(server.url, token=token, timeouts=timeouts, observer=seen) as client,
    ):
        yield server, client, seen


async def ask(client: AgentClient, prompt: str = "hi", session: ClientSession | None = None) -> list[Event]:
    async with client.ask(prompt, session or ClientSession()) as answer:
        return [event async for event in answer]


def contents(events: list[Event]) -> list[str]:
    return [event.content for event in events if isinstance(event, TextBlockEvent)]
