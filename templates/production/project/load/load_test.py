"""Asks a served agent many times at once, and says how long readers wait.

    python load/load_test.py http://127.0.0.1:8000 --requests 500 --concurrency 50

SENTIENT_SERVER_TOKEN is sent as the token. It ends with 1 when a limit is passed, so that a workflow can run it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import statistics
import sys
import time
from dataclasses import dataclass

import httpx

ULID_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True)
class Answer:
    """How one answer came: seconds to its first event and to its end, and what went wrong."""

    first: float
    whole: float
    failure: str = ""


def new_id() -> str:
    """A ULID, as the protocol wants one for a query."""
    return "0" + "".join(secrets.choice(ULID_DIGITS) for _ in range(25))


async def ask(client: httpx.AsyncClient, prompt: str) -> Answer:
    """Ask once and read the answer to its end."""
    begin = time.perf_counter()
    first, failure, event = 0.0, "cut off", ""
    try:
        async with client.stream("POST", "/assist", json={"query": {"id": new_id(), "prompt": prompt}}) as response:
            if not response.is_success:
                return Answer(0, time.perf_counter() - begin, f"status {response.status_code}")
            async for line in response.aiter_lines():
                if line.startswith("event: "):
                    first = first or time.perf_counter() - begin
                    event = line.removeprefix("event: ")
                    if event == "error":
                        failure = "error event"
                    elif event == "done" and failure == "cut off":
                        failure = ""
    except httpx.HTTPError as error:
        failure = type(error).__name__
    return Answer(first, time.perf_counter() - begin, failure)


async def ask_many(client: httpx.AsyncClient, prompt: str, requests: int, concurrency: int) -> list[Answer]:
    """Ask `requests` times, `concurrency` at once."""
    answers: list[Answer] = []
    turns = iter(range(requests))

    async def reader() -> None:
        for _ in turns:  # shared: each reader takes the next one
            answers.append(await ask(client, prompt))

    await asyncio.gather(*(reader() for _ in range(concurrency)))
    return answers


def percentiles(seconds: list[float]) -> dict[str, float]:
    """The median, the 95th and 99th percentile and the longest, in seconds."""
    cuts = statistics.quantiles(seconds, n=100, method="inclusive") if len(seconds) > 1 else seconds * 99
    return {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(seconds)}


def report(alone: list[Answer], answers: list[Answer], seconds: float) -> tuple[float, float]:
    """Print the table; give the share of failures and how much longer the p95 takes than an answer alone."""
    good = [answer for answer in answers if not answer.failure]
    failures = [answer.failure for answer in answers if answer.failure]
    print(f"{len(answers)} answers in {seconds:.1f} s, {len(answers) / seconds:.1f} a second; {len(failures)} failed")
    for failure in sorted(set(failures)):
        print(f"  {failure}: {failures.count(failure)}")
    if not good or any(answer.failure for answer in alone):
        return 1.0, float("inf")
    print(f"{'ms':14}" + "".join(f"{name:>10}" for name in ("p50", "p95", "p99", "max")))
    for name, values in (("first event", [a.first for a in good]), ("whole answer", [a.whole for a in good])):
        print(f"{name:14}" + "".join(f"{value * 1000:10.1f}" for value in percentiles(values).values()))
    ratio = percentiles([a.whole for a in good])["p95"] / statistics.median(a.whole for a in alone)
    print(f"The p95 of a whole answer is {ratio:.1f} times what an answer takes alone")
    return len(failures) / len(answers), ratio


async def measure(arguments: argparse.Namespace) -> tuple[float, float]:
    """Ask a few times alone, then under load."""
    token = os.environ.get("SENTIENT_SERVER_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    limits = httpx.Limits(max_connections=arguments.concurrency)
    async with httpx.AsyncClient(
        base_url=arguments.url, headers=headers, timeout=120, limits=limits, trust_env=False
    ) as client:
        alone = await ask_many(client, arguments.prompt, 5, 1)
        begin = time.perf_counter()
        answers = await ask_many(client, arguments.prompt, arguments.requests, arguments.concurrency)
        return report(alone, answers, time.perf_counter() - begin)


def main() -> int:
    """Read the arguments, measure, compare with the limits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8000")
    parser.add_argument("--prompt", default="How many miles are 10 kilometres?")
    parser.add_argument("--requests", type=int, default=200, help="how often to ask")
    parser.add_argument("--concurrency", type=int, default=20, help="how many at once")
    parser.add_argument("--max-failed", type=float, default=0.0, help="the share of answers that may fail, 0 to 1")
    parser.add_argument("--max-ratio", type=float, default=float("inf"), help="p95 over an answer alone")
    arguments = parser.parse_args()
    failed, ratio = asyncio.run(measure(arguments))
    return int(failed > arguments.max_failed or ratio > arguments.max_ratio)


if __name__ == "__main__":
    sys.exit(main())
