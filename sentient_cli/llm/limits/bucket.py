"""A bucket that fills evenly and may be overdrawn: whoever overdraws it waits until it is full enough, in turn."""

from __future__ import annotations

__all__ = ["Bucket"]


class Bucket:
    """So many a minute. What is taken beyond what there is has to be waited for; each waits behind those before.

    Args:
        per_minute: How many come in a minute; None: as many as one likes.

    Example:
        >>> bucket = Bucket(60)
        >>> bucket.wait(60, now=0.0)
        0.0
        >>> bucket.take(60, now=0.0)
        >>> bucket.wait(1, now=0.0), bucket.wait(1, now=0.5)
        (1.0, 0.5)
    """

    __slots__ = ("_at", "_known", "level", "per_minute")

    def __init__(self, per_minute: float | None) -> None:
        self.per_minute: float | None = per_minute
        self.level: float = per_minute or 0.0
        self._at: float | None = None
        self._known = per_minute is not None

    def wait(self, count: float, now: float) -> float:
        """Seconds until so many can be taken. What is more than a whole minute's waits for a full bucket."""
        if self.per_minute is None:
            return 0.0
        self._fill(now)
        missing = min(count, self.per_minute) - self.level
        # What rounding leaves behind is no reason to wait.
        return missing * 60.0 / self.per_minute if missing > self.per_minute * 1e-9 else 0.0

    def take(self, count: float, now: float) -> None:
        """Take so many, now or for the time when one has waited."""
        if self.per_minute is not None:
            self._fill(now)
            self.level -= count

    def give_back(self, count: float) -> None:
        """Give back what was not used."""
        if self.per_minute is not None:
            self.level = min(self.per_minute, self.level + count)

    def learn(self, limit: float | None, remaining: float | None, reset: float | None, now: float) -> None:
        """Take over what the provider tells: never more than it has, whatever we think.

        Args:
            limit: How many a minute.
            remaining: How many now.
            reset: Seconds until it is full again.
            now: Seconds, from any moment on.
        """
        if limit is not None and limit >= 1:
            if self.per_minute is None:
                self.level, self._at = limit, now
            self.per_minute = limit
        if self.per_minute is None or remaining is None:
            return
        self._fill(now)
        self.level = min(self.level, remaining)
        if remaining < 1 and reset:
            # It fills by the provider's clock: nothing is there before a share of the reset has passed.
            self.level = min(self.level, 1.0 - min(reset, 60.0) * self.per_minute / 60.0)

    def _fill(self, now: float) -> None:
        if self.per_minute is None:
            return
        if self._at is not None and now > self._at:
            self.level = min(self.per_minute, self.level + (now - self._at) * self.per_minute / 60.0)
        self._at = now if self._at is None else max(self._at, now)
