"""One call of the manager's on its way through whatever is around a provider, and what happened to it so far."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from sentient_cli.llm.hooks import Recorder
from sentient_cli.llm.provider import Request
from sentient_cli.llm.subject import NOBODY, CallSubject
from sentient_cli.llm.types import Chunk, Usage

__all__ = ["Answering", "Call"]


class Call:
    """A call: who answers, after how many attempts, and what there is to say about it.

    Args:
        recorder: Tells the hooks.
        subject: On whose behalf it is made.
        deadline: When it has to be over, on the loop's clock; None: never.
    """

    __slots__ = (
        "attempts",
        "cached",
        "cost",
        "deadline",
        "degraded",
        "failovers",
        "model",
        "notices",
        "provider",
        "recorder",
        "subject",
        "wasted",
    )

    def __init__(self, recorder: Recorder, *, subject: CallSubject = NOBODY, deadline: float | None = None) -> None:
        self.recorder: Recorder = recorder
        self.subject: CallSubject = subject
        self.deadline: float | None = deadline
        self.provider: str = ""
        """Who answers now, or was asked last."""
        self.model: str = ""
        """The model, as that provider names it."""
        self.attempts: int = 0
        self.failovers: int = 0
        self.notices: list[str] = []
        """What was not asked as it was wanted."""
        self.degraded: str = ""
        """Why this is a lesser answer than the one that was asked for."""
        self.cached: bool = False
        self.cost: float | None = None
        """What the answer cost, in US dollars, once it is known."""
        self.wasted: Usage | None = None
        """The tokens of attempts that failed: they are paid for as well."""


class Answering(Protocol):
    """What answers a call: a provider with its retries, its breaker and all that; each is one around the next."""

    def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece; closing it frees what is held.

        Raises:
            ProviderError: of the class that fits.
        """
        ...
