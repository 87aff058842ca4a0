"""An import of the public framework: where it is absent, where it is present, and what its classes do."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sentient_cli import compat
from sentient_cli.clock import Ulid
from sentient_cli.compat import install, installed, uninstall
from sentient_cli.compat.events import (
    BaseEventType,
    DocumentEvent,
    DoneEvent,
    ErrorContent,
    ErrorEvent,
    Event,
    EventContentType,
    ResponseEventAdapter,
    ResponseEventListAdapter,
    TextBlockEvent,
    TextChunkEvent,
)
from sentient_cli.compat.exceptions import AgentError, ResponseStreamClosedError, TextStreamClosedError
from sentient_cli.compat.handler import DefaultResponseHandler, DefaultTextStream
from sentient_cli.compat.hook import DefaultHook, DefaultIdGenerator
from sentient_cli.compat.identity import Identity
from sentient_cli.compat.request import Request
from sentient_cli.compat.session import AssistRequest, DefaultSession
from sentient_cli.errors import InvalidEventError, ResponseClosedError
from tests.compat.framework_kit import MANY_NAMES, absent, framework
from tests.plugins.isolation import REPOSITORY

__all__ = ["absent", "framework"]

ROOT = "sentient_agent_framework"
ID = "01M804RTN2S3T3NJE3ZJM8TJGT"


def python(code: str, *path: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [REPOSITORY, *path]))}
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_every_name_that_agents_import_is_there(framework: None) -> None:
    exec(compile(MANY_NAMES, "agent.py", "exec"), {})  # noqa: S102 - the code of an agent


def test_without_it_the_import_fails_as_ever(absent: None) -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(ROOT)


def test_it_is_there_for_as_long_as_it_is_wanted(absent: None) -> None:
    with installed(), installed():
        module = importlib.import_module(ROOT)
        assert "AbstractAgent" in module.__all__
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(f"{ROOT}.unheard_of")
    assert ROOT not in sys.modules
    uninstall()


def test_installing_twice_and_taking_out_once_is_enough(absent: None) -> None:
    install()
    install()
    uninstall()
    assert importlib.util.find_spec(ROOT) is None


def test_a_name_that_the_package_does_not_have() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = getattr(compat, "nothing")  # noqa: B009 - no type knows it


@pytest.mark.usefixtures("unmeasured")
def test_installing_costs_nothing() -> None:
    code = "import sys, sentient_cli.compat as c; c.install(); print({'pydantic', 'msgspec'} & set(sys.modules))"
    assert python(code).stdout.strip() == "set()"


@pytest.mark.slow
@pytest.mark.parametrize("where", ["path", "later finder"])
def test_the_real_one_is_never_shadowed(where: str, tmp_path: Path) -> None:
    package = tmp_path / ROOT
    (package / "interface").mkdir(parents=True)
    (package / "__init__.py").write_text("REAL = True\n")
    (package / "interface" / "__init__.py").touch()
    code = f"""
import sys
sys.path.append({str(tmp_path)!r})
from sentient_cli.compat import install, uninstall
if {where == "later finder"}:
    from importlib.machinery import PathFinder
    sys.meta_path.remove(PathFinder)
    install()
    sys.meta_path.append(PathFinder)
install()
import {ROOT} as framework
assert framework.REAL and framework.__file__.startswith({str(tmp_path)!r})
try:
    import {ROOT}.interface.events
except ModuleNotFoundError:
    print("left alone")
uninstall()
assert {ROOT!r} in sys.modules
"""
    done = python(code)
    assert (done.stdout, done.stderr) == ("left alone\n", "")


# -- events ----------------------------------------------------------------------------------------------------------


def test_events_have_the_json_of_the_wire() -> None:
    ulid = Ulid(ID)
    events: list[Event] = [
        TextBlockEvent(id=ulid, source="chat", event_name="PLAN", content="Hello"),
        DocumentEvent(id=ulid, source="chat", event_name="DATA", content={"a": [1]}, metadata={"n": 1}),
        TextChunkEvent(id=ulid, source="chat", event_name="TEXT", stream_id="s", is_complete=False, content="x"),
        ErrorEvent(id=ulid, source="chat", content=ErrorContent(error_message="no")),
        DoneEvent(id=ulid, source="chat"),
    ]
    lead = f'"schema_version":"1.0","id":"{ID}","source":"chat","metadata"'
    chunk = '"stream_id":"s","is_complete":false,"content":"x"'
    content = '{"error_message":"no","error_code":500,"details":null}'
    assert [event.model_dump_json() for event in events] == [
        f'{{"content_type":"atomic.textblock","event_name":"PLAN",{lead}:null,"content":"Hello"}}',
        f'{{"content_type":"atomic.json","event_name":"DATA",{lead}:{{"n":1}},"content":{{"a":[1]}}}}',
        f'{{"content_type":"chunked.text","event_name":"TEXT",{lead}:null,{chunk}}}',
        f'{{"content_type":"atomic.error","event_name":"error",{lead}:null,"content":{content}}}',
        f'{{"content_type":"atomic.done","event_name":"done",{lead}:null}}',
    ]
    texts = ",".join(event.model_dump_json() for event in events)
    assert ResponseEventListAdapter.validate_json(f"[{texts}]") == events
    assert type(ResponseEventAdapter.validate_python({"content_type": "atomic.done", "source": "a"})) is DoneEvent


def test_ids_are_made_and_increase() -> None:
    first, second = DoneEvent(source="a"), DoneEvent(source="a")
    assert first.id < second.id


def test_an_id_of_another_library_is_taken() -> None:
    class ULID:
        def __str__(self) -> str:
            return ID

    assert DoneEvent.model_validate({"id": ULID(), "source": "a"}).id == ID


def test_content_types_know_their_base() -> None:
    assert EventContentType.TEXT_STREAM.base_type is BaseEventType.CHUNKED
    assert EventContentType.DONE.base_type is BaseEventType.ATOMIC


def test_an_identity_is_a_pair() -> None:
    assert str(Identity(id="a", name="Ann")) == "a:Ann"


# -- handler and hook, as agents' own tests build them ---------------------------------------------------------------


def drained(queue: asyncio.Queue[Event]) -> list[Event]:
    return [queue.get_nowait() for _ in range(queue.qsize())]


async def test_a_handler_writes_to_a_hook() -> None:
    queue: asyncio.Queue[Event] = asyncio.Queue()
    handler = DefaultResponseHandler(Identity(id="me", name="Me"), DefaultHook(queue))
    await handler.emit_text_block("PLAN", "think")
    await handler.emit_json("DATA", {"a": 1})
    async with handler.stream("TEXT") as stream:
        await stream.emit_chunk("x")
        assert not stream.is_complete
    open_stream = handler.create_text_stream("MORE")
    await handler.emit_error("careful")
    await handler.complete()
    await handler.complete()
    events = drained(queue)
    kinds = [TextBlockEvent, DocumentEvent, TextChunkEvent, TextChunkEvent, ErrorEvent, TextChunkEvent, DoneEvent]
    assert [type(event) for event in events] == kinds
    assert {getattr(event, "source", "") for event in events} == {"me"}
    assert open_stream.is_complete
    assert handler.is_complete


async def test_a_handlers_errors_have_both_names() -> None:
    handler = DefaultResponseHandler(Identity(id="me", name="Me"), DefaultHook(asyncio.Queue()))
    with pytest.raises(AgentError) as no_json:
        await handler.emit_json("DATA", {"x": object()})
    assert isinstance(no_json.value, InvalidEventError)
    await handler.respond("ANSWER", "x")
    with pytest.raises(ResponseStreamClosedError) as closed:
        await handler.respond("ANSWER", "x")
    assert isinstance(closed.value, ResponseClosedError)


async def test_a_text_stream_stands_alone() -> None:
    queue: asyncio.Queue[Event] = asyncio.Queue()
    stream = DefaultTextStream(Identity(id="me", name="Me"), "TEXT", "chosen", DefaultHook(queue))
    await stream.emit_chunk("x")
    await stream.complete()
    with pytest.raises(TextStreamClosedError):
        await stream.emit_chunk("y")
    assert [event.model_dump(include={"stream_id", "content"}) for event in drained(queue)] == [
        {"stream_id": "chosen", "content": "x"},
        {"stream_id": "chosen", "content": " "},
    ]
    assert stream.id == "chosen"


async def test_a_hook_waits_no_longer_than_told() -> None:
    hook = DefaultHook(asyncio.Queue(maxsize=1), timeout_ms=1)
    await hook.emit(DoneEvent(source="a"))
    with pytest.raises(TimeoutError):
        await hook.emit(DoneEvent(source="a"))


async def test_ids_of_a_hook_increase_whatever_comes() -> None:
    ids = DefaultIdGenerator(Ulid("01JS4F4Z5V00000000000000ZZ"))
    assert await ids.get_next_id(Ulid("01JS4F4Z5V0000000000000001")) == "01JS4F4Z5V0000000000000100"
    assert await ids.get_next_id(Ulid("01JS4F4Z5V0000000000000200")) == "01JS4F4Z5V0000000000000200"
    assert await ids.get_next_id() > "01JS4F4Z5V0000000000000200"


# -- requests --------------------------------------------------------------------------------------------------------


def request(**changes: object) -> dict[str, object]:
    files: list[str] = []
    content = {"request_payload": {"parts": [{"prompt": "hi", "fileIds": files}]}}
    return {"id": ID, "chatId": ID, "content": content, **changes}


def test_a_request_is_read() -> None:
    none: list[object] = []
    session = {"processor_id": "me", "activity_id": ID, "request_id": ID, "interactions": none}
    read = Request.model_validate({"query": {"id": ID, "prompt": "hi"}, "session": session})
    assert read.session is not None
    made = DefaultSession(read.session)
    assert (made.processor_id, made.activity_id, made.request_id, made.get_interactions()) == ("me", ID, ID, [])


def test_the_order_of_requests_is_checked() -> None:
    earlier, later = "01M804RTN2S3T3NJE3ZJM8TJGS", "01M804RTN2S3T3NJE3ZJM8TJGV"
    assert AssistRequest.model_validate(request()).root_request_id == ID
    fine = AssistRequest.model_validate(request(parent_request_id=earlier, root_request_id=earlier))
    assert fine.content.request_payload.parts[0].files_ids == []
    for changes in ({"parent_request_id": earlier}, {"parent_request_id": later, "root_request_id": earlier}):
        with pytest.raises(ValueError, match="root_request_id"):
            AssistRequest.model_validate(request(**changes))
