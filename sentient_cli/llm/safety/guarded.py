"""Filters around whatever answers: before the request is sent, on every piece of the answer, and at its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import aclosing
from typing import Literal, TypeAlias, TypeVar, get_args

from sentient_cli.errors import ConfigError, ContentFilterError, ProviderError, ProviderTimeoutError
from sentient_cli.llm.assembly import Assembly
from sentient_cli.llm.call import Answering, Call
from sentient_cli.llm.provider import Request
from sentient_cli.llm.resilience.deadlines import Watch
from sentient_cli.llm.safety.filters import Finding, SafetyFilter, Verdict
from sentient_cli.llm.safety.holding import Held
from sentient_cli.llm.safety.seeing import texts_of, words_of_calls
from sentient_cli.llm.types import Chunk, Usage

__all__ = ["Guarded", "OnFinding"]

OnFinding: TypeAlias = Literal["end", "raise"]

T = TypeVar("T")
"""What a finding does: the answer ends there with the reason ``content_filter``, or with a `ContentFilterError`."""


class Guarded:
    """Answers as another does, as far as filters let it.

    Text and thoughts are held back until no filter can find anything more in them; calls of tools, and what a provider
    sends besides, until the answer is complete. What a filter has found is never shown, not in an error either.

    Args:
        inner: Who answers.
        filters: Who looks, in this order.
        on_finding: What a finding does.

    Raises:
        ConfigError: a finding can do no such thing.

    Example:
        >>> import asyncio
        >>> from sentient_cli.clock import SystemClock
        >>> from sentient_cli.llm import Message
        >>> from sentient_cli.llm.hooks import Recorder
        >>> from sentient_cli.llm.safety import LocalFilter
        >>> class Magician:
        ...     async def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        ...         for text in ("Watch this: ", "abra", "cadabra", "!"):
        ...             yield Chunk(text)
        >>> async def main() -> str:
        ...     guarded = Guarded(Magician(), [LocalFilter(words=["abracadabra"])], on_finding="end")
        ...     request = Request(model="m", messages=(Message.user("A trick, please"),))
        ...     call = Call(Recorder((), SystemClock(), "call"))
        ...     return "".join([chunk.text async for chunk in guarded.stream(request, call)])
        >>> asyncio.run(main())
        'Watch this: '
    """

    def __init__(self, inner: Answering, filters: Sequence[SafetyFilter], *, on_finding: OnFinding = "raise") -> None:
        if on_finding not in get_args(OnFinding):
            raise ConfigError(f"`on_finding` cannot be {on_finding!r:.40}", fix="Use `end` or `raise`")
        self._inner = inner
        self._filters = tuple(filters)
        self._on_finding: OnFinding = on_finding

    async def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece; closing it frees what is held.

        Raises:
            ContentFilterError: a filter has found something, and that is what findings do.
            ProviderError: of the class that fits; its text so far is what was shown.
        """
        time = _Time(call.deadline)
        watch = _Watch(self._filters, call, time)
        shown: list[str] = []
        try:
            finding = await self._asked(request, call, time)
            if finding is not None:
                yield self._stopped(finding, "The request was stopped", "", None)
                return
            async with aclosing(self._watched(request, call, watch)) as chunks:
                async for chunk in chunks:
                    if chunk.restarted:
                        shown.clear()
                    shown.append(chunk.text)
                    yield chunk
        except ProviderError as error:
            error.partial_text = "".join(shown)
            raise
        finally:
            time.close()
        if watch.finding is not None:
            yield self._stopped(watch.finding, "The answer was stopped", "".join(shown), watch.usage)

    async def _asked(self, request: Request, call: Call, time: _Time) -> Finding | None:
        for each in self._filters:
            told = await time.of(each.name, each.check_request(request))
            if isinstance(told, Verdict):
                if told.notice:
                    call.note(told.notice)
                told = told.finding
            if told is not None:
                return told
        return None

    async def _watched(self, request: Request, call: Call, watch: _Watch) -> AsyncGenerator[Chunk, None]:
        """What can be shown of an answer, up to a finding."""
        async with aclosing(self._inner.stream(request, call)) as chunks:
            async for chunk in chunks:
                for passed in await watch.take(chunk):
                    yield passed
                if watch.finding is not None:
                    return
        for passed in await watch.end():
            yield passed

    def _stopped(self, finding: Finding, what: str, shown: str, usage: Usage | None) -> Chunk:
        """The last piece.

        Raises:
            ContentFilterError: that is what findings do.
        """
        if self._on_finding == "end":
            return Chunk(usage=usage, finish_reason="content_filter", refusal=f"{what}: {finding.why}")
        raise ContentFilterError(
            f"{what} by the filter {finding.filter!r}",
            why=finding.why,
            fix="Rephrase what is asked, or change the filter",
            partial_text=shown,
        )


class _Time:
    """What filters have of the time of a call."""

    __slots__ = ("_watch",)

    def __init__(self, deadline: float | None) -> None:
        self._watch = None if deadline is None else Watch(None, None, deadline)
        self.pause()

    async def of(self, name: str, look: Coroutine[object, object, T]) -> T:
        """What a filter comes to.

        Raises:
            ProviderTimeoutError: there is no more time.
        """
        watch = self._watch
        if watch is None:
            return await look
        try:
            if watch.resume():  # the reader was busy for so long: a filter that knows at once is heard still
                watch.last(0.0)
            return await look
        except asyncio.CancelledError:
            if not watch.interrupted():
                raise
        finally:
            self.pause()
        raise ProviderTimeoutError(
            "The call took too long",
            why=f"The filter {name!r:.60} was given no more time",
            fix="Try again, or allow more time",
        )

    def pause(self) -> None:
        """Nobody waits for a filter."""
        if self._watch is not None:
            self._watch.task = None

    def close(self) -> None:
        """It is over."""
        if self._watch is not None:
            self._watch.close()


class _Watch:
    """One answer on its way through the filters."""

    __slots__ = (
        "_beside",
        "_call",
        "_filters",
        "_held",
        "_kind",
        "_last",
        "_shown",
        "_since",
        "_time",
        "_unsure",
        "finding",
        "usage",
    )

    def __init__(self, filters: tuple[SafetyFilter, ...], call: Call, time: _Time) -> None:
        self._filters = filters
        self._time = time
        self._call = call
        self._held = Held(max((each.window for each in filters), default=0))
        self._since = [0] * len(filters)
        self._unsure = [0] * len(filters)
        """So many characters at the end of the text each filter does not let pass yet."""
        self._kind = ""
        self._shown: dict[str, str] = {}
        """The end of what was shown of each kind of text: one that goes on after another goes on for its reader too."""
        self._beside: list[Chunk] = []
        """Calls of tools, and what a provider sends besides, which may repeat the text: looked at when it is whole."""
        self._last: list[Chunk] = []
        self.finding: Finding | None = None
        self.usage: Usage | None = None

    async def take(self, chunk: Chunk) -> list[Chunk]:
        """Take a piece, and give those that can be shown now."""
        if chunk.restarted:
            self._begin_anew()
        if chunk.usage is not None:
            self.usage = chunk.usage
        if chunk.finish_reason is not None or self._last:
            self._last.append(chunk)
            return []
        if chunk.tool_call is not None or (chunk.extra and not chunk.text):
            self._beside.append(chunk)
            return []
        text, kind = chunk.text, "text"
        if not text and chunk.thinking is not None:
            text, kind = chunk.thinking.text, "thinking"
        elif not text and chunk.refusal:
            text, kind = chunk.refusal, "refusal"
        given: list[Chunk] = []
        if text and kind != self._kind:
            given = await self._close()
            if self.finding is not None:
                return given
            self._kind = kind
            self._held.clear(self._shown.get(kind, ""))
        self._held.add(chunk, text)
        return given + (await self._look(len(text), is_end=False) if text else self._pass())

    async def end(self) -> list[Chunk]:
        """The answer is complete: give all that is left."""
        given = await self._close()
        if self.finding is None:
            text = _said(self._beside, self._last)
            self._held.add(Chunk(), text)
            await self._look(len(text), is_end=True)
        if self.finding is not None:
            return given
        return [*given, *self._beside, *self._last]

    def _begin_anew(self) -> None:
        self._held.clear()
        self._unsure = [0] * len(self._filters)
        self._since = [0] * len(self._filters)
        self._beside.clear()
        self._last.clear()
        self._shown.clear()
        self.usage = None
        self._kind = ""

    async def _close(self) -> list[Chunk]:
        """One kind of text is over."""
        given = await self._look(0, is_end=True)
        if self.finding is None:
            self._shown[self._kind] = self._held.shown()
            self._held.clear()
            self._unsure = [0] * len(self._filters)
            self._since = [0] * len(self._filters)
        return given

    def _pass(self) -> list[Chunk]:
        """What can be shown by what is known."""
        return self._held.release(len(self._held.text) - max(self._unsure, default=0))

    async def _look(self, fresh: int, *, is_end: bool) -> list[Chunk]:
        held = self._held
        for place, each in enumerate(self._filters):
            self._since[place] += fresh
            self._unsure[place] += fresh
            if not (self._since[place] or self._unsure[place]) or (not is_end and self._since[place] < each.step):
                continue
            text = held.end(self._unsure[place] + each.window)
            verdict = await self._time.of(each.name, each.check_text(text, is_end=is_end))
            self._since[place] = 0
            self._unsure[place] = len(text) - verdict.safe
            if verdict.notice:
                self._call.note(verdict.notice)
            if verdict.finding is not None:
                self.finding = verdict.finding
                return held.release(len(held.text) - max(self._unsure), cut=True)
        if is_end:
            return held.release(len(held.text))
        return self._pass()


def _said(beside: list[Chunk], last: list[Chunk]) -> str:
    """What is said other than as text: by calls of tools, by what a provider adds, and after the end."""
    assembly = Assembly()
    lines: list[str] = []
    for chunk in (*beside, *last):
        assembly.add(chunk)
        lines += texts_of(chunk.extra)
    return "\n".join((assembly.text, assembly.refusal, words_of_calls(assembly.tool_calls), *lines)).strip("\n")
