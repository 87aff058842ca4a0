"""Code as authors of the public framework write it, and the interpreter given back as it was."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from sentient_cli.compat import install, uninstall
from sentient_cli.compat.finder import is_installed

MANY_NAMES = """\
from sentient_agent_framework import (
    AbstractAgent, DefaultHook, DefaultResponseHandler, DefaultServer, Query, ResponseHandler, Session)
from sentient_agent_framework.interface.agent import AbstractAgent as Same
from sentient_agent_framework.interface.events import (
    AtomicEvent, BaseEvent, BaseEventType, DocumentEvent, DoneEvent, ErrorContent, ErrorEvent, Event, EventContentType,
    EventMetadata, ResponseEvent, ResponseEventAdapter, ResponseEventListAdapter, StreamEvent, StringKeyDict,
    TextBlockEvent, TextChunkEvent, DEFAULT_ERROR_CODE, ERROR)
from sentient_agent_framework.interface.exceptions import (
    AgentError, ProcessorError, ResponseStreamClosedError, TextStreamClosedError)
from sentient_agent_framework.interface.hook import Hook
from sentient_agent_framework.interface.identity import Identity
from sentient_agent_framework.interface.request import Query as Q, Request
from sentient_agent_framework.interface.response_handler import ResponseHandler as R, StreamEventEmitter
from sentient_agent_framework.interface.session import (
    AssistRequest, AssistRequestContent, AssistRequestContentPart, AssistRequestContentParts, CapabilityConfig,
    CapabilityRequestContent, CapabilitySpec, Interaction, InteractionMessage, RequestMessage, ResponseMessage,
    Session as S, SessionObject, ASSIST_CAPABILITY, DEFAULTY_CAPABILITY)
from sentient_agent_framework.implementation.default_hook import DefaultHook as H
from sentient_agent_framework.implementation.default_id_generator import DefaultIdGenerator
from sentient_agent_framework.implementation.default_response_handler import DefaultResponseHandler as D
from sentient_agent_framework.implementation.default_server import DefaultServer as V
from sentient_agent_framework.implementation.default_session import DefaultSession
from sentient_agent_framework.implementation.default_text_stream import DefaultTextStream
assert Same is AbstractAgent and Q is Query and H is DefaultHook and D is DefaultResponseHandler and V is DefaultServer
"""

CATCHING = """\
from sentient_agent_framework import AbstractAgent
from sentient_agent_framework.interface.exceptions import (
    AgentError, ProcessorError, ResponseStreamClosedError, TextStreamClosedError)

class Catcher(AbstractAgent):
    def __init__(self):
        super().__init__("Catcher")
        self.caught = []

    async def assist(self, session, query, response_handler):
        try:
            await response_handler.emit_json("DATA", {"x": object()})
        except AgentError:
            self.caught.append("no json")
        stream = response_handler.create_text_stream("TEXT")
        await (await stream.emit_chunk("a")).emit_chunk("b")
        await stream.complete()
        try:
            await stream.emit_chunk("c")
        except TextStreamClosedError:
            self.caught.append("stream closed")
        await response_handler.emit_error("careful", 503, {"retry": True})
        await response_handler.complete()
        assert response_handler.is_complete
        for emit in (
            lambda: response_handler.emit_text_block("LATE", "x"),
            lambda: response_handler.emit_json("LATE", {}),
            lambda: response_handler.emit_error("late"),
            lambda: response_handler.respond("LATE", "x"),
            lambda: response_handler.respond("LATE", {"x": 1}),
        ):
            try:
                await emit()
            except ResponseStreamClosedError:
                self.caught.append("response closed")
        try:
            response_handler.create_text_stream("LATE")
        except ProcessorError:
            self.caught.append("no stream")
"""

REMEMBERING = """\
from sentient_agent_framework import AbstractAgent
from sentient_agent_framework.interface.events import EventContentType, TextBlockEvent
from sentient_agent_framework.interface.session import RequestMessage

class Rememberer(AbstractAgent):
    async def assist(self, session, query, response_handler):
        lines = []
        for turn in session.get_interactions():
            assert isinstance(turn.request, RequestMessage)
            lines.append(turn.request.event.content.request_payload.parts[0].prompt)
            for message in turn.responses:
                assert isinstance(message.event, TextBlockEvent)
                assert message.event.content_type == EventContentType.TEXTBLOCK == "atomic.textblock"
                lines.append(message.event.content)
        lines += [turn.request.event.chat_id == session.activity_id for turn in await session.get_interactions()]
        lines += [turn.responses[0].sender async for turn in session.get_interactions()]
        lines += [session.processor_id, str(session.request_id), query.prompt, query.id.milliseconds > 0]
        await response_handler.respond("LINES", {"lines": lines})
"""


@pytest.fixture
def absent() -> Iterator[None]:
    """Take the stand-in out, which this package's own pytest plugin may have installed."""
    before = is_installed()
    uninstall()
    yield
    uninstall()
    if before:
        install()


@pytest.fixture
def framework(absent: None) -> Iterator[None]:
    """Put the stand-in in place, and give the interpreter back as it was."""
    path, modules = list(sys.path), set(sys.modules)
    install()
    yield
    sys.path[:] = path
    if "agent" not in modules:
        sys.modules.pop("agent", None)
