"""What the cheapest policy saves: 1,000 requests of a published mix, at the prices of the day.

Half are short chat, a quarter long input, a quarter ask for tools; a tenth of each has a picture. Each goes to the
models of a group as `sentient_cli.llm.selection` orders them, and is answered with a length that does not depend on the
model. The other side always takes the flagship of the first provider. Nothing is sent anywhere.

    python -m bench.llm_mix
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Sequence

from bench.arguments import parser_of
from bench.table import show
from sentient_cli.llm import (
    Capabilities,
    Chunk,
    ImagePart,
    LLMManager,
    Message,
    OfflineProvider,
    Request,
    TextPart,
    ToolSpec,
    Usage,
)
from sentient_cli.llm.models.facts import capabilities_of
from sentient_cli.llm.models.prices import PriceBook
from sentient_cli.llm.selection.needs import lacking, needs_of
from sentient_cli.llm.selection.observed import Observed, Observing
from sentient_cli.llm.selection.policies import Cheapest, Complexity, Policy
from sentient_cli.llm.selection.selector import Selector

SEED = 20261122
_LEAST = 0.2
REQUESTS = 1000
FLAGSHIP = "openai:gpt-5.5"
GROUPS = {
    "of the largest models": (FLAGSHIP, "anthropic:claude-opus-5-5", "anthropic:claude-sonnet-5-5", "openai:gpt-5.4"),
    "of all sizes": (
        FLAGSHIP,
        "anthropic:claude-opus-5-5",
        "anthropic:claude-haiku-4-5",
        "openai:gpt-5.4-mini",
        "openai:gpt-3.5-turbo",
        "groq:llama-3.1-8b-instant",
    ),
}
CAN = Capabilities(tools=True, structured_output=True, images=True, documents=True, thinking=True)


class Priced(OfflineProvider):
    """Answers every model with as many tokens as the request says, in ``seed``."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.asked: list[Request] = []

    @property
    def provider_id(self) -> str:
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        return CAN

    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        self.asked.append(request)
        output = int(request.messages[0].text)
        yield Chunk("x")
        yield Chunk(usage=Usage(input=needs_of(request).tokens, cache_read=0, cache_write=0, output=output))
        yield Chunk(finish_reason="stop")


def mix(draw: random.Random) -> list[tuple[tuple[Message, ...], tuple[ToolSpec, ...]]]:
    """The requests: a first message that says how long the answer is, then what is asked."""
    made: list[tuple[tuple[Message, ...], tuple[ToolSpec, ...]]] = []
    for number in range(REQUESTS):
        kind = ("chat", "chat", "long", "tools")[number % 4]
        words = draw.randint(5_000, 40_000) if kind == "long" else draw.randint(10, 150)
        output = draw.randint(20, 400) if kind == "chat" else draw.randint(100, 1500)
        text = TextPart("word " * words)
        parts = (ImagePart(url="https://example.org/a.png"), text) if draw.random() < 0.1 else (text,)
        tools = (ToolSpec("search", "Searches the web."), ToolSpec("add", "Adds.")) if kind == "tools" else ()
        made.append(((Message.system(str(output)), Message.user(parts)), tools))
    return made


async def spend(
    group: tuple[str, ...], policy: Policy | None, book: PriceBook, observed: Observed
) -> tuple[float, Counter[str]]:
    """What the mix costs, and who answered."""
    names = dict.fromkeys(model.partition(":")[0] for model in group)
    providers = [Priced(name) for name in names]
    manager = LLMManager(
        providers,
        groups={"all": group} if policy is not None else {},
        choose=Selector(policy),
        price=book.cost,
        around_attempts=[lambda inner: Observing(inner, observed)],
    )
    cost, who = 0.0, Counter[str]()
    for messages, tools in mix(random.Random(SEED)):
        answer = await manager.generate(messages, model="all" if policy is not None else FLAGSHIP, tools=tools)
        assert answer.cost is not None
        cost += answer.cost
        who[f"{answer.provider}:{answer.model}"] += 1
    for provider in providers:
        for request in provider.asked:
            can = capabilities_of(provider.provider_id, request.model, CAN)
            assert not lacking(needs_of(request), can), "a request went to a model that cannot take it"
    return cost, who


async def _rows() -> list[Sequence[object]]:
    book = PriceBook()
    for model in {model for group in GROUPS.values() for model in group}:
        provider, _, name = model.partition(":")
        await book.ready(provider, name)
        assert book.rates(provider, name) is not None, f"{model} has no price"
    flagship, _ = await spend((FLAGSHIP,), None, book, Observed())
    rows: list[Sequence[object]] = [("always the flagship", "", f"${flagship:.2f}", "", "", "", FLAGSHIP)]
    for title, group in GROUPS.items():
        observed = Observed()
        cheapest = Cheapest(book, observed)
        for policy in (cheapest, Complexity(cheapest)):
            cost, who = await spend(group, policy, book, observed)
            saved = 1 - cost / flagship
            answered = ", ".join(f"{model} {count}" for model, count in who.most_common())
            target = ("at least 20%", "ok" if saved >= _LEAST else "MISSED") if policy is cheapest else ("", "")
            rows.append((policy.name, title, f"${cost:.2f}", f"{saved:.1%}", *target, answered))
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__, "Takes the same: it is quick.")
    parser.parse_args(arguments)
    head = ("policy", "group", "cost", "less", "target", "", "answered by")
    show("Selection: what a mix of 1,000 requests costs", head, asyncio.run(_rows()))


if __name__ == "__main__":
    main()
