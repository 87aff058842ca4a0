"""Managers whose providers are servers of a test's own, and what is told about their calls."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager

from sentient_cli.clock import Clock, SystemClock, SystemIds
from sentient_cli.config.llm import LlmSettings
from sentient_cli.host.llm import ConfiguredLLM, build_llm
from sentient_cli.llm import CallHook, CallRecord
from sentient_cli.testing import FixedClock
from tests.support.llm_server import Answer, LLMServer, as_json

__all__ = ["DOWN", "Records", "Waits", "configured", "pair", "refusal", "table"]


class Records:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.records: list[CallRecord] = []

    def on_record(self, record: CallRecord) -> None:
        self.records.append(record)

    def of(self, kind: str) -> list[dict[str, object]]:
        """What was told of this kind, in order."""
        return [dict(record.data) for record in self.records if record.kind == kind]


class Waits(FixedClock):
    """A clock on which waiting takes no time; it knows for how long it was waited."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await super().sleep(seconds)


def refusal(status: int, code: str = "", **headers: str) -> Answer:
    """A refusal with a code of the vendor's."""
    return as_json({"error": {"message": "No", "code": code, "type": code}}, status, **headers)


DOWN = refusal(503)


def table(server: LLMServer, kind: str = "compatible", key: str = "") -> dict[str, object]:
    """The settings of a provider that is a server, with the variable of its key."""
    return {"kind": kind, "base_url": f"{server.url}/v1", **({"api_key_env": key} if key else {})}


def pair(one: LLMServer, two: LLMServer, **more: object) -> dict[str, object]:
    """Settings with a group of two models, each on a server of its own; one attempt, no ledger."""
    told: dict[str, object] = {
        "model": "pair",
        "groups": {"pair": ["one:large", "two:small"]},
        "providers": {"one": table(one), "two": table(two)},
        "retry": {"attempts": 1},
        "usage": False,
    }
    return told | more


@asynccontextmanager
async def configured(
    told: Mapping[str, object], *hooks: CallHook, clock: Clock | None = None, keys: Sequence[str] = ()
) -> AsyncGenerator[ConfiguredLLM, None]:
    """The manager of these settings, closed at the end.

    Args:
        told: The settings.
        hooks: Who listens.
        clock: What the time is.
        keys: Variables that hold a key.
    """
    clock = clock or SystemClock()
    environment = {name: f"sk-{name.lower().removesuffix('_key')}-1234" for name in keys}
    manager = build_llm(LlmSettings.model_validate(told), clock, SystemIds(clock), environment=environment, hooks=hooks)
    try:
        yield manager
    finally:
        await manager.aclose()
