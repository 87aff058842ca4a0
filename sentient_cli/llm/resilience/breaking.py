"""The breakers of all targets, and what asks them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from sentient_cli.clock import Clock
from sentient_cli.errors import (
    CircuitOpenError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    QuotaError,
    RateLimitError,
    ServerError,
)
from sentient_cli.llm.resilience.breaker import Breaker, BreakerPolicy, BreakerState, Ticket

__all__ = ["BreakerListener", "Breakers", "Guard", "speaks_against"]

MOST: Final = 4096
"""Breakers that are kept: the names of models come from outside."""
_AGAINST: Final = (ProviderConnectionError, ProviderTimeoutError, RateLimitError, QuotaError, ServerError)


def speaks_against(error: ProviderError) -> bool:
    """Whether an error is the target's fault: no connection, no time, cut off, 408, 409, 429 or 5xx.

    That we have no connection left for it (`PoolExhaustedError`) says nothing, nor does a call without time.

    Example:
        >>> from sentient_cli.errors import BadRequestError
        >>> speaks_against(ServerError("Down")), speaks_against(BadRequestError("What?"))
        (True, False)
    """
    return isinstance(error, _AGAINST) and not (isinstance(error, ProviderTimeoutError) and error.is_of_call)


class BreakerListener(Protocol):
    """Is told when a breaker changes."""

    def __call__(self, provider: str, model: str, state: BreakerState) -> None:
        """Take the new state."""
        ...


class Breakers:
    """A breaker for each provider and model.

    Args:
        policy: The policy of a provider, by its id.
        clock: What the time is.

    Example:
        >>> from sentient_cli.clock import SystemClock
        >>> breakers = Breakers(lambda provider: BreakerPolicy(), SystemClock())
        >>> breakers.state("openai", "gpt"), breakers.states()
        ('closed', {})
    """

    def __init__(self, policy: Callable[[str], BreakerPolicy], clock: Clock) -> None:
        self._policy = policy
        self.clock: Clock = clock
        """What the time is."""
        self.all: dict[tuple[str, str], Breaker] = {}
        """Those that there are, by provider and model. To be read only."""
        self._told: dict[tuple[str, str], BreakerState] = {}
        self._listeners: list[BreakerListener] = []

    def listen(self, listener: BreakerListener) -> None:
        """Tell somebody of every change from now on; what he raises goes to who made the call, so he should not."""
        self._listeners.append(listener)

    def now(self) -> float:
        """What the time is, in seconds."""
        return self.clock.now_ns() / 1e9

    def state(self, provider: str, model: str) -> BreakerState:
        """Whether calls pass."""
        breaker = self.all.get((provider, model))
        return "closed" if breaker is None else breaker.state(self.now())

    def states(self) -> dict[tuple[str, str], BreakerState]:
        """All that were used, by provider and model."""
        now = self.now()
        return {target: breaker.state(now) for target, breaker in self.all.items()}

    def admits(self, provider: str, model: str) -> bool:
        """Whether a call would pass."""
        breaker = self.all.get((provider, model))
        return breaker is None or breaker.until is None or breaker.admits(self.now())

    def of(self, provider: str, model: str) -> Breaker:
        """The breaker of a target."""
        target = (provider, model)
        breaker = self.all.get(target)
        if breaker is None:
            if len(self.all) >= MOST:
                self.all = {key: kept for key, kept in self.all.items() if not kept.is_new}
            breaker = self.all[target] = Breaker(self._policy(provider))
        return breaker

    def forget(self, provider: str) -> None:
        """Begin anew with a provider."""
        for target in [each for each in self.all if each[0] == provider]:
            del self.all[target]
            self._told.pop(target, None)

    def changed(self, provider: str, model: str, breaker: Breaker) -> None:
        """Tell the listeners if a breaker has changed."""
        if not self._listeners:
            return
        state = breaker.state(self.now())
        if state != self._told.get((provider, model), "closed"):
            self._told[provider, model] = state
            for listener in self._listeners:
                listener(provider, model, state)


class Guard:
    """The breakers of one provider: each attempt asks before it begins, and tells how it ended.

    Args:
        provider: The id of the provider.
        breakers: All of them.
    """

    __slots__ = ("_breakers", "_provider")

    def __init__(self, provider: str, breakers: Breakers) -> None:
        self._provider = provider
        self._breakers = breakers

    def enter(self, model: str, *, rescue: bool) -> tuple[Breaker, Ticket]:
        """Ask to begin.

        Args:
            model: The model, as the provider names it.
            rescue: Whether every model that could be asked rests.

        Raises:
            CircuitOpenError: the model rests.
        """
        breakers = self._breakers
        breaker = breakers.all.get((self._provider, model)) or breakers.of(self._provider, model)
        ticket = breaker.ticket
        if ticket is not None:
            breaker.pending += 1
            return breaker, ticket
        ticket = breaker.admit(self._breakers.now(), rescue=rescue)
        if ticket is None:
            raise _resting(self._provider, model, breaker, self._breakers.now())
        breaker.pending += 1
        if ticket.probe:
            self._breakers.changed(self._provider, model, breaker)
        return breaker, ticket

    def leave(self, model: str, breaker: Breaker, ticket: Ticket, outcome: ProviderError | bool) -> None:
        """Tell how it ended.

        Args:
            model: The model, as the provider names it.
            breaker: What `enter` gave.
            ticket: What `enter` gave.
            outcome: The error; or whether there was an answer: False means that nobody waited for it.
        """
        breakers = self._breakers
        breaker.pending -= 1
        if outcome is True:
            is_closed = ticket is breaker.ticket
            breaker.succeeded(ticket, breakers.clock.now_ns() / 1e9)
            if is_closed:
                return
        elif outcome is not False and speaks_against(outcome):
            breaker.failed(ticket, breakers.now(), outcome.retry_after)
        else:
            breaker.released(ticket)
        breakers.changed(self._provider, model, breaker)


def _resting(provider: str, model: str, breaker: Breaker, now: float) -> CircuitOpenError:
    left = max(0.0, (breaker.until or now) - now)
    why = f"It is tried again in {left:.0f} s" if left else "A call finds out just now whether it is back"
    return CircuitOpenError(
        f"{provider}:{model} rests, since it failed too often",
        why=why,
        fix="Wait, or add another provider to fall back on",
        provider=provider,
        retry_after=left or None,
    )
