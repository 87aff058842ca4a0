"""Keeps conversations within what a model can read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final

import msgspec

from sentient_cli.errors import BadRequestError, ContextLengthExceededError, ProviderError
from sentient_cli.llm.context.counting import Estimate, TokenCounter, most_tokens
from sentient_cli.llm.context.steps import removals
from sentient_cli.llm.context.summary import Summaries, Summariser
from sentient_cli.llm.provider import Request
from sentient_cli.llm.types import Message

__all__ = ["ContextManager", "Fitted"]

_SHARES: Final = (0.6, 1.0)
"""What is left may fill so much of the room: with some to spare, so that not every further turn is summarised."""
_SUMMARY: Final = "[What was said before, in short]\n"


class Fitted(msgspec.Struct, frozen=True, kw_only=True):
    """A request that fits.

    Args:
        request: What is to be asked.
        tokens: Of that; None: fewer than allowed for certain, so that they were not counted.
        removed: How many messages were left out.
        summary: What stands in their place, if anything.
        notice: What happened, for the author; empty: nothing.

    Example:
        >>> Fitted(request=Request(model="m", messages=(Message.user("Hi"),))).removed
        0
    """

    request: Request
    tokens: int | None = None
    removed: int = 0
    summary: str = ""
    notice: str = ""


class ContextManager:
    """Leaves out of a conversation what is oldest, as soon as it is too long, and no more than that.

    System messages stay, as do messages that are pinned, the last question, and what was said last. Calls of tools and
    their results go together. With a ``summariser``, a summary takes the place of what was left out; it is said as the
    user, since it is made of what anybody said.

    Args:
        context_tokens: Tokens that request and answer may have together.
        counter: Counts, such as a provider; an estimate with a tenth to spare unless given.
        reserve: Tokens that the answer gets when the request does not say how many it may have.
        summariser: Says in short what was left out; None: nobody does.
        pin: Whether a message stays.

    Raises:
        BadRequestError: there can be no such number of tokens.

    Example:
        >>> import asyncio
        >>> talk = tuple(Message.user(f"Number {number}") for number in range(100))
        >>> manager = ContextManager(100, reserve=20)
        >>> fitted = asyncio.run(manager.fit(Request(model="m", messages=talk)))
        >>> fitted.removed > 80, fitted.request.messages[-1].text
        (True, 'Number 99')
    """

    def __init__(
        self,
        context_tokens: int,
        *,
        counter: TokenCounter | None = None,
        reserve: int = 1024,
        summariser: Summariser | None = None,
        pin: Callable[[Message], bool] | None = None,
    ) -> None:
        for name, told, least in (("context_tokens", context_tokens, 1), ("reserve", reserve, 0)):
            if type(told) is not int or told < least:
                raise BadRequestError(
                    f"`{name}` cannot be {told!r:.40}", fix=f"Give tokens, a whole number from {least}"
                )
        self._context = context_tokens if counter is not None else context_tokens - context_tokens // 10
        self._counter = counter or Estimate()
        self._reserve = reserve
        self._summaries = Summaries(summariser) if summariser is not None else None
        self._pin = pin

    def limit(self, request: Request) -> int:
        """Tokens that a request may have, so that its answer fits too."""
        return self._context - (request.parameters.max_tokens or self._reserve)

    async def fit(self, request: Request, *, pinned: Collection[int] = ()) -> Fitted:
        """The request, with as much of its conversation as fits.

        Args:
            request: What is to be asked.
            pinned: The places of further messages that stay.

        Raises:
            ContextLengthExceededError: what has to stay is too long already.
            ProviderError: the tokens cannot be counted.
        """
        limit = self.limit(request)
        if limit <= 0:
            raise self._no_room(limit)
        most = most_tokens(request)
        if most is not None and most <= limit:
            return Fitted(request=request)
        tokens = await self._count(request)
        if tokens <= limit:
            return Fitted(request=request, tokens=tokens)
        stay = {
            *pinned,
            *(place for place, one in enumerate(request.messages) if self._pin is not None and self._pin(one)),
        }
        steps = removals(request.messages, stay)
        if self._summaries is not None:
            fitted = await self._summarised(request, steps, limit, self._summaries)
            if fitted is not None:
                return fitted
        return await self._trimmed(request, steps, limit, tokens)

    def _no_room(self, limit: int) -> ContextLengthExceededError:
        return ContextLengthExceededError(
            "There is no room for the conversation",
            why=f"{self._context - limit} tokens are kept for the answer, and there are {self._context} for both",
            fix="Lower `max_tokens`, or `reserve` in [llm.context]; or raise `tokens` there, or use a model with a"
            " larger context",
            limit=max(limit, 0),
        )

    async def _count(self, request: Request) -> int:
        return (await self._counter.count_tokens(request)).tokens

    async def _trimmed(self, request: Request, steps: Sequence[frozenset[int]], limit: int, tokens: int) -> Fitted:
        count, left = await self._fewest(request, steps, limit, tokens)
        if count is None:
            raise ContextLengthExceededError(
                "The conversation is too long",
                why=f"It has {tokens} tokens, {left} without all that can be left out, and {limit} are allowed",
                fix="Shorten the last message or what is pinned, or use a model with a larger context",
                tokens=left,
                limit=limit,
            )
        gone = frozenset[int]().union(*steps[:count])
        unsaid = " and could not be summarised" if self._summaries is not None else ""
        return Fitted(
            request=_without(request, gone),
            tokens=left,
            removed=len(gone),
            notice=f"{_messages(len(gone))} left out{unsaid}, since the conversation is too long for the model",
        )

    async def _fewest(
        self, request: Request, steps: Sequence[frozenset[int]], limit: int, tokens: int
    ) -> tuple[int | None, int]:
        """How many steps have to go until the rest fits, and the tokens of the rest; None: all are too few.

        It is looked for by halves, since each count may be a request.
        """
        if not steps:
            return None, tokens
        low, high = 0, len(steps)
        fewest = await self._count(_without(request, frozenset[int]().union(*steps)))
        if fewest > limit:
            return None, fewest
        while high - low > 1:
            middle = (low + high) // 2
            counted = await self._count(_without(request, frozenset[int]().union(*steps[:middle])))
            if counted <= limit:
                high, fewest = middle, counted
            else:
                low = middle
        return high, fewest

    async def _summarised(
        self, request: Request, steps: Sequence[frozenset[int]], limit: int, summaries: Summaries
    ) -> Fitted | None:
        """With a summary in the place of what is left out; None: that is not possible."""
        known = await self._known(request, steps, limit, summaries)
        if known is not None:
            return known
        room = limit - summaries.summariser.max_tokens
        count: int | None = None
        for share in _SHARES:
            count, _ = await self._fewest(request, steps, int(room * share), 0)
            if count is not None:
                break
        else:
            return None
        gone = frozenset[int]().union(*steps[:count])
        try:
            summary = await summaries.of([request.messages[place] for place in sorted(gone)])
        except ProviderError:
            return None  # to forget is better than to fail
        return await self._with_summary(request, gone, summary, limit) if summary else None

    async def _known(
        self, request: Request, steps: Sequence[frozenset[int]], limit: int, summaries: Summaries
    ) -> Fitted | None:
        """With a summary that was made before, if that is enough still."""
        places = sorted(frozenset[int]().union(*steps))
        size, summary = summaries.known([request.messages[place] for place in places])
        gone = frozenset(places[:size])
        whole = not any(step & gone and not step <= gone for step in steps)
        return await self._with_summary(request, gone, summary, limit) if summary and whole else None

    async def _with_summary(self, request: Request, gone: frozenset[int], summary: str, limit: int) -> Fitted | None:
        fitting = _without(request, gone, summary)
        tokens = await self._count(fitting)
        if tokens > limit:
            return None
        return Fitted(
            request=fitting,
            tokens=tokens,
            removed=len(gone),
            summary=summary,
            notice=f"{_messages(len(gone))} summarised, since the conversation is too long for the model",
        )


def _messages(count: int) -> str:
    return "1 message was" if count == 1 else f"{count} messages were"


def _without(request: Request, gone: frozenset[int], summary: str = "") -> Request:
    """The request without some of its messages; a summary stands where the first of them was."""
    kept: list[Message] = []
    first = min(gone, default=-1)
    for place, message in enumerate(request.messages):
        if summary and place == first:
            kept.append(Message.user(f"{_SUMMARY}{summary}"))
        if place not in gone:
            kept.append(message)
    return msgspec.structs.replace(request, messages=tuple(kept))
