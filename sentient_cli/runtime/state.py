"""What an agent remembers of a session besides its turns: values of declared types, each under a key."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from sentient_cli.clock import Clock, SystemClock
from sentient_cli.errors import StateError, VersionConflictError
from sentient_cli.store.ports import StateStore

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

__all__ = ["SessionState", "StateKey"]

T = TypeVar("T")

MAX_SIZE = 1024 * 1024
"""Bytes of JSON that one value may have."""
STATE_PREFIX = "state/"
"""Of the keys of a store under which state is kept; then come the session and the name."""
_TRIES = 24
_LONGEST_WAIT = 0.2
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")


class StateKey(Generic[T]):
    """Declares a value of a session: its name and its type. Declare it once, at a module's level.

    Args:
        name: 1 to 128 letters, digits, ``_``, ``-`` and ``.``; what was stored is found under it again.
        kind: The type: a pydantic model, a dataclass, a ``TypedDict``, or what JSON has.
        default: Makes the value of a session that has none; the type itself, called without arguments, unless given.

    Raises:
        ValueError: the name has other characters.

    Example:
        >>> VISITS = StateKey("visits", int)
        >>> VISITS.default()
        0
    """

    def __init__(self, name: str, kind: type[T], default: Callable[[], T] | None = None) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(f"the name of a state has 1 to 128 letters, digits, `_`, `-` and `.`, not {name!r:.80}")
        self.name = name
        self.kind = kind
        self.default: Callable[[], T] = default or kind

    @cached_property
    def _adapter(self) -> TypeAdapter[T]:
        from pydantic import TypeAdapter  # noqa: PLC0415 - only where a state is used

        return TypeAdapter(self.kind)

    def encode(self, value: T) -> bytes:
        """The value as JSON.

        Raises:
            StateError: it is not of the type, or too large.
        """
        from pydantic_core import PydanticSerializationError  # noqa: PLC0415 - as above

        try:
            data = self._adapter.dump_json(value, by_alias=True, round_trip=True, warnings="error")
        except (PydanticSerializationError, RecursionError) as error:
            raise self._misfit("cannot be stored", str(error).partition("\n")[0]) from error
        if len(data) > MAX_SIZE:
            raise self._misfit("is too large to be stored", f"It has {len(data)} bytes, of at most {MAX_SIZE}")
        return data

    def decode(self, data: bytes) -> T:
        """The value of JSON that `encode` wrote.

        Raises:
            StateError: it does not fit the type, which may have been another one then.
        """
        from pydantic import ValidationError  # noqa: PLC0415 - as above

        try:
            return self._adapter.validate_json(data)
        except ValidationError as error:
            raise self._misfit("was stored as something else", _first_fault(error)) from None

    def _misfit(self, what: str, why: str) -> StateError:
        fix = "Give new fields defaults, or take another name for the key"
        return StateError(f"The state {self.name!r} {what}", why=why, fix=fix)

    def __repr__(self) -> str:
        return f"StateKey({self.name!r}, {getattr(self.kind, '__name__', self.kind)})"


class SessionState:
    """The values of one session. An agent has it as ``session.state``.

    A change is kept at once, whatever becomes of the run. Each value that is read is a new one: altering it changes
    nothing until it is given to `set` or returned to `change`.

    Args:
        store: Keeps them.
        session: The id of the session.
        clock: Waits between two tries when somebody else wrote first.

    Example:
        >>> import asyncio
        >>> from sentient_cli.store.memory import MemoryStateStore
        >>> VISITS = StateKey("visits", int)
        >>> async def main() -> int:
        ...     state = SessionState(MemoryStateStore(), "01JS4F4Z5V0000000000000002")
        ...     await state.change(VISITS, lambda visits: visits + 1)
        ...     return await state.get(VISITS)
        >>> asyncio.run(main())
        1
    """

    __slots__ = ("_clock", "_session", "_store")

    def __init__(self, store: StateStore, session: str, clock: Clock | None = None) -> None:
        self._store = store
        self._session = session
        self._clock = clock

    def _place(self, key: StateKey[T]) -> str:
        return f"{STATE_PREFIX}{self._session}/{key.name}"

    async def get(self, key: StateKey[T]) -> T:
        """The value, or the key's default when there is none.

        Raises:
            StateError: what was stored does not fit the type.
            StoreError: the store could not read it.
        """
        row = await self._store.get(self._place(key))
        return key.default() if row is None else key.decode(row.value)

    async def set(self, key: StateKey[T], value: T) -> None:
        """Put a value in the place of any other.

        Raises:
            StateError: it is not of the type, or too large.
            StoreError: the store could not keep it.
        """
        await self._write(key, lambda _data: value)

    async def change(self, key: StateKey[T], function: Callable[[T], T]) -> T:
        """Make a new value of the old one, so that of changes at the same time none is lost.

        Args:
            key: Which value.
            function: Gets the value, or the default, and returns the new one. When somebody else wrote meanwhile, it is
                called again with what they wrote, so it does nothing else.

        Returns:
            What was stored.

        Raises:
            StateError: the new value is not of the type or too large, or the old one does not fit.
            VersionConflictError: others change it all the time.
            StoreError: the store could not read or keep it.
        """
        return await self._write(key, lambda data: function(key.default() if data is None else key.decode(data)))

    async def _write(self, key: StateKey[T], function: Callable[[bytes | None], T]) -> T:
        place = self._place(key)
        for attempt in range(_TRIES):
            row = await self._store.get(place)
            value = function(None if row is None else row.value)
            data = key.encode(value)
            try:
                await self._store.put(place, data, expected=0 if row is None else row.version, at=self._now())
            except VersionConflictError:
                await self._wait(attempt)
            else:
                return value
        raise VersionConflictError(
            f"The state {key.name!r} could not be changed",
            why=f"Others changed it each of the {_TRIES} times that it was tried",
            fix="Try again, or change it less often",
        )

    def _now(self) -> int:
        return (self._clock or SystemClock()).now_ns()

    async def _wait(self, attempt: int) -> None:
        # Chance parts those who collided.
        longest = min(_LONGEST_WAIT, 0.005 * 2**attempt)
        await (self._clock or SystemClock()).sleep(random.uniform(0, longest))  # noqa: S311


def _first_fault(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    path = ".".join(str(part) for part in cast("tuple[object, ...]", first["loc"]))
    return f"{path}: {first['msg']}" if path else first["msg"]
