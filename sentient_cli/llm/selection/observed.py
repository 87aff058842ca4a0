"""What was seen of each model: how soon it begins to answer, how many calls it has now, how long its answers are."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from typing import Final

from sentient_cli.errors import (
    BadRequestError,
    CircuitOpenError,
    ContentFilterError,
    ModelNotFoundError,
    OutputError,
    ProviderError,
    ProviderTimeoutError,
)
from sentient_cli.llm.call import Answering, Call
from sentient_cli.llm.provider import Request
from sentient_cli.llm.types import Chunk

__all__ = ["Observed", "Observing", "Seen"]

_WEIGHT: Final = 0.2
"""How much the newest counts in an average."""
_MOST: Final = 10_000


class Seen:
    """What was seen of one model.

    Example:
        >>> seen = Seen()
        >>> seen.begun(1.0)
        >>> seen.begun(2.0)
        >>> seen.first_token
        1.2
    """

    __slots__ = ("active", "at", "failures", "first_token", "output")

    def __init__(self) -> None:
        self.active: int = 0
        """Calls that go on."""
        self.first_token: float | None = None
        """Seconds to the first piece of an answer, the last ones counting most; None: not seen yet."""
        self.output: float | None = None
        """Tokens of an answer, likewise."""
        self.failures: int = 0
        """How often it failed since an answer last came to its end."""
        self.at: float | None = None
        """When it last began to answer, or failed, on the clock of `Observed`; None: nobody noted it."""

    def begun(self, seconds: float) -> None:
        """An answer began after so long."""
        self.first_token = _averaged(self.first_token, seconds)

    def ended(self, output: int) -> None:
        """An answer had so many tokens."""
        self.output = _averaged(self.output, output)


def _averaged(before: float | None, value: float) -> float:
    return float(value) if before is None else before + _WEIGHT * (value - before)


def _is_of_model(error: ProviderError) -> bool:
    if isinstance(error, ModelNotFoundError):
        return True
    if isinstance(error, ProviderTimeoutError) and error.is_of_call:
        return False
    return not isinstance(error, BadRequestError | CircuitOpenError | ContentFilterError | OutputError)


class Observed:
    """What was seen of all models, by model id.

    Args:
        now: Seconds, from any moment on.

    Example:
        >>> Observed().of("offline:echo").active
        0
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.now: Callable[[], float] = now
        """What the time is, in seconds from any moment on."""
        self._seen: dict[str, Seen] = {}

    def of(self, model: str) -> Seen:
        """What was seen of one."""
        seen = self._seen.get(model)
        if seen is None:
            if len(self._seen) >= _MOST:
                self._seen.pop(next(iter(self._seen)))
            seen = self._seen[model] = Seen()
        return seen


class Observing:
    """Watches what answers.

    Args:
        inner: What answers.
        observed: Where what is seen is kept.
    """

    __slots__ = ("_inner", "_now", "_observed")

    def __init__(self, inner: Answering, observed: Observed) -> None:
        self._inner = inner
        self._observed = observed
        self._now = observed.now

    async def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        """Answer as what is inside does.

        Raises:
            ProviderError: of the class that fits.
        """
        seen = self._observed.of(f"{call.provider}:{request.model}")
        seen.active += 1
        began: float | None = self._now()
        source = self._inner.stream(request, call)
        try:
            async for chunk in source:
                if began is not None and (chunk.text or chunk.tool_call is not None or chunk.thinking is not None):
                    seen.at = self._now()
                    seen.begun(seen.at - began)
                    began = None
                if chunk.usage is not None and chunk.usage.output is not None:
                    seen.ended(chunk.usage.output)
                yield chunk
            seen.failures = 0
        except ProviderError as error:
            if _is_of_model(error):
                seen.failures, seen.at = seen.failures + 1, self._now()
            raise
        finally:
            seen.active -= 1
            await source.aclose()
