"""Makes an agent of the framework one of ours: it gets the framework's query, session and errors."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

from typing_extensions import override

from sentient_cli.compat.finder import ROOT, install
from sentient_cli.compat.responding import FrameworkResponse
from sentient_cli.compat.vocabulary import Vocabulary, vocabulary
from sentient_cli.runtime import loader
from sentient_cli.runtime.agent import Agent, AgentLike, call_optional
from sentient_cli.runtime.request import Query
from sentient_cli.runtime.response import Response
from sentient_cli.runtime.session import Interactions, Session

__all__ = ["FrameworkAgent", "FrameworkSession", "adapt", "load_agent"]


class FrameworkSession:
    """A session whose ids and earlier turns are the framework's.

    Args:
        session: The session.
        words: The framework's classes.
    """

    def __init__(self, session: Session, words: Vocabulary) -> None:
        self._session = session
        self._words = words

    @property
    def processor_id(self) -> str:
        """Who answers."""
        return self._session.processor_id

    @property
    def activity_id(self) -> object:
        """Identifies the chat."""
        return self._words.query(id=self._session.activity_id, prompt="").id

    @property
    def request_id(self) -> object:
        """Identifies this request within the chat."""
        return self._words.query(id=self._session.request_id, prompt="").id

    def get_interactions(self, **_filters: object) -> Interactions:
        """The earlier turns, the oldest first; can be awaited and iterated in both ways."""
        turns = [
            self._words.interaction.model_validate(turn.model_dump(mode="json", by_alias=True))
            for turn in self._session.interactions
        ]
        return Interactions(cast("Interactions", turns))


class FrameworkAgent(Agent):
    """An agent of the framework.

    Args:
        agent: Has the framework's ``assist``.
    """

    def __init__(self, agent: AgentLike) -> None:
        name: object = getattr(agent, "name", None)
        super().__init__(name if isinstance(name, str) and name else type(agent).__name__)
        self.agent = agent
        self._words = vocabulary()

    @override
    async def setup(self) -> None:
        await call_optional(self.agent, "setup")

    @override
    async def assist(self, session: Session, query: Query, response: Response) -> None:
        words = self._words
        assist = cast("Callable[[object, object, object], Awaitable[None]]", self.agent.assist)
        await assist(
            FrameworkSession(session, words),
            words.query(id=query.id, prompt=query.prompt),
            FrameworkResponse(response, words),
        )

    @override
    async def aclose(self) -> None:
        await call_optional(self.agent, "aclose")


def adapt(agent: AgentLike) -> AgentLike:
    """An agent as it is, or one of the framework as one of ours.

    Args:
        agent: Any agent. It is taken for one of the framework when the framework, or its stand-in, was imported and
            the agent has no base class of ours.

    Example:
        >>> from sentient_cli import agent
        >>> @agent
        ... async def echo(session: Session, query: Query, response: Response) -> None:
        ...     await response.respond("ANSWER", query.prompt)
        >>> adapt(echo) is echo
        True
    """
    return agent if ROOT not in sys.modules or isinstance(agent, Agent) else FrameworkAgent(agent)


def load_agent(target: str | None, *, project_dir: Path, base: Path | None = None) -> loader.LoadedAgent:
    """Load an agent of whichever kind; the arguments and errors are those of `sentient_cli.runtime.loader.load_agent`.

    Args:
        target: What to load; None: what the project holds.
        project_dir: The project.
        base: What a relative path is tried against first.

    Example:
        >>> import tempfile
        >>> code = "async def assist(session, query, response): await response.respond('ANSWER', query.prompt)"
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "parrot.py").write_text(code)
        ...     load_agent("parrot.py", project_dir=Path(folder)).agent.name
        'parrot'
    """
    install()
    found = loader.load_agent(target, project_dir=project_dir, base=base)
    return replace(found, agent=adapt(found.agent))
