"""What tests of usage need: a clock, a call, and something that answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from sentient_cli.llm import Chunk, Message, Parameters, Request, Usage
from sentient_cli.llm.call import Call
from sentient_cli.llm.hooks import Recorder
from sentient_cli.llm.models.prices import PriceBook
from sentient_cli.llm.models.rates import Prices, Rates, dollars
from sentient_cli.llm.subject import CallSubject
from sentient_cli.testing import FixedClock

DOLLAR = Rates(Prices(input=dollars(1_000_000), output=dollars(1_000_000)))
"""A dollar a token."""
CENT = Rates(Prices(input=dollars(10_000), output=dollars(10_000)))
BOOK = PriceBook(own={"shop:dear": DOLLAR, "shop:cheap": CENT})


class Answers:
    """Answers with so many tokens, and remembers what it was asked."""

    def __init__(self, *chunks: Chunk) -> None:
        self.chunks = chunks or (Chunk("Hi"), Chunk(usage=Usage(input=1, output=1)), Chunk(finish_reason="stop"))
        self.requests: list[Request] = []
        self.closed = 0

    async def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        self.requests.append(request)
        try:
            for chunk in self.chunks:
                yield chunk
        finally:
            self.closed += 1


def a_call(provider: str = "shop", session: str | None = None) -> Call:
    made = Call(Recorder((), FixedClock(), "1"), subject=CallSubject(session=session))
    made.provider = provider
    return made


def a_request(model: str = "cheap", text: str = "", **parameters: int) -> Request:
    return Request(model=model, messages=(Message.user(text),), parameters=Parameters(**parameters))  # type: ignore[arg-type]
