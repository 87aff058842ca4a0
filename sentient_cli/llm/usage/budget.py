"""What may be spent, and what was: a limit is checked before anything is sent."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Annotated, Final, Literal, Protocol, TypeAlias

import msgspec
from msgspec import Meta

from sentient_cli.clock import Clock, SystemClock
from sentient_cli.errors import BudgetExceededError

__all__ = ["Budget", "BudgetLimits", "BudgetWarning", "Scope", "Spending", "forecast"]

Scope: TypeAlias = Literal["call", "session", "day", "profile"]
"""What a limit is for."""
Asking: TypeAlias = Literal["call", "batch"]
Dollars = Annotated[float, Meta(ge=0)]

SHARES: Final = (0.5, 0.8, 1.0)
_DAY_NS: Final = 24 * 3600 * 10**9
_HOUR_NS: Final = 3600 * 10**9
_TOLERANCE: Final = 1 + 1e-9
_SESSIONS: Final = 10_000
"""So many sessions are remembered; what an older one spent is read again."""
_REFRESH_NS: Final = 5 * 10**9
"""How long what other processes spend may go unseen."""

_logger = logging.getLogger(__name__)


class BudgetLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits in US dollars. None: there is none.

    Args:
        call: For one call.
        session: For the calls of one session.
        day: For the calls of one day, in UTC.
        profile: For the calls of one profile, ever.

    Example:
        >>> BudgetLimits(day=5).day, bool(BudgetLimits(day=5)), bool(BudgetLimits())
        (5, True, False)
    """

    call: Dollars | None = None
    session: Dollars | None = None
    day: Dollars | None = None
    profile: Dollars | None = None

    def __bool__(self) -> bool:
        return any(limit is not None for limit in (self.call, self.session, self.day, self.profile))


class BudgetWarning(msgspec.Struct, frozen=True, kw_only=True):
    """So much of a limit is spent.

    Args:
        scope: Of which limit.
        share: 0.5, 0.8 or 1.0.
        spent: US dollars so far.
        limit: US dollars.
        forecast: What the day will have cost at this pace; only for the day.
        session: Whose limit it is, if that of a session.
    """

    scope: Scope
    share: float
    spent: float
    limit: float
    forecast: float | None = None
    session: str | None = None

    @property
    def text(self) -> str:
        """For a reader.

        Example:
            >>> BudgetWarning(scope="day", share=0.5, spent=2.6, limit=5, forecast=7.8).text
            '50 % of the budget of the day is spent: $2.6000 of $5.0000; at this pace it will be $7.8000'
        """
        pace = f"; at this pace it will be ${self.forecast:.4f}" if self.forecast is not None else ""
        whose = f"{self.scope} {self.session}" if self.session else self.scope
        spent = f"${self.spent:.4f} of ${self.limit:.4f}"
        return f"{self.share * 100:.0f} % of the budget of the {whose} is spent: {spent}{pace}"


class Spending(Protocol):
    """Knows what was spent before, in other processes too: the ledger."""

    async def spent(self, *, since: int, session: str | None = None, profile: str | None = None) -> float:
        """US dollars since a moment, in nanoseconds since the epoch."""
        ...

    async def held(self, *, since: int, session: str | None = None, profile: str | None = None) -> float:
        """US dollars that are set aside for batches that were handed in since a moment."""
        ...


def forecast(spent: float, now_ns: int) -> float:
    """What the day will have cost at the pace so far; the first hour counts as a whole one.

    Example:
        >>> forecast(1.0, 6 * 3600 * 10**9)
        4.0
    """
    return spent * _DAY_NS / max(now_ns % _DAY_NS, _HOUR_NS)


class _Account:
    __slots__ = ("at", "held", "reading", "reserved", "seen", "since", "spent", "warned")

    def __init__(self, since: int) -> None:
        self.since = since
        self.spent = 0.0
        self.reserved = 0.0
        self.held = 0.0
        """What is set aside for batches."""
        self.seen = 0
        """How many changes of that were made when it was read last."""
        self.at: int | None = None
        """When what others spent was read last."""
        self.reading: asyncio.Task[None] | None = None
        """The reading that goes on: whoever comes meanwhile waits for it too."""
        self.warned = 0.0


class Budget:
    """Keeps to limits.

    What a call may cost is set aside before it is sent, so that calls at the same time keep to a limit together.

    Args:
        limits: What may be spent.
        spending: What was spent before, and elsewhere.
        profile: The profile that is in use.
        clock: What the time is.
        on_warning: Told once when 50, 80 and 100 % of a limit are spent; a warning is logged in any case.

    Example:
        >>> import asyncio
        >>> budget = Budget(BudgetLimits(day=1.0))
        >>> async def main() -> None:
        ...     reserved = await budget.reserve(0.75)
        ...     budget.settle(reserved, 0.75)
        ...     await budget.reserve(0.5)
        >>> asyncio.run(main())
        Traceback (most recent call last):
        ...
        sentient_cli.errors.BudgetExceededError: This call is over what is left of the budget of the day...
    """

    def __init__(
        self,
        limits: BudgetLimits,
        *,
        spending: Spending | None = None,
        profile: str = "default",
        clock: Clock | None = None,
        on_warning: Callable[[BudgetWarning], None] | None = None,
    ) -> None:
        self.limits: BudgetLimits = limits
        self._spending = spending
        self._profile = profile
        self._clock = clock or SystemClock()
        self._on_warning = on_warning
        self._day = _Account(0)
        self._whole = _Account(0)
        self._sessions: OrderedDict[str, _Account] = OrderedDict()
        self._changes = 0

    async def reserve(
        self, amount: float, session: str | None = None, *, before: float = 0.0, kind: Asking = "call"
    ) -> Reserved:
        """Set aside what a call may cost.

        Args:
            amount: In US dollars.
            session: Whose call it is.
            before: What other attempts of the same call cost, or may cost.
            kind: Whether it is a call or a batch, for which the limit of a call says nothing.

        Raises:
            BudgetExceededError: that is more than is left.
        """
        most = self.limits.call if kind == "call" else None
        if most is not None and amount > 0 and before + amount > most * _TOLERANCE:
            raise _exceeded(kind, "call", amount, before, most)
        accounts = self._accounts(session)
        for scope, account, _ in accounts:
            await self._refresh(scope, account, session)
        for scope, account, limit in accounts:
            # What costs nothing is always allowed; so is what is left, to the last cent.
            if amount > 0 and account.spent + account.held + account.reserved + amount > limit * _TOLERANCE:
                self._warn(scope, account, limit, session)
                raise _exceeded(kind, scope, amount, account.spent, limit, account.held, account.reserved)
        for _, account, _ in accounts:
            account.reserved += amount
        return Reserved(amount, session, tuple(account for _, account, _ in accounts))

    def settle(self, reserved: Reserved, cost: float) -> list[BudgetWarning]:
        """Give back what was set aside and count what the call cost; the warnings that this leads to.

        Args:
            reserved: What `reserve` gave.
            cost: In US dollars; 0 if the call came to nothing.
        """
        for account in reserved.accounts:
            account.reserved = max(0.0, account.reserved - reserved.amount)
            account.spent += cost
        told = [
            self._warn(scope, account, limit, reserved.session)
            for scope, account, limit in self._accounts(reserved.session)
        ]
        return [warning for warning in told if warning is not None]

    def hold(self, reserved: Reserved) -> None:
        """Leave what was set aside for a batch to whoever knows what is set aside for batches.

        Args:
            reserved: What `reserve` gave.
        """
        for account in reserved.accounts:
            account.reserved = max(0.0, account.reserved - reserved.amount)
            account.held += reserved.amount
        self.changed()

    def changed(self) -> None:
        """What is set aside for batches is not what it was: read it again before the next call."""
        self._changes += 1

    def _accounts(self, session: str | None) -> list[tuple[Scope, _Account, float]]:
        found: list[tuple[Scope, _Account, float]] = []
        if self.limits.session is not None and session is not None:
            found.append(("session", self._session(session), self.limits.session))
        if self.limits.day is not None:
            today = self._clock.now_ns() // _DAY_NS * _DAY_NS
            if self._day.since != today:
                self._day = _Account(today)
            found.append(("day", self._day, self.limits.day))
        if self.limits.profile is not None:
            found.append(("profile", self._whole, self.limits.profile))
        return found

    def _session(self, session: str) -> _Account:
        account = self._sessions.get(session)
        if account is None:
            account = self._sessions[session] = _Account(0)
            if len(self._sessions) > _SESSIONS:
                self._sessions.popitem(last=False)
        self._sessions.move_to_end(session)
        return account

    async def _refresh(self, scope: Scope, account: _Account, session: str | None) -> None:
        fresh = account.at is not None and self._clock.now_ns() - account.at < _REFRESH_NS
        if self._spending is None or (fresh and account.seen == self._changes):
            return
        reading = account.reading
        if reading is None or reading.done() or reading.get_loop() is not asyncio.get_running_loop():
            reading = account.reading = asyncio.ensure_future(self._read(self._spending, scope, account, session))
        # A call that is cancelled does not end the reading that others wait for.
        await asyncio.shield(reading)

    async def _read(self, spending: Spending, scope: Scope, account: _Account, session: str | None) -> None:
        now = self._clock.now_ns()
        wanted = session if scope == "session" else None
        profile = self._profile if scope == "profile" else None
        # A batch of yesterday may be answered today.
        begun = max(0, account.since - _DAY_NS)
        while True:
            seen = self._changes
            held = await spending.held(since=begun, session=wanted, profile=profile)
            spent = await spending.spent(since=account.since, session=wanted, profile=profile)
            if seen == self._changes:
                break
        account.seen, account.held = seen, held
        # What is written late counts by what is known here; what others spent counts by what is written.
        account.spent = max(account.spent, spent)
        if account.at is None:  # of what was spent before this process, another one has warned
            account.warned = max(account.warned, _reached(spent, self._limit(scope)))
        account.at, account.reading = now, None

    def _limit(self, scope: Scope) -> float:
        limits = {"call": self.limits.call, "session": self.limits.session, "day": self.limits.day}
        return limits.get(scope, self.limits.profile) or 0.0

    def _warn(self, scope: Scope, account: _Account, limit: float, session: str | None) -> BudgetWarning | None:
        share = _reached(account.spent, limit)
        if share <= account.warned:
            return None
        account.warned = share
        expected = forecast(account.spent, self._clock.now_ns()) if scope == "day" else None
        whose = session if scope == "session" else None
        warning = BudgetWarning(
            scope=scope, share=share, spent=account.spent, limit=limit, forecast=expected, session=whose
        )
        _logger.warning("%s", warning.text)
        if self._on_warning is not None:
            self._on_warning(warning)
        return warning


def _reached(spent: float, limit: float) -> float:
    """The largest share of a limit, of those that are warned of, that is spent."""
    return max((share for share in SHARES if limit > 0 and spent >= share * limit), default=0.0)


class Reserved(msgspec.Struct, frozen=True):
    """What was set aside for a call.

    Args:
        amount: US dollars.
        session: Whose call it is.
        accounts: Where it is counted.
    """

    amount: float
    session: str | None
    accounts: tuple[_Account, ...]


def _exceeded(
    kind: Asking, scope: Scope, amount: float, spent: float, limit: float, held: float = 0.0, reserved: float = 0.0
) -> BudgetExceededError:
    if scope == "call":
        tried = f", after ${spent:.4f} for what was tried before" if spent else ""
        why = f"It would cost up to ${amount:.4f}{tried}, and a call may cost ${limit:.4f}"
    else:
        aside = {"batches": held, "calls that go on": reserved}
        told = "".join(f", ${amount:.4f} are set aside for {whom}" for whom, amount in aside.items() if amount)
        why = f"${spent:.4f} of ${limit:.4f} are spent{told}, and this {kind} would cost up to ${amount:.4f}"
    if scope == "call":
        what = "This call is over the budget of a call"
    elif spent * _TOLERANCE >= limit:
        what = f"The budget of the {scope} is used up"
    else:
        what = f"This {kind} is over what is left of the budget of the {scope}"
    return BudgetExceededError(
        what,
        why=f"{why}. Nothing was sent",
        fix=f"Raise `llm.budget.{scope}`, use a cheaper model, or `offline`, which costs nothing;"
        " `sentient usage` shows what was spent",
    )
