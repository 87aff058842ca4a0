"""Sessions with a past, for tests."""

from __future__ import annotations

from collections.abc import Iterable

from sentient_cli.clock import Ids, Ulid
from sentient_cli.runtime.events import TextBlockEvent
from sentient_cli.runtime.request import (
    AssistRequest,
    AssistRequestContent,
    AssistRequestContentPart,
    AssistRequestContentParts,
    Interaction,
    RequestMessage,
    ResponseMessage,
)
from sentient_cli.runtime.session import Session
from sentient_cli.testing.time import SequentialIds

__all__ = ["make_session"]


def make_session(
    turns: Iterable[tuple[str, str]] = (), *, processor_id: str = "test", ids: Ids | None = None
) -> Session:
    """A session.

    Args:
        turns: What the user said and what was answered, the oldest first.
        processor_id: Who answers; the ``source`` of the events.
        ids: Where its ids come from; `SequentialIds` unless given.

    Example:
        >>> session = make_session([("hi", "hello")])
        >>> [(turn.prompt, turn.answer()) for turn in session.interactions]
        [('hi', 'hello')]
    """
    ids = ids or SequentialIds()
    activity_id = ids.ulid()
    interactions = [_interaction(prompt, answer, processor_id, activity_id, ids) for prompt, answer in turns]
    return Session(processor_id, activity_id, ids.ulid(), interactions)


def _interaction(prompt: str, answer: str, source: str, activity_id: Ulid, ids: Ids) -> Interaction:
    part = AssistRequestContentPart(prompt=prompt, fileIds=[])
    content = AssistRequestContent(request_payload=AssistRequestContentParts(parts=[part]))
    request = AssistRequest(id=ids.ulid(), chatId=activity_id, content=content)
    event = TextBlockEvent(event_name="ANSWER", id=ids.ulid_text(), source=source, content=answer)
    return Interaction(
        request=RequestMessage(sender=None, recipients={source}, event=request),
        responses=[ResponseMessage(sender=source, recipients=None, event=event)],
    )
