"""On whose behalf models are called: known to every call that is made in a run, without the author's help."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

import msgspec

__all__ = ["CallSubject", "current_subject", "on_behalf_of", "tenant_begins"]


class CallSubject(msgspec.Struct, frozen=True, kw_only=True):
    """Whose calls these are.

    Args:
        run: The run that they are made in.
        session: The chat that the run belongs to.
        query: The question of the user's that the run answers.
        agent: The agent that answers it.
        tenant: Whose data it is: nothing that is kept for one is ever given to another. Only an agent's author knows,
            and says so with `on_behalf_of`.

    Example:
        >>> CallSubject(session="a chat", tenant="a customer").tenant
        'a customer'
    """

    run: str | None = None
    session: str | None = None
    query: str | None = None
    agent: str | None = None
    tenant: str | None = None


NOBODY = CallSubject()

current_subject: ContextVar[CallSubject] = ContextVar("current_subject", default=NOBODY)
"""Whose calls the current task makes; set by the host."""

tenant_begins: ContextVar[Callable[[str], AbstractContextManager[None]] | None] = ContextVar(
    "tenant_begins", default=None
)
"""Gives what else holds while calls are made for a tenant; set by the host."""


@contextmanager
def on_behalf_of(tenant: str) -> Generator[None]:
    """For the block, and what is started in it: calls are made for a tenant.

    Nothing that is kept for one tenant, such as an answer in the cache, is given to another, and the ledger of usage
    tells them apart.

    Args:
        tenant: Such as the id of a customer.

    Example:
        >>> with on_behalf_of("a customer"):
        ...     current_subject.get().tenant
        'a customer'
    """
    token = current_subject.set(msgspec.structs.replace(current_subject.get(), tenant=tenant))
    more = tenant_begins.get()
    try:
        with nullcontext() if more is None else more(tenant):
            yield
    finally:
        current_subject.reset(token)
