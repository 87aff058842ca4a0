"""The breaker: a target that fails again and again rests, and is tried with one call before all come back.

A pure state machine: what the time is comes with each call.

    closed ──too many failures──> open ──its time is over──> half-open ──the probe succeeds──> closed
                                   ^                             │
                                   └────────the probe fails──────┘
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from sentient_cli.llm.checked import check_fields

__all__ = ["Breaker", "BreakerPolicy", "BreakerState", "Ticket"]

BreakerState: TypeAlias = Literal["closed", "open", "half_open"]
"""Whether calls pass: all, none, or one to find out."""


_USUAL: Final = 1 / 16
"""The share of calls that may fail with no more to it."""


class BreakerPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """When a target rests, and for how long. Times are in seconds.

    Args:
        failures: So many in a row are too many; more, where more than one call in sixteen fails anyhow, so that chance
            alone opens nothing.
        share: So large a part of the calls in the window is too much,
        minimum: if there were so many calls.
        window: How long calls are remembered, about.
        open_for: How long a target rests; each time that its probe fails twice as long,
        longest: and never longer than this, whatever the provider asks for.
        rescue: How often one call is let through to a target that rests when there is no other that does not.

    Example:
        >>> BreakerPolicy(failures=3).open_for
        10.0
    """

    failures: Annotated[int, Meta(ge=1)] = 5
    share: Annotated[float, Meta(gt=0, le=1)] = 0.7
    minimum: Annotated[int, Meta(ge=1)] = 20
    window: Annotated[float, Meta(gt=0)] = 30.0
    open_for: Annotated[float, Meta(gt=0)] = 10.0
    longest: Annotated[float, Meta(gt=0)] = 300.0
    rescue: Annotated[float, Meta(gt=0)] = 1.0

    def __post_init__(self) -> None:
        check_fields(self)


class Ticket(msgspec.Struct, frozen=True, gc=False):
    """The right to make one call; it is given back with how the call ended.

    Args:
        epoch: Between which two changes of the breaker it was given.
        probe: Whether this is the one call that finds out.
    """

    epoch: int
    probe: bool = False


class Breaker:
    """The breaker of one target.

    Args:
        policy: When it opens, and for how long.

    Example:
        >>> breaker = Breaker(BreakerPolicy(failures=1, open_for=10))
        >>> breaker.failed(breaker.admit(0.0), 0.0)
        >>> breaker.state(1.0), breaker.admit(1.0), breaker.state(10.0)
        ('open', None, 'half_open')
        >>> breaker.succeeded(breaker.admit(10.0), 11.0)
        >>> breaker.state(11.0)
        'closed'
    """

    __slots__ = (
        "_began",
        "_epoch",
        "_failed",
        "_opened",
        "_passed",
        "_probe",
        "_probed_until",
        "_rescue_at",
        "_rest",
        "_row",
        "_trips",
        "pending",
        "policy",
        "ticket",
        "until",
    )

    def __init__(self, policy: BreakerPolicy) -> None:
        self.policy: BreakerPolicy = policy
        self.pending: int = 0
        """Calls that go on now; whoever makes them counts them."""
        self.until: float | None = None
        """When the rest ends or ended; None: it is closed. To be read only."""
        self.ticket: Ticket | None = Ticket(0)
        """While it is closed what `admit` gives, the same for all calls between two changes. To be read only."""
        self._epoch = 0
        self._opened = 0
        self._rest = policy.open_for
        self._rescue_at = 0.0
        self._probe: Ticket | None = None
        self._probed_until = 0.0
        self._trips = 0
        self._row = 0
        self._began = 0.0
        self._passed = 0
        self._failed = 0

    @property
    def is_new(self) -> bool:
        """Whether it holds nothing that would be missed."""
        return self.until is None and self._row == 0

    def state(self, now: float) -> BreakerState:
        """Whether calls pass now."""
        if self.until is None:
            return "closed"
        return "half_open" if self._is_probed(now) or now >= self.until else "open"

    def admits(self, now: float) -> bool:
        """Whether a call would pass now."""
        return self.until is None or (now >= self.until and not self._is_probed(now))

    def _is_probed(self, now: float) -> bool:
        """Whether a call finds out; one that takes longer than the rest did keeps nobody from finding out too."""
        return self._probe is not None and now < self._probed_until

    def admit(self, now: float, *, rescue: bool = False) -> Ticket | None:
        """Ask to make a call; None: not now.

        Args:
            now: What the time is, in seconds.
            rescue: Whether there is no other target left.
        """
        if self.until is None:
            return self.ticket
        if self._is_probed(now) or (now < self.until and not (rescue and now >= self._rescue_at)):
            return None
        self._epoch += 1
        self._probe, self._probed_until = Ticket(self._epoch, probe=True), now + self._rest
        return self._probe

    def succeeded(self, ticket: Ticket | None, now: float) -> None:
        """A call ended well. One that was begun before the target rested says nothing any more."""
        if ticket is None:
            return
        if ticket is self.ticket:
            self._row = 0
            if now - self._began >= self.policy.window:
                self._forget(now)
            self._passed += 1
        elif self._finds_out(ticket):
            self._close()

    def failed(self, ticket: Ticket | None, now: float, retry_after: float | None = None) -> None:
        """A call failed in a way that speaks against the target.

        Args:
            ticket: Its ticket.
            now: What the time is, in seconds.
            retry_after: How long the provider wants to be left alone.
        """
        if ticket is None:
            return
        if self._finds_out(ticket):
            self._trips += 1
            self._open(now, retry_after)
        elif self.until is not None:
            if retry_after:
                self._extend(now, retry_after)
        elif ticket is self.ticket:
            self._row += 1
            if now - self._began >= self.policy.window:
                self._forget(now)
            self._failed += 1
            if self._is_too_much():
                self._open(now, retry_after)

    def released(self, ticket: Ticket | None) -> None:
        """A call was cancelled, or failed in a way that says nothing about the target."""
        if ticket is not None and ticket is self._probe:
            self._probe = None

    def _finds_out(self, ticket: Ticket) -> bool:
        return ticket.probe and ticket.epoch > self._opened and self.until is not None

    def _is_too_much(self) -> bool:
        # What fails at once ends before what does not: of calls that began together the first to end have all failed. A
        # row of failures says something only if it is no shorter than the number of those that may still go well.
        policy, calls = self.policy, self._passed + self._failed
        is_in_a_row = self._row >= max(policy.failures, self.pending) and not self._is_chance(calls - self._row)
        return is_in_a_row or (calls >= policy.minimum and self._failed >= policy.share * (calls + self.pending))

    def _is_chance(self, before: int) -> bool:
        """Whether so long a row is to be expected from what failed of the calls before it."""
        if before < self.policy.minimum:
            return False
        share = max(0, self._failed - self._row) / before
        return share**self._row > _USUAL**self.policy.failures

    def _forget(self, now: float) -> None:
        self._began, self._passed, self._failed = now, 0, 0

    def _open(self, now: float, retry_after: float | None) -> None:
        policy = self.policy
        self._epoch += 1
        self._opened = self._epoch
        self.ticket = self._probe = None
        self._rest = min(policy.longest, policy.open_for * 2 ** min(self._trips, 30))
        self.until = max(self.until or 0.0, now + self._rest)
        self._rescue_at = max(self._rescue_at, now + policy.rescue)
        if retry_after:
            self._extend(now, retry_after)

    def _extend(self, now: float, seconds: float) -> None:
        until = now + min(seconds, self.policy.longest)
        self.until = max(self.until or 0.0, until)
        self._rescue_at = max(self._rescue_at, until)

    def _close(self) -> None:
        self._epoch += 1
        self.ticket = Ticket(self._epoch)
        self.until = self._probe = None
        self._trips = self._row = self._passed = self._failed = 0
        self._rescue_at = 0.0
