"""On whose behalf models are called: known to every call that is made in a run, without the author's help."""

from __future__ import annotations

from contextvars import ContextVar

import msgspec

__all__ = ["CallSubject", "current_subject"]


class CallSubject(msgspec.Struct, frozen=True, kw_only=True):
    """Whose calls these are.

    Args:
        run: The run that they are made in.
        session: The chat that the run belongs to.
        query: The question of the user's that the run answers.
        agent: The agent that answers it.
        tenant: Whose data it is: nothing that is kept for one is ever given to another.

    Example:
        >>> token = current_subject.set(CallSubject(session="a chat", tenant="a customer"))
        >>> current_subject.get().tenant
        'a customer'
        >>> current_subject.reset(token)
    """

    run: str | None = None
    session: str | None = None
    query: str | None = None
    agent: str | None = None
    tenant: str | None = None


NOBODY = CallSubject()

current_subject: ContextVar[CallSubject] = ContextVar("current_subject", default=NOBODY)
"""Whose calls the current task makes; set by the host."""
