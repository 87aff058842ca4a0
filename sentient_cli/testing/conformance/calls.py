"""What a provider promises about the calls that work."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from sentient_cli.llm.types import Chunk, Completion, Usage
from sentient_cli.testing.conformance.subject import (
    Promise,
    Subject,
    expect,
    expect_answer,
    expect_kind,
    opened,
    put_together,
    read,
)

__all__ = ["CALLS"]


async def streams_an_answer(subject: Subject) -> None:
    """A stream gives chunks with an answer in them, and exactly one says why it ended, after the last of the answer."""
    async with opened(subject) as provider:
        chunks = await read(provider, subject.request(provider))
        for chunk in chunks:
            expect_kind(chunk, Chunk, "what it streams")
        ends = [place for place, chunk in enumerate(chunks) if chunk.finish_reason is not None]
        expect(len(ends) == 1, f"{len(ends)} chunks have a finish_reason")
        expect(not any(says(chunk) for chunk in chunks[ends[0] + 1 :]), "the answer goes on after its end")
        answer = put_together(chunks)
        expect_answer(answer.text, len(answer.tool_calls))


def says(chunk: Chunk) -> bool:
    return bool(chunk.text) or chunk.tool_call is not None


async def reports_usage(subject: Subject) -> None:
    """The last usage of a stream is that of the whole call, and comes with its end or after it."""
    async with opened(subject) as provider:
        chunks = await read(provider, subject.request(provider))
        usages = [(place, chunk.usage) for place, chunk in enumerate(chunks) if chunk.usage is not None]
        if not usages:
            expect(not subject.reports_usage, "no chunk has the usage")
            return
        last, usage = usages[-1]
        expect(not any(says(chunk) for chunk in chunks[last + 1 :]), "the answer goes on after the last usage")
        numbers = (usage.input, usage.cache_read, usage.cache_write, usage.output, usage.reasoning)
        expect(all(number is None or number >= 0 for number in numbers), f"a number is negative: {usage}")
        output = [each.output for _, each in usages if each.output is not None]
        expect(output == sorted(output), f"the tokens of the answer become fewer: {output}")
        expect(usage.total is not None or not subject.reports_usage, f"the total is not known: {usage}")


async def generates_the_same_way(subject: Subject) -> None:
    """`generate` is the stream, put together: who answered, an end, an answer, its usage."""
    async with opened(subject) as provider:
        await provider.initialize()
        request = subject.request(provider)
        whole = expect_kind(await provider.generate(request), Completion, "what it generates")
        asked, answered = (provider.provider_id, request.model), (whole.provider, whole.model)
        expect(answered == asked, f"{answered} answered, but {asked} was asked")
        expect_answer(whole.text, len(whole.tool_calls))
        expect(whole.usage != Usage() or not subject.reports_usage, "the usage is missing")
        if subject.repeatable:
            streamed = put_together(await read(provider, request))
            expect(whole.text == streamed.text, f"generate says {whole.text!r:.60}, stream {streamed.text!r:.60}")


async def answers_at_once(subject: Subject) -> None:
    """Several calls at the same time each get their whole answer."""
    async with opened(subject) as provider:
        await provider.initialize()
        request = subject.request(provider)
        answers = await asyncio.gather(*(read(provider, request) for _ in range(subject.at_once)))
        for chunks in answers:
            answer = put_together(chunks)
            expect(answer.finish_reason is not None, "an answer has no end")
            expect_answer(answer.text, len(answer.tool_calls))
        texts = {put_together(chunks).text for chunks in answers}
        expect(len(texts) == 1 or not subject.repeatable, f"the same call gives {len(texts)} answers")


async def counts_its_calls(subject: Subject) -> None:
    """Its metrics count a call when it begins, show it while it goes on, and not any more when it ended."""
    async with opened(subject) as provider:
        await provider.initialize()
        before = provider.metrics()
        async with aclosing(provider.stream(subject.request(provider))) as stream:
            await anext(stream)
            during = provider.metrics()
            expect(during.active == before.active + 1, f"{during.active} calls are active while one goes on")
            async for _ in stream:
                pass
        after = provider.metrics()
        expect(after.requests == before.requests + 1, f"{after.requests - before.requests} calls were counted")
        expect(after.errors == before.errors, "a call that worked is counted as an error")
        expect(after.active == before.active, f"{after.active} calls are active after the end")


CALLS: tuple[Promise, ...] = (
    streams_an_answer,
    reports_usage,
    generates_the_same_way,
    answers_at_once,
    counts_its_calls,
)
