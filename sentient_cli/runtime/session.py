"""The session as an agent sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterable
from typing import Self

from sentient_cli.clock import Ulid
from sentient_cli.runtime.request import Interaction, SessionData
from sentient_cli.runtime.state import SessionState

__all__ = ["Interactions", "Session"]


class Interactions(list[Interaction]):
    """Earlier turns: a list that can also be awaited and iterated with ``async for``.

    Agents of the public framework do all three: its interface declares a coroutine that gives an async iterable, its
    implementation returns a list.
    """

    async def __aiter__(self) -> AsyncIterator[Interaction]:
        for interaction in self:
            yield interaction

    def __await__(self) -> Generator[None, None, Self]:
        yield from ()  # awaiting it never suspends
        return self


class Session:
    """A chat: the turns before this query, and the identifiers of the conversation.

    Args:
        processor_id: Who answers; it becomes the ``source`` of the events.
        activity_id: Identifies the chat.
        request_id: Identifies this request within the chat.
        interactions: The earlier turns, the oldest first.

    Example:
        >>> from sentient_cli.testing import make_session
        >>> session = make_session([("My name is Ann", "Hello, Ann")])
        >>> [(turn.prompt, turn.answer()) for turn in session.interactions]
        [('My name is Ann', 'Hello, Ann')]
    """

    __slots__ = ("_activity_id", "_interactions", "_processor_id", "_request_id", "_state")

    def __init__(
        self, processor_id: str, activity_id: Ulid, request_id: Ulid, interactions: Iterable[Interaction] = ()
    ) -> None:
        self._processor_id = processor_id
        self._activity_id = activity_id
        self._request_id = request_id
        self._interactions = Interactions(interactions)
        self._state: SessionState | None = None

    @classmethod
    def from_data(cls, data: SessionData) -> Session:
        """The session that a client sent."""
        return cls(data.processor_id, data.activity_id, data.request_id, data.interactions)

    @property
    def processor_id(self) -> str:
        """Who answers; the ``source`` of the events."""
        return self._processor_id

    @property
    def activity_id(self) -> Ulid:
        """Identifies the chat."""
        return self._activity_id

    @property
    def request_id(self) -> Ulid:
        """Identifies this request within the chat."""
        return self._request_id

    @property
    def interactions(self) -> Interactions:
        """The earlier turns, the oldest first."""
        return self._interactions

    def get_interactions(self, **_filters: object) -> Interactions:
        """The earlier turns, under the public framework's name."""
        return self._interactions

    @property
    def state(self) -> SessionState:
        """What the agent remembers of the session: kept where its turns are, else as long as the run goes on.

        Example:
            >>> import asyncio
            >>> from sentient_cli import StateKey
            >>> from sentient_cli.testing import make_session
            >>> asyncio.run(make_session().state.get(StateKey("visits", int)))
            0
        """
        if self._state is None:
            from sentient_cli.store.memory import MemoryStateStore  # noqa: PLC0415 - most agents have none

            self._state = SessionState(MemoryStateStore(), self._activity_id)
        return self._state

    def keep_state(self, state: SessionState) -> None:
        """Say where the state is kept; done before the agent sees the session.

        Args:
            state: That of this session.
        """
        self._state = state

    def __repr__(self) -> str:
        return f"Session(activity_id={str(self._activity_id)!r}, interactions={len(self._interactions)})"
