"""Models to choose from."""

from __future__ import annotations

from sentient_cli.llm import Capabilities, Message, OfflineProvider, Parameters, Request, ToolSpec
from sentient_cli.llm.call import Call
from sentient_cli.llm.hooks import Recorder
from sentient_cli.llm.models.prices import PriceBook
from sentient_cli.llm.models.rates import Prices, Rates, dollars
from sentient_cli.llm.resilience.targets import Target
from sentient_cli.llm.subject import CallSubject
from sentient_cli.testing import FixedClock


class Shop(OfflineProvider):
    """A provider that can what it is told."""

    def __init__(self, name: str, capabilities: Capabilities) -> None:
        super().__init__()
        self._name = name
        self._capabilities = capabilities

    @property
    def provider_id(self) -> str:
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities


def a_target(name: str, model: str = "m", *, degraded: str = "", **can: bool | int) -> Target:
    return Target(Shop(name, Capabilities(**can)), model, degraded)  # type: ignore[arg-type]


def a_call(session: str | None = None) -> Call:
    return Call(Recorder((), FixedClock(), "1"), subject=CallSubject(session=session))


def a_request(text: str = "Hi", *, tools: bool = False, max_tokens: int | None = None) -> Request:
    offered = (ToolSpec("now"),) if tools else ()
    return Request(
        model="m", messages=(Message.user(text),), parameters=Parameters(max_tokens=max_tokens), tools=offered
    )


def a_book(**per_million: float) -> PriceBook:
    """Prices by provider, the same for requests and answers."""
    return PriceBook(
        own={
            f"{name}:m": Rates(Prices(input=dollars(str(price)), output=dollars(str(price))))
            for name, price in per_million.items()
        }
    )
