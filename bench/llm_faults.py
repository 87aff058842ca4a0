"""What fails of 20,000 requests when much fails at the providers. ``python -m bench.llm_faults [--quick]``.

Two providers behind a manager with the policies that everybody has, but for how long silence is borne: 10 seconds. The
one that is asked first is down a third of the time, 10 of 30 seconds: connections are reset, or there is a 503.
Besides, of the requests that reach either, one in a hundred meets a fault of each of five families: the connection
(reset or closed before or within the answer, an end without its mark), silence (before or within), the model's server
(500, 502, 503, 529, an error in band), its limits (408, 429), what it says (a page instead of an answer, JSON that is
none). That is 5% in all; ``--each`` has one in a hundred for each of these 16 kinds, which is 16%. Calls come 20 at
once, 50 a second. Half of them stream and the other half wait for the whole answer; what comes is compared with what
was to be said, and has to be exactly that.

Then a provider that always fails: how many requests reach it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from typing import Final

import uvloop

from bench.arguments import parser_of
from bench.llm_scenes import Models, provider, scene
from bench.programs.models import FAULTS
from bench.programs.prose import text_of
from bench.servers import client_core
from bench.table import show
from sentient_cli.errors import SentientError
from sentient_cli.llm import LLMManager
from sentient_cli.llm.resilience.breaker import BreakerPolicy, BreakerState
from sentient_cli.llm.resilience.policies import ResiliencePolicies
from sentient_cli.llm.resilience.retry import RetryPolicy

__all__ = ["Failing", "always_failing", "main", "much_fails"]

ERRORS: Final = 0.001
STORM: Final = 1.1
SILENCE: Final = 10.0
RATE: Final = 50.0
"""Calls a second."""
BURST: Final = 20
"""Calls that come at once."""
NEVER: Final = BreakerPolicy(failures=10**6, minimum=10**6)
GROUPS: Final = {"both": ["a:m", "b:m"]}


async def _ask(manager: LLMManager, number: int) -> str:
    prompt, known = json.dumps({"number": number}), text_of(number)
    texts: list[str] = []
    try:
        if number % 2:
            texts.append((await manager.generate(prompt)).text)
        else:
            async for text in manager.stream(prompt):
                texts.append(text)  # noqa: PERF401 - it may break off
    except SentientError as error:
        return type(error).__name__ if known.startswith("".join(texts)) else "WRONG, then an error"
    return "exact" if "".join(texts) == known else "WRONG"


async def much_fails(models: Models, count: int, rate: float = RATE, burst: int = BURST) -> Counter[str]:
    """Ask so often, and count how it ended. Calls come in bursts, whatever became of those before.

    Args:
        models: The server of the scene ``faults``.
        count: How often.
        rate: Calls a second.
        burst: Calls that come at once.
    """
    providers = [provider(models, name, timeout=SILENCE) for name in ("a", "b")]
    manager = LLMManager(providers, default_model="a", groups=GROUPS)
    loop = asyncio.get_running_loop()
    began, calls = loop.time(), list[asyncio.Task[str]]()
    for number in range(count):
        if not number % burst:
            await asyncio.sleep(max(0.0, began + number / rate - loop.time()))
        calls.append(asyncio.create_task(_ask(manager, number)))
    found = Counter(await asyncio.gather(*calls))
    await manager.aclose()
    return found


class Failing:
    """What came of a provider that always fails.

    Args:
        requests: How often it was to be asked.
        upstream: Requests that reached it.
        opened: How often its breaker opened.
        probes: How often a call was let through to find out whether it is back.
    """

    def __init__(self, requests: int, upstream: int, opened: int, probes: int) -> None:
        self.requests = requests
        self.upstream = upstream
        self.opened = opened
        self.probes = probes

    @property
    def each(self) -> float:
        """Requests that reached it for each call."""
        return self.upstream / self.requests


async def always_failing(models: Models, requests: int, breaker: BreakerPolicy, pause: float = 0.0) -> Failing:
    """Ask a provider that always fails, one call after the other.

    Args:
        models: The server of the scene ``broken``.
        requests: How often.
        breaker: When it rests.
        pause: Seconds between two calls.
    """
    policies = ResiliencePolicies(breaker=breaker, retry=RetryPolicy(base=0.0))
    manager = LLMManager([provider(models, "a")], default_model="a", policies=policies)
    changes: Counter[BreakerState] = Counter()

    def listen(provider: str, model: str, state: BreakerState) -> None:
        changes[state] += 1

    manager.breakers.listen(listen)
    before = models.counts.get("requests of a", 0)
    for number in range(requests):
        try:
            await manager.generate(json.dumps({"number": number}))
        except SentientError:
            await asyncio.sleep(pause)
        else:
            raise AssertionError("it always fails")
    await manager.aclose()
    upstream = models.counts["requests of a"] - before
    return Failing(requests, upstream, changes["open"], changes["half_open"])


def _much(count: int, burst: int, *, each: bool) -> None:
    with scene("faults", share=0.01, families=not each, down=1 / 3, cycle=30.0) as models:
        cpu = time.process_time()
        found = uvloop.run(much_fails(models, count, burst=burst))
        cpu = time.process_time() - cpu
        counts = models.counts
    wrong = sum(times for name, times in found.items() if name.startswith("WRONG"))
    failed = count - found["exact"]
    errors = ", ".join(f"{name} {times}" for name, times in found.most_common() if name != "exact")
    upstream = counts["requests of a"] + counts["requests of b"]
    down = counts.pop("while down", 0)
    rows = [
        ("requests that failed", f"{failed / count:.3%}", f"< {ERRORS:.1%}", _ok(failed / count < ERRORS), errors),
        ("answers that are not what was said", wrong, "0", _ok(not wrong), ""),
        ("requests sent for each call", f"{upstream / count:.3f}", "", "", ""),
        ("faults met, but for the time that one was down", sum(counts.get(name, 0) for name in FAULTS), "", "", ""),
        ("requests that met the provider that was down", down, "", "", ""),
        ("answers that were gone on with", counts.get("asked to go on", 0), "", "", ""),
        ("CPU ms of a call, all included", f"{cpu / count * 1e3:.2f}", "", "", ""),
    ]
    schedule = "1% of each of 16 kinds" if each else "1% of each of 5 families"
    show(
        f"Faults, {schedule}: {count} requests, {RATE:g} a second, {burst} at once",
        ("", "seen", "target", "", ""),
        rows,
    )


def _ok(is_well: bool) -> str:
    return "ok" if is_well else "MISSED"


def _always(requests: int) -> None:
    quick = BreakerPolicy(open_for=0.05, longest=0.05)
    with scene("broken") as models:
        free = uvloop.run(always_failing(models, requests, NEVER))
        guarded = uvloop.run(always_failing(models, requests // 4, quick, 0.001))
    more = guarded.upstream - quick.failures - guarded.probes
    rows = [
        ("sent for each call, the breaker never opens", f"{free.each:.3f}", f"<= {STORM}", _ok(free.each <= STORM)),
        ("sent for each call, with a breaker", f"{guarded.each:.3f}", f"<= {STORM}", _ok(guarded.each <= STORM)),
        ("sent while it was open, but for probes", more, "0", _ok(not more)),
        ("probes", guarded.probes, "", ""),
    ]
    show("A provider that always fails", ("", "seen", "target", ""), rows)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__, "1,000 requests: a look, not a result.")
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--each", action="store_true", help="One in a hundred for each of 16 kinds.")
    parser.add_argument("--burst", type=int, default=BURST, help="Calls that come at once.")
    chosen = parser.parse_args(arguments)
    client_core()
    _much(1_000 if chosen.quick else chosen.requests, chosen.burst, each=chosen.each)
    _always(400 if chosen.quick else 2_000)


if __name__ == "__main__":
    main()
