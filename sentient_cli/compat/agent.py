"""The framework's base class of agents."""

from __future__ import annotations

from abc import ABC, abstractmethod

from sentient_cli.compat.protocols import ResponseHandler
from sentient_cli.compat.request import Query
from sentient_cli.compat.session import Session

__all__ = ["AbstractAgent"]


class AbstractAgent(ABC):
    """An agent.

    Args:
        name: For people.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    async def assist(self, session: Session, query: Query, response_handler: ResponseHandler) -> None:
        """Answer one query."""
