"""Providers that do as they are told, attempt by attempt, and what reads and counts them."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import Final, TypeAlias

from sentient_cli.llm import CallRecord, Capabilities, Chunk, LLMManager, LLMProvider, Request, Usage
from sentient_cli.llm.resilience.policies import ResiliencePolicies
from tests.llm.parts import PlainProvider, Records, StepClock

HANG: Final = "hang"
"""Here the provider says nothing more."""
Deed: TypeAlias = Chunk | Exception | str
Script: TypeAlias = Sequence[Deed]

STOP: Final = Chunk(finish_reason="stop")
USAGE: Final = Chunk(usage=Usage(3, 0, 0, 2, 0))


def said(text: str, *, size: int = 4) -> list[Deed]:
    """The pieces of a text, as a provider streams it, without an end."""
    return [Chunk(text[place : place + size]) for place in range(0, len(text), size)]


class Actor(PlainProvider):
    """Plays a script for each attempt; the last one is played again and again.

    Args:
        scripts: What to do; or a function that says so for the request and the number of the attempt, from 0.
        name: Its id.
        capabilities: What it can do.
    """

    def __init__(
        self,
        *scripts: Script,
        name: str = "plain",
        by: Callable[[Request, int], Iterable[Deed]] | None = None,
        capabilities: Capabilities | None = None,
    ) -> None:
        super().__init__(name=name)
        self._scripts = scripts
        self._by = by
        self._can = capabilities or Capabilities(tools=True)
        self.requests: list[Request] = []
        self.open: int = 0
        self.has_begun = asyncio.Event()
        """Whether it was asked since this was last cleared."""

    @property
    def capabilities(self) -> Capabilities:
        return self._can

    @property
    def calls(self) -> int:
        return len(self.requests)

    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        number = self.calls
        self.requests.append(request)
        script = self._by(request, number) if self._by else self._scripts[min(number, len(self._scripts) - 1)]
        self.open += 1
        self.has_begun.set()
        try:
            for deed in script:
                await asyncio.sleep(0)
                if isinstance(deed, Exception):
                    raise copy.copy(deed)
                if isinstance(deed, str):
                    await asyncio.Event().wait()
                else:
                    yield deed
        finally:
            self.open -= 1


class Stage:
    """A manager over some actors, on a clock that does not wait, with its records."""

    def __init__(
        self,
        *actors: LLMProvider,
        policies: ResiliencePolicies | None = None,
        together: bool = True,
        fallback: Sequence[str] = (),
    ) -> None:
        self.clock = StepClock()
        self.records = Records()
        names = [actor.provider_id for actor in actors]
        self.manager = LLMManager(
            actors,
            default_model=f"{names[0]}:m",
            hooks=[self.records],
            clock=self.clock,
            policies=policies,
            groups={"all": [f"{name}:m" for name in names]} if together else None,
            fallback=fallback,
        )

    def of(self, kind: str) -> list[CallRecord]:
        """The records of one kind."""
        return [record for record in self.records.records if record.kind == kind]

    @property
    def told(self) -> list[str]:
        """The kinds of all records but those of chunks and usage."""
        return [kind for kind in self.records.kinds if kind not in ("llm.chunks", "llm.usage")]
