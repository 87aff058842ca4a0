"""The framework's session, and the earlier turns in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, Generic, Protocol, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sentient_cli.clock import Ulid
from sentient_cli.compat.events import ResponseEvent
from sentient_cli.compat.identity import UlidField, new_ulid

__all__ = [
    "ASSIST_CAPABILITY",
    "DEFAULTY_CAPABILITY",
    "AssistRequest",
    "AssistRequestContent",
    "AssistRequestContentPart",
    "AssistRequestContentParts",
    "CapabilityConfig",
    "CapabilityRequestContent",
    "CapabilitySpec",
    "DefaultSession",
    "Interaction",
    "InteractionMessage",
    "Request",
    "RequestMessage",
    "ResponseMessage",
    "Session",
    "SessionObject",
]

DEFAULTY_CAPABILITY: Final = "default"
ASSIST_CAPABILITY: Final = "assist"

_Content = TypeVar("_Content", bound=BaseModel)
_Message = TypeVar("_Message", bound="InteractionMessage")


class CapabilitySpec(BaseModel):
    """What an agent can do."""

    name: str
    description: str
    stream_response: bool


class CapabilityConfig(BaseModel):
    """A capability under a name of its own."""

    name: str
    id: str
    description: str | None = None


class CapabilityRequestContent(BaseModel, Generic[_Content]):
    """What a request asks for."""

    capability: str
    request_payload: _Content


class AssistRequestContentPart(BaseModel):
    """A part of a request: words, and the files that came with them."""

    model_config: ClassVar[ConfigDict] = ConfigDict(populate_by_name=True)

    prompt: str
    files_ids: list[str] = Field(alias="fileIds")


class AssistRequestContentParts(BaseModel):
    """The parts of a request."""

    parts: list[AssistRequestContentPart]


class AssistRequestContent(CapabilityRequestContent[AssistRequestContentParts]):
    """What a request to ``assist`` asks for."""

    capability: str = ASSIST_CAPABILITY


class Request(BaseModel, Generic[_Content]):
    """An earlier request of a session."""

    model_config: ClassVar[ConfigDict] = ConfigDict(populate_by_name=True)

    id: UlidField = Field(default_factory=new_ulid)
    chat_id: UlidField = Field(alias="chatId")
    content: CapabilityRequestContent[_Content]
    parent_request_id: UlidField | None = None
    root_request_id: UlidField | None = None

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        parent, root = self.parent_request_id, self.root_request_id
        if root is None:
            if parent is not None:
                raise ValueError("root_request_id is required when parent_request_id is given")
            self.root_request_id = self.id
        elif parent is not None and not root <= parent < self.id:
            raise ValueError("the order must be root_request_id <= parent_request_id < id")
        return self


class AssistRequest(Request[AssistRequestContentParts]):
    """An earlier request to ``assist``."""

    content: AssistRequestContent  # type: ignore[mutable-override]


class InteractionMessage(BaseModel):
    """A request or an event, and who sent it."""

    sender: str | None = None
    recipients: set[str] | None = None


class RequestMessage(InteractionMessage):
    """An earlier request, and who sent it."""

    event: AssistRequest


class ResponseMessage(InteractionMessage):
    """An event of an earlier response, and who sent it."""

    event: ResponseEvent


class Interaction(BaseModel, Generic[_Message]):
    """One turn: a request and the events of its response."""

    request: _Message
    responses: Sequence[ResponseMessage]


class SessionObject(BaseModel):
    """A session as a client sends it."""

    processor_id: str
    activity_id: UlidField
    request_id: UlidField
    interactions: list[Interaction[RequestMessage]]


class Session(Protocol):
    """A chat: the turns before this query."""

    @property
    def processor_id(self) -> str:
        """Who answers."""
        ...

    @property
    def activity_id(self) -> Ulid:
        """Identifies the chat."""
        ...

    @property
    def request_id(self) -> Ulid:
        """Identifies this request within the chat."""
        ...

    def get_interactions(self) -> list[Interaction[RequestMessage]]:
        """The earlier turns, the oldest first."""
        ...


class DefaultSession:
    """A session over the object that a client sent."""

    def __init__(self, session_object: SessionObject) -> None:
        self._data = session_object

    @property
    def processor_id(self) -> str:
        """Who answers."""
        return self._data.processor_id

    @property
    def activity_id(self) -> Ulid:
        """Identifies the chat."""
        return self._data.activity_id

    @property
    def request_id(self) -> Ulid:
        """Identifies this request within the chat."""
        return self._data.request_id

    def get_interactions(self) -> list[Interaction[RequestMessage]]:
        """The earlier turns, the oldest first."""
        return self._data.interactions
