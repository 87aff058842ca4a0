"""Answers that break off in the middle: do readers get the exact text? ``python -m bench.llm_failover [--quick]``.

1,000 answers for each manner in which models go on. Each breaks off at a random byte of its body, by a closed or a
reset connection. What models do that are asked to go on: repeat the end of what was there (as they are asked to, or
with other white space), forget to, paraphrase it, or say a word before. Half of the time the same provider goes on,
half of the time it is gone and another does. The answers are known: pieces of the documentation. A text that is not
exactly the known one, without an error, is a wrong splice; there must be none. A cut before the first content is no
break in the middle: it is asked anew, and counts as exact.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Sequence
from typing import Final

import uvloop

from bench.arguments import parser_of
from bench.llm_scenes import Models, provider, scene
from bench.programs.prose import text_of
from bench.servers import client_core
from bench.table import show
from sentient_cli.errors import ProviderError
from sentient_cli.llm import LLMManager
from sentient_cli.llm.resilience.breaker import BreakerPolicy
from sentient_cli.llm.resilience.policies import ResiliencePolicies
from sentient_cli.llm.resilience.retry import RetryPolicy

__all__ = ["MANNERS", "cut_answers", "main"]

MANNERS: Final = {"repeats": 0.99, "repeats, spaced": None, "preamble": None, "forgets": None, "paraphrases": None}
"""How models go on, and the share of exact texts that is asked for."""
AT_ONCE: Final = 16
LENGTH: Final = 1500
_OTHER_BREAKS: Final = BreakerPolicy(failures=10**6, minimum=10**6)  # every answer breaks: no reason to rest here


async def _read(manager: LLMManager, manner: str, number: int, cut: int) -> str:
    """Read one answer and say what became of it."""
    where = "other" if number % 4 < 2 else "same"
    prompt = json.dumps({"number": number, "cut": cut, "manner": manner, "where": where})
    texts: list[str] = []
    known, whose = text_of(number, LENGTH), "exact"
    try:
        stream = manager.stream(prompt)
        async for text in stream:
            texts.append(text)  # noqa: PERF401 - it may break off
    except ProviderError as error:
        is_prefix = known.startswith("".join(texts)) and error.partial_text == "".join(texts)
        return type(error).__name__ if is_prefix else "wrong text before an error"
    return whose if "".join(texts) == known else "WRONG"


async def cut_answers(models: Models, manner: str, count: int, seed: int) -> Counter[str]:
    """Read so many answers that break off at random, and count what became of them.

    Args:
        models: The server of the scene ``cuts``.
        manner: How the model goes on.
        count: How many.
        seed: Of what is random.
    """
    draw = random.Random(seed)
    providers = [provider(models, "a"), provider(models, "b")]
    policies = ResiliencePolicies(
        breaker=_OTHER_BREAKS, retry=RetryPolicy(base=0.001), retry_share=1.0, retry_floor=10 * count
    )
    manager = LLMManager(providers, default_model="a", groups={"both": ["a:m", "b:m"]}, policies=policies)
    found: Counter[str] = Counter()
    numbers = iter([(seed + place, draw.randrange(1_000_000)) for place in range(count)])

    async def reader() -> None:
        for number, cut in numbers:
            found[await _read(manager, manner, number, cut)] += 1

    await asyncio.gather(*(reader() for _ in range(AT_ONCE)))
    await manager.aclose()
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__, "100 answers each: a look, not a result.")
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=20261122)
    chosen = parser.parse_args(arguments)
    client_core()
    count = 100 if chosen.quick else chosen.cuts
    rows: list[Sequence[object]] = []
    with scene("cuts") as models:
        for manner, least in MANNERS.items():
            found = uvloop.run(cut_answers(models, manner, count, chosen.seed))
            wrong = found["WRONG"] + found["wrong text before an error"]
            errors = {name: times for name, times in found.items() if name.endswith("Error")}
            is_well = not wrong and found["exact"] / count >= (least or 0.0)
            target = f">= {least:.0%}, 0 wrong" if least else "0 wrong"
            told = ", ".join(f"{name} {times}" for name, times in errors.items())
            rows.append((manner, f"{found['exact'] / count:.1%}", wrong, target, "ok" if is_well else "MISSED", told))
    head = ("the model", "exact", "wrong", "target", "", "else")
    show(f"Failover in the middle: {count} answers each, cut at random", head, rows)


if __name__ == "__main__":
    main()
