"""Calls of models know the run that they are made in, without the agent's help."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

from sentient_cli.llm.subject import CallSubject, current_subject
from sentient_cli.runtime.run import Run

__all__ = ["subject_of"]


@contextlib.contextmanager
def subject_of(run: Run, agent: str) -> Generator[None]:
    """For the block, and what is started in it: calls are made on behalf of a run.

    Args:
        run: The run.
        agent: The name of its agent.
    """
    session = run.session.activity_id
    subject = CallSubject(run=run.id, session=str(session), query=str(run.query.id), agent=agent)
    token = current_subject.set(subject)
    try:
        yield
    finally:
        current_subject.reset(token)
