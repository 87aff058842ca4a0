"""The endpoints of runs: ask, watch or resume, look at, cancel."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote

from sentient_cli.clock import uptime_ns
from sentient_cli.config.settings import ServerSettings
from sentient_cli.errors import CursorError, CursorExpiredError, OverloadedError, RunNotFoundError
from sentient_cli.host import Host
from sentient_cli.host.stored import StoredRun
from sentient_cli.runtime.run import Run
from sentient_cli.server.answers import RequestError, read_body, send_json
from sentient_cli.server.body import parse_request
from sentient_cli.server.departures import Departures
from sentient_cli.server.following import await_cursor, follow_stored
from sentient_cli.server.frames import encode_entries
from sentient_cli.server.ledger import Answering, page_of
from sentient_cli.server.stream import SSE_HEADERS, Connection, stream_run

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

__all__ = ["Endpoints"]

_CURSOR = re.compile(r"[0-9]{1,18}")
_PLAIN: Final = ((b"accept-encoding", b"identity"),)
_SMALL_BODY = 64 * 1024

_logger = logging.getLogger(__name__)


class Endpoints:
    """The endpoints of one host's runs, as raw ASGI applications.

    Args:
        host: Runs the agent.
        settings: Limits and times.
    """

    def __init__(self, host: Host, settings: ServerSettings) -> None:
        self._host = host
        self._settings = settings
        self._departures = Departures(cancel=settings.on_disconnect == "cancel", grace=settings.disconnect_grace)

    async def assist(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``POST /assist``: begin a run and stream its events."""
        _require_json(scope)
        body = await read_body(scope, receive, limit=self._settings.body_limit, seconds=self._settings.body_timeout)
        run = await self._start(body)
        del body  # the stream may take long
        scope["sentient.run_id"] = run.id
        await asyncio.sleep(0)  # the agent's turn: what it says at once goes out together with the headers
        self._note(run, scope)
        await send(_head_of(run, scope))
        await self._stream(run, 0, scope, receive, send, owner=True)

    async def _stream(self, run: Run, after: int, scope: Scope, receive: Receive, send: Send, *, owner: bool) -> None:
        self._departures.came(run)
        try:
            with self._connection(scope, receive, send) as connection:
                await stream_run(run, after, connection, owner=owner)
            await connection.gone()
        finally:
            self._departures.left(run)

    def _note(self, run: Run, scope: Scope) -> None:
        """Have it on record that a stream of this run begins, where that matters to somebody."""
        page = page_of(scope)
        if page is not None:
            lead = self._host.clock.now_ns() - uptime_ns()
            page.begin(Answering(run.id, run.session.processor_id, scope["http_version"] != "1.0", lead))

    def _connection(self, scope: Scope, receive: Receive, send: Send) -> Connection:
        settings = self._settings
        return Connection(scope, receive, send, heartbeat=settings.heartbeat, send_timeout=settings.send_timeout)

    async def _start(self, body: bytes) -> Run:
        try:
            small = len(body) < _SMALL_BODY
            request = parse_request(body) if small else await self._host.threads.run(parse_request, body)
            return await self._host.start_run(request)
        except RequestError:
            raise
        except OverloadedError as error:
            raise RequestError(503, error.code, str(error), headers=[(b"retry-after", b"1")]) from None
        except Exception as error:
            # Only a setup that was put off to the first request can fail here.
            _logger.exception("The agent could not be set up")
            raise RequestError(503, "agent-not-ready", "The agent could not be set up") from error

    async def events(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``GET /runs/{run_id}/events``: the events from a cursor on, then live."""
        run_id: str = scope["path_params"]["run_id"]
        scope["sentient.run_id"] = run_id
        after = _cursor(scope)
        run = self._host.runs.get(run_id)
        if run is None:
            await self._stored_events(run_id, after, scope, receive, send)
            return
        try:
            run.log.read(after, 1)
        except CursorError as error:
            raise _cursor_answer(error) from None
        if run.log.finished and after >= run.log.last_seq:
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        headers = [*SSE_HEADERS, (b"sentient-run-id", run.id.encode())]
        if scope["method"] != "HEAD":
            self._note(run, scope)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        await self._stream(run, after, scope, receive, send, owner=False)

    async def _stored_events(self, run_id: str, after: int, scope: Scope, receive: Receive, send: Send) -> None:
        stored = self._host.stored
        try:
            run = await await_cursor(stored, await stored.find(run_id), after)
            entries = await stored.read(run_id, after)
            while entries and not run.going_on and not encode_entries(entries):  # none of them is for clients
                entries = await stored.read(run_id, entries[-1].seq)
        except RunNotFoundError as error:
            raise _not_found(error) from None
        except CursorError as error:
            raise _cursor_answer(error) from None
        if not entries and not run.going_on:
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        headers = [*SSE_HEADERS, (b"sentient-run-id", run_id.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        with self._connection(scope, receive, send) as connection:
            if run.going_on and scope["method"] != "HEAD":
                await follow_stored(stored, run_id, after, connection, lambda: self._host.draining)
            else:
                while entries and not connection.left and scope["method"] != "HEAD":
                    await connection.send(encode_entries(entries))
                    entries = await stored.read(run_id, entries[-1].seq)
                await connection.send(b"", more=False)
        await connection.gone()

    async def show(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """``GET /runs/{run_id}``: where the run stands."""
        run = await self._find(scope)
        await send_json(send, 200, _stored_state(run) if isinstance(run, StoredRun) else _live_state(run))

    async def cancel(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """``POST /runs/{run_id}/cancel``: end the run."""
        run = await self._find(scope)
        if isinstance(run, StoredRun):
            if run.going_on:
                raise RequestError(409, "run-elsewhere", "Another server runs this, and only that one can end it")
            await send_json(send, 200, {"run": run.run_id, "status": _status(run), "outcome": run.outcome})
            return
        if run.closed:
            await send_json(send, 200, {"run": run.id, "status": "finished", "outcome": run.outcome})
            return
        run.cancel("The run was cancelled")
        await send_json(send, 202, {"run": run.id, "status": "cancelling", "outcome": None})

    async def _find(self, scope: Scope) -> Run | StoredRun:
        run_id: str = scope["path_params"]["run_id"]
        scope["sentient.run_id"] = run_id
        run = self._host.runs.get(run_id)
        if run is not None:
            return run
        try:
            return await self._host.stored.find(run_id)
        except RunNotFoundError as error:
            raise _not_found(error) from None


def _head_of(run: Run, scope: Scope) -> Message:
    # Where this is mounted can be the client's words, as below `/{tenant}`: no header gets them as they are.
    root = quote(scope.get("root_path", ""), safe="/~", errors="replace")
    headers = [
        *SSE_HEADERS,
        (b"sentient-run-id", run.id.encode()),
        (b"sentient-session", run.session.activity_id.encode()),
        (b"content-location", f"{root}/runs/{run.id}/events".encode()),
    ]
    return {"type": "http.response.start", "status": 200, "headers": headers}


def _live_state(run: Run) -> dict[str, object]:
    return {
        "run": run.id,
        "agent": run.agent_name,
        "session": run.session.activity_id,
        "query": run.query.id,
        "status": "finished" if run.closed else "running",
        "outcome": run.outcome,
        "first_seq": run.log.first_seq,
        "last_seq": run.log.last_seq,
    }


def _stored_state(run: StoredRun) -> dict[str, object]:
    return {
        "run": run.run_id,
        "agent": run.agent,
        "session": run.session,
        "query": run.query,
        "status": _status(run),
        "outcome": run.outcome,
        "first_seq": run.first_seq,
        "last_seq": run.last_seq,
    }


def _status(run: StoredRun) -> str:
    return "finished" if run.finished else "running" if run.going_on else "interrupted"


def _not_found(error: RunNotFoundError) -> RequestError:
    return RequestError(404, error.code, str(error))


def _cursor_answer(error: CursorError) -> RequestError:
    if isinstance(error, CursorExpiredError):
        return RequestError(410, error.code, str(error), more={"first_seq": error.first_seq})
    return RequestError(400, error.code, str(error))


def _cursor(scope: Scope) -> int:
    header = next((value for name, value in scope["headers"] if name == b"last-event-id"), None)
    cursors = [header.decode("latin-1") if header is not None else None, _query_value(scope, "after")]
    given = [text for text in cursors if text is not None]
    if not all(map(_CURSOR.fullmatch, given)):
        raise RequestError(400, "cursor", "A cursor is the id of an event of this run: a whole number")
    return int(given[0]) if given else 0


def _query_value(scope: Scope, name: str) -> str | None:
    pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return next((value for key, value in reversed(pairs) if key == name), None)


def _require_json(scope: Scope) -> None:
    given = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    if given.split(b";")[0].strip().lower() != b"application/json":
        raise RequestError(415, "unsupported-media-type", "The body has to be application/json", close=True)
    coding = next((value for name, value in scope["headers"] if name == b"content-encoding"), b"identity")
    if coding.strip().lower() != b"identity":
        raise RequestError(
            415, "unsupported-media-type", "The body has to come as it is, not compressed", headers=_PLAIN, close=True
        )
