"""The framework's query and request."""

from __future__ import annotations

from pydantic import BaseModel

from sentient_cli.compat.identity import UlidField
from sentient_cli.compat.session import SessionObject

__all__ = ["Query", "Request"]


class Query(BaseModel):
    """One question to the agent."""

    id: UlidField
    prompt: str


class Request(BaseModel):
    """The body of ``POST /assist``."""

    query: Query
    session: SessionObject | None = None
