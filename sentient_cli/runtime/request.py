"""What a client sends: a query, and the session that it belongs to.

Shapes and aliases are those of Sentient Chat 1.0. Unknown fields are passed over, so that newer clients are understood.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

import msgspec
from pydantic import (
    ConfigDict,
    FailFast,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

from sentient_cli.clock import Ulid
from sentient_cli.deferred_models import DeferredModel
from sentient_cli.runtime.events import Event
from sentient_cli.runtime.transcript import answer_text

__all__ = [
    "AssistRequest",
    "AssistRequestContent",
    "AssistRequestContentPart",
    "AssistRequestContentParts",
    "Interaction",
    "Query",
    "RequestMessage",
    "ResponseMessage",
    "RunRequest",
    "SessionData",
]


MAX_SOURCE_LENGTH = 256
"""Characters of a processor id, which is repeated in every event."""


def _to_event(value: object) -> Event:
    try:
        event: Event = msgspec.convert(value, Event)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
    return event


def _from_event(event: Event) -> object:
    # Not msgspec's own function: of one in C, pydantic has the signature tokenized, which takes longer than the rest.
    value: object = msgspec.to_builtins(event)
    return value


_EVENT_SCHEMA = {
    "type": "object",
    "required": ["content_type", "event_name", "id", "source"],
    "properties": {
        "content_type": {"enum": ["atomic.textblock", "atomic.json", "chunked.text", "atomic.error", "atomic.done"]},
        "event_name": {"type": "string"},
        "id": {"type": "string"},
        "source": {"type": "string"},
    },
}

WireEvent = Annotated[
    Event,
    PlainValidator(_to_event),
    PlainSerializer(_from_event),
    WithJsonSchema(_EVENT_SCHEMA),
]


class _Model(DeferredModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(populate_by_name=True, hide_input_in_errors=True)


class Query(_Model):
    """One question to the agent.

    Args:
        id: Identifies the query.
        prompt: The user's words.

    Example:
        >>> query = Query(id=Ulid("01JS4F4Z5V0000000000000001"), prompt="How is the weather?")
        >>> query.prompt, query.id.milliseconds
        ('How is the weather?', 1744980573371)
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, hide_input_in_errors=True)

    id: Ulid
    prompt: str


class AssistRequestContentPart(_Model):
    """A part of an earlier request: words and the files that came with them."""

    prompt: str
    files_ids: Annotated[list[str], FailFast()] = Field(alias="fileIds")


class AssistRequestContentParts(_Model):
    """The parts of an earlier request."""

    parts: Annotated[list[AssistRequestContentPart], FailFast()]


class AssistRequestContent(_Model):
    """What an earlier request asked for."""

    capability: str = "assist"
    request_payload: AssistRequestContentParts


class AssistRequest(_Model):
    """An earlier request of the session.

    Raises:
        ValueError: a parent without a root, or ids that are not ordered root <= parent < id.
    """

    id: Ulid
    chat_id: Ulid = Field(alias="chatId")
    content: AssistRequestContent
    parent_request_id: Ulid | None = None
    root_request_id: Ulid | None = None

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        parent = self.parent_request_id
        if parent is not None:
            if self.root_request_id is None:
                raise ValueError("root_request_id is required when parent_request_id is given")
            if parent >= self.id:
                raise ValueError("parent_request_id must be less than id")
            if self.root_request_id > parent:
                raise ValueError("root_request_id must not be greater than parent_request_id")
        elif self.root_request_id is None:
            self.root_request_id = self.id
        return self

    @property
    def prompt(self) -> str:
        """The words of all parts."""
        return "\n".join(part.prompt for part in self.content.request_payload.parts)


class _Message(_Model):
    sender: str | None = None
    recipients: set[str] | None = None


class RequestMessage(_Message):
    """An earlier request with who sent it."""

    event: AssistRequest


class ResponseMessage(_Message):
    """An event of an earlier response with who sent it."""

    event: WireEvent


class Interaction(_Model):
    """One turn of a session: a request and the events of its response.

    Example:
        >>> from sentient_cli.testing import make_session
        >>> turn = make_session([("How is the weather?", "It rains.")]).interactions[0]
        >>> turn.prompt, turn.answer()
        ('How is the weather?', 'It rains.')
    """

    request: RequestMessage
    responses: Annotated[list[ResponseMessage], FailFast()]

    @property
    def prompt(self) -> str:
        """What the user said."""
        return self.request.event.prompt

    def answer(self, event_name: str | None = None) -> str:
        """The text of the response: of its streams where there are any, else of its text blocks.

        Args:
            event_name: Only the text under this name.
        """
        return answer_text((message.event for message in self.responses), event_name)


class SessionData(_Model):
    """The session as a client sends it."""

    processor_id: str = Field(max_length=MAX_SOURCE_LENGTH)
    activity_id: Ulid
    request_id: Ulid
    interactions: Annotated[list[Interaction], FailFast()]


class RunRequest(_Model):
    """The body of ``POST /assist``."""

    query: Query
    session: SessionData | None = None
