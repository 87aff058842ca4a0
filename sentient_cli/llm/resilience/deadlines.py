"""How long an attempt may take, held by one timer that is moved only when it goes off."""

from __future__ import annotations

import asyncio
import math
from asyncio import current_task, get_running_loop
from collections.abc import Awaitable
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta

from sentient_cli.errors import ProviderTimeoutError
from sentient_cli.llm.checked import check_fields
from sentient_cli.llm.loops import PerLoop

__all__ = ["Deadlines", "Round", "Watch", "in_time", "round_of"]

T = TypeVar("T")
_OF_CALL: Final = "The call took too long"

Seconds = Annotated[float, Meta(gt=0)]

COARSE: Final = 5.0
"""Seconds from which on a quarter of a second does not matter."""
QUARTER: Final = 0.25
FAIR: Final = 1.0
"""Seconds that a provider may need to begin, whoever waits: who gives it less has not found out anything."""
MOMENT: Final = 0.1
"""Seconds in which what came already is read."""


class Deadlines(msgspec.Struct, frozen=True, kw_only=True):
    """How long things may take, in seconds; None: as long as they like.

    Silence within an answer is the business of a provider that says so (``bounds_silence``): it sees the bytes. A bound
    that holds within an answer costs a fraction of a microsecond for each of its pieces.

    Args:
        first_token: From the start of an attempt to the first content. What nothing can come after is never cut off.
        attempt: One attempt, from its start to its end.
        total: A call, with all its attempts.
        stall: Without anything of an answer, before and within it, for a provider that does not see to that itself;
            four times its ``timeout`` unless given. It holds for what nothing can come after too.

    Example:
        >>> Deadlines(first_token=5).total is None
        True
    """

    first_token: Seconds | None = 60.0
    attempt: Seconds | None = None
    total: Seconds | None = None
    stall: Seconds | None = None

    def __post_init__(self) -> None:
        check_fields(self)


async def in_time(deadline: float | None, work: Awaitable[T], why: str) -> T:
    """What work comes to that is done for a call beside its attempts.

    Args:
        deadline: When the call has to be over, on the loop's clock; None: never.
        work: What is waited for. What does not wait is never cut off.
        why: What was not done in time.

    Raises:
        ProviderTimeoutError: it was not done by then.

    Example:
        >>> async def main() -> int:
        ...     return await in_time(asyncio.get_running_loop().time() + 60, asyncio.sleep(0, 42), "Nobody slept")
        >>> asyncio.run(main())
        42
    """
    if deadline is None:
        return await work
    limit = asyncio.timeout_at(deadline)
    try:
        async with limit:
            return await work
    except TimeoutError:
        if not limit.expired():
            raise
    raise ProviderTimeoutError(_OF_CALL, why=why, fix="Try again, or allow more time")


class Watch:
    """The timer of one attempt. It interrupts who waits for the provider, never who reads the answer.

    ``task`` is set by the attempt whenever it begins to wait, and taken away when it has something: an attribute costs
    less than a timer for each chunk.

    ``expired`` says whether the time is over, and ``is_over`` whether nothing is bounded any more.

    Args:
        first: Seconds to the first content; None: no bound.
        attempt: Seconds to the end; None: no bound.
        deadline: The end of the whole call, on the loop's clock.
        given: Seconds that the whole call had at first.
    """

    __slots__ = (
        "_at",
        "_began",
        "_cancelling",
        "_end",
        "_end_word",
        "_fair",
        "_timer",
        "_victim",
        "_word",
        "expired",
        "is_over",
        "loop",
        "task",
    )

    def __init__(
        self, first: float | None, attempt: float | None, deadline: float | None, given: float | None = None
    ) -> None:
        self.loop: asyncio.AbstractEventLoop = get_running_loop()
        loop = self.loop
        self.task: asyncio.Task[object] | None = current_task(loop)
        self.expired: bool = False
        self.is_over: bool = False
        self._victim: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._timer: asyncio.TimerHandle | Round | None = None
        now = self._began = loop.time()
        self._fair = max(FAIR, (given or 0.0) / 2)
        at, word = deadline, _OF_CALL
        if attempt is not None and (at is None or now + attempt < at):
            at, word = now + attempt, "The answer took too long"
        self._end, self._end_word = at, word
        if first is not None and (at is None or now + first < at):
            at, word = now + first, "No answer began in time"
        self._at, self._word = at, word
        if at is not None:
            if at - now < COARSE:
                self._timer = loop.call_at(at, self.ring)
            else:
                self._timer = found = _rounds.of(loop)
                found.watches.add(self)
                if not found.is_looking:
                    found.begin(loop)

    def begun(self) -> None:
        """The answer has begun: only its end is bounded now, if that is."""
        self.task = None
        self._fair = math.inf
        self._at, self._word = self._end, self._end_word
        if self._at is None:
            self.is_over = True  # a round goes on looking at it: to join it again would cost more
            if not isinstance(self._timer, Round):
                self.close()

    def resume(self) -> bool:
        """The provider is waited for again; say whether the time was over meanwhile."""
        self.task = current_task(self.loop)
        return self.expired

    def last(self, seconds: float) -> None:
        """Wait for the provider so long at most, and not beyond the end, but for a moment: to read what is there."""
        if self._victim is not None or not isinstance(self._timer, Round):
            self.close()
            self._timer = found = round_of(self.loop)
            found.watches.add(self)
            if not found.is_looking:
                found.begin(self.loop)
        now = self.loop.time()
        at = now + seconds if self._end is None else min(now + seconds, self._end)
        self._at = max(at, now + MOMENT)
        self.expired = self.is_over = False
        self.task = current_task(self.loop)

    def is_late(self) -> bool:
        """Whether the time is over; `expired` says so only once the loop comes around."""
        return self._at is not None and self.loop.time() >= self._at

    def ring(self) -> None:
        """The time may be over."""
        self._timer = None
        at = self._at
        if at is None:
            return
        if at > self.loop.time():
            self._timer = self.loop.call_at(at, self.ring)
            return
        self.expired = True
        if self.task is not None:
            self._victim = self.task
            self._cancelling = self.task.cancelling()
            self.task.cancel()

    def error(self, provider: str) -> ProviderTimeoutError:
        """What it is that took too long."""
        late = ProviderTimeoutError(
            self._word,
            why=f"The provider {provider!r} was given no more time",
            fix="Try again, or allow more time",
            provider=provider,
        )
        # It was asked a moment before the end, or its answer was coming: that speaks of the call, and not against it.
        late.is_of_call = self._word == _OF_CALL and self.loop.time() - self._began < self._fair
        return late

    def interrupted(self) -> bool:
        """Whether it was this watch alone that interrupted the task; to be asked once, where the interruption arrives.

        Whoever else wants the task to end goes first.
        """
        victim, self._victim = self._victim, None
        return victim is not None and victim.uncancel() <= self._cancelling

    def close(self) -> None:
        """Stop, and take back what a provider kept to itself."""
        if self._victim is not None:
            self.interrupted()
        timer = self._timer
        if timer is None:
            return
        self._timer = None
        if isinstance(timer, Round):
            timer.watches.discard(self)
        else:
            timer.cancel()


class Round:
    """Looks after the watches of one loop every quarter of a second, while there are any."""

    __slots__ = ("is_looking", "watches")

    def __init__(self) -> None:
        self.watches: set[Watch] = set()
        """Those that it looks after. Whoever puts one in sees to it that it looks."""
        self.is_looking: bool = False

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look soon."""
        self.is_looking = True
        loop.call_later(QUARTER, self._look_again)

    def look(self) -> None:
        """Ring those whose time is over."""
        for watch in [each for each in self.watches if each.is_late()]:
            self.watches.discard(watch)
            watch.ring()

    def _look_again(self) -> None:
        self.is_looking = False
        self.look()
        if self.watches:
            self.begin(get_running_loop())


_rounds: Final = PerLoop(Round)


def round_of(loop: asyncio.AbstractEventLoop) -> Round:
    """What looks after the watches of a loop.

    Args:
        loop: The loop.
    """
    return _rounds.of(loop)
