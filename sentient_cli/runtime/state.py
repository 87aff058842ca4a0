"""What an agent remembers of a session besides its turns: values of declared types, each under a key."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import cached_property
from types import UnionType
from typing import TYPE_CHECKING, Generic, Literal, TypeVar, Union, cast, get_origin

from sentient_cli.clock import Clock, SystemClock
from sentient_cli.errors import InvalidEventError, StateError, VersionConflictError
from sentient_cli.runtime.finite import check_finite
from sentient_cli.store.ports import StateStore

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

__all__ = ["SessionState", "StateKey"]

T = TypeVar("T")

MAX_SIZE = 1024 * 1024
"""Bytes of JSON that one value may have."""
STATE_PREFIX = "state/"
"""Of the keys of a store under which state is kept; then come the session and the name."""
_FIX_READING = "Give new fields defaults, or take another name for the key"
_FIX_WRITING = "Store a value of the key's type, or declare the key with another type"
_NOT_CALLED = (Union, UnionType, Literal)
_MISFIT = "PydanticSerializationUnexpectedValue("
_SHOWN_VALUE = re.compile(r"input_value=(?:.*, (?=input_type=)|.*)")
_MAX_REASONS = 3
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
        ValueError: the name has other characters, or the type is one that cannot be called and there is no default.

    Example:
        >>> VISITS = StateKey("visits", int)
        >>> VISITS.default()
        0
    """

    def __init__(self, name: str, kind: type[T], default: Callable[[], T] | None = None) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(f"the name of a state has 1 to 128 letters, digits, `_`, `-` and `.`, not {name!r:.80}")
        if default is None and not _makes_default(kind):
            raise ValueError(f"the state {name!r} needs a default: {kind!r:.80} cannot be called to make one")
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
            raise self._misfit("cannot be stored", _reasons(str(error)), _FIX_WRITING) from None
        if len(data) > MAX_SIZE:
            why = f"It has {len(data)} bytes, of at most {MAX_SIZE}"
            raise self._misfit("is too large to be stored", why, "Store less of it, or under several keys")
        return data

    def check(self, value: T, data: bytes) -> None:
        """Make sure that a value can be read again.

        Args:
            value: The value.
            data: What `encode` made of it.

        Raises:
            StateError: it cannot, such as a number that JSON does not know, or one that the type's own rules refuse.
        """
        from pydantic import ValidationError  # noqa: PLC0415 - as above

        try:
            if b"null" in data:  # what becomes of a NaN, and may fit the type
                check_finite(self._adapter.dump_python(value, warnings=False))
            self._adapter.validate_json(data)
        except ValidationError as error:
            raise self._misfit("cannot be stored", _first_fault(error), _FIX_WRITING) from None
        except InvalidEventError as error:
            why = f"JSON does not know the number: {error.why}"
            raise self._misfit("cannot be stored", why, _FIX_WRITING) from None
        except (TypeError, RecursionError):
            pass  # it holds what only its type can write, and was just read

    def decode(self, data: bytes) -> T:
        """The value of JSON that `encode` wrote.

        Raises:
            StateError: it does not fit the type, which may have been another one then.
        """
        from pydantic import ValidationError  # noqa: PLC0415 - as above

        try:
            return self._adapter.validate_json(data)
        except ValidationError as error:
            raise self._misfit("was stored as something else", _first_fault(error), _FIX_READING) from None

    def _misfit(self, what: str, why: str, fix: str) -> StateError:
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
            key.check(value, data)
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


def _makes_default(kind: object) -> bool:
    return callable(kind) and get_origin(kind) not in _NOT_CALLED


def _reasons(text: str) -> str:
    """What pydantic says, without the values."""
    lines = [line.strip() for line in text.splitlines()]
    misfits = [line.removeprefix(_MISFIT).removesuffix(")") for line in lines if line.startswith(_MISFIT)]
    return "; ".join(_SHOWN_VALUE.sub("", line) for line in misfits[:_MAX_REASONS]) if misfits else lines[0]


def _first_fault(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    path = ".".join(str(part) for part in cast("tuple[object, ...]", first["loc"]))
    return f"{path}: {first['msg']}" if path else first["msg"]
