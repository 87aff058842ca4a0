"""One answer: its events in order, none lost and none repeated, over as many connections as it takes."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections import deque
from typing import TYPE_CHECKING, Protocol, Self

import httpx
import msgspec

from sentient_cli.client.sse import SseDecoder
from sentient_cli.client.transport import OK, refusal
from sentient_cli.errors import InvalidEventError, NetworkError
from sentient_cli.runtime.events import Event, decode_event, is_done

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sentient_cli.client.session import Turn
    from sentient_cli.client.sse import Frame
    from sentient_cli.client.transport import Timeouts

__all__ = ["Answer", "Observer"]

MAX_TRIES = 6
_MAX_BACKOFF = 3.0
_RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_PASSING = frozenset({429, 500, 502, 503, 504})
_KNOWN = frozenset({"atomic.textblock", "atomic.json", "chunked.text", "atomic.error", "atomic.done"})


class Observer(Protocol):
    """Told about what is no event."""

    def reconnecting(self, attempt: int, tries: int) -> None:
        """The connection broke; it is made again for the ``attempt``-th time of at most ``tries``."""
        ...

    def reconnected(self) -> None:
        """The answer goes on where it broke off."""
        ...

    def passed_over(self, content_type: str) -> None:
        """An event of a type that this version does not know was left out."""
        ...


class _Kind(msgspec.Struct):
    content_type: str


class _BrokenError(Exception):
    """A connection ended before the answer did."""


class Answer:
    """The events of one run. Iterate over it once; after ``done`` it ends.

    Raises, while it is iterated:
        NetworkError: the answer was cut off and could not be resumed, or the server sent what is no event.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        url: str,
        response: httpx.Response,
        turn: Turn,
        timeouts: Timeouts,
        observer: Observer | None,
    ) -> None:
        run_id = response.headers.get("sentient-run-id", "")
        self.run_id: str | None = run_id if _RUN_ID.fullmatch(run_id) else None
        """The id of the run; None when the server names none, and nothing can be resumed or stopped."""
        self.raw: str = ""
        """The JSON of the event that was given last, as it came."""
        self._http = http
        self._url = url
        self._response = response
        self._chunks: AsyncIterator[bytes] = response.aiter_bytes()
        self._frames: deque[Frame] = deque()
        self._ended = False
        self._turn = turn
        self._timeouts = timeouts
        self._observer = observer
        self._decoder = SseDecoder()
        self._last_id = ""
        self._resumed_after = ""
        self._tries = 0
        self._end_by: float | None = None
        self._waiting: asyncio.Timeout | None = None

    async def aclose(self) -> None:
        """Let go of the connection. The run itself is not stopped."""
        chunks: object = self._chunks
        if inspect.isasyncgen(chunks):
            await chunks.aclose()
        await self._response.aclose()

    async def cancel(self) -> bool:
        """Ask the server to stop the run; the events until its end still come, for a few seconds.

        Returns:
            Whether the server took the request; False when it knows no such thing.
        """
        self._end_by = asyncio.get_running_loop().time() + self._timeouts.cancelled
        if self._waiting is not None:
            self._waiting.reschedule(self._end_by)
        if self.run_id is None:
            return False
        try:
            async with asyncio.timeout(self._timeouts.cancelled):
                response = await self._http.post(f"/runs/{self.run_id}/cancel", json={})
        except (httpx.TransportError, TimeoutError):
            return False
        return response.is_success

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        if self._ended:
            raise StopAsyncIteration
        while True:
            while self._frames:
                event = self._accept(self._frames.popleft())
                if event is not None:
                    self._ended = is_done(event)
                    return event
            try:
                self._frames.extend(self._decoder.feed(await self._next()))
            except _BrokenError as broken:
                await self._resume(broken)

    async def _next(self) -> bytes:
        """The next bytes of this connection."""
        try:
            async with asyncio.timeout_at(self._deadline()) as self._waiting:
                return await anext(self._chunks)
        except StopAsyncIteration:
            raise _BrokenError("The connection was closed") from None
        except TimeoutError:
            raise _BrokenError("Nothing came for too long") from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _BrokenError("The connection broke") from error
        finally:
            self._waiting = None

    def _deadline(self) -> float:
        if self._end_by is not None:
            return self._end_by
        idle = self._timeouts.idle_unresumable if self.run_id is None else self._timeouts.idle
        return asyncio.get_running_loop().time() + idle

    def _accept(self, frame: Frame) -> Event | None:
        if frame.last_id:
            if self._is_repeated(frame.last_id):
                return None
            self._last_id = frame.last_id
        if not frame.data:
            return None
        self._tries = 0
        event = self._decode(frame.data)
        if event is not None:
            self.raw = frame.data
            self._turn.add(event)
        return event

    def _is_repeated(self, cursor: str) -> bool:
        """Whether a resumed stream gave again what had come: its cursors are numbers that grow.

        A connection that was never broken repeats nothing, whatever its ids are: some are constant, or on few events.
        """
        if not (_is_number(cursor) and _is_number(self._resumed_after)):
            return False
        return int(cursor) <= int(self._resumed_after)

    def _decode(self, data: str) -> Event | None:
        try:
            return decode_event(data)
        except InvalidEventError as error:
            try:
                kind = msgspec.json.decode(data, type=_Kind).content_type
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                kind = ""
            if not kind or kind in _KNOWN:
                raise _no_event(error) from error
        if self._observer is not None:
            self._observer.passed_over(kind)
        return None

    async def _resume(self, broken: _BrokenError) -> None:
        """Connect again behind the last event that came."""
        await self.aclose()
        if self.run_id is None or self._end_by is not None:
            raise self._cut_off(str(broken)) from broken
        while self._tries < MAX_TRIES:
            self._tries += 1
            if self._observer is not None:
                self._observer.reconnecting(self._tries, MAX_TRIES)
            await asyncio.sleep(self._backoff())
            if await self._connect():
                if self._observer is not None:
                    self._observer.reconnected()
                return
        raise self._cut_off(f"{broken}, and {MAX_TRIES} attempts to go on failed") from broken

    def _backoff(self) -> float:
        wait = self._timeouts.backoff * (1 << (self._tries - 1))
        asked = (self._decoder.retry_ms or 0) / 1000
        return min(max(wait, asked), _MAX_BACKOFF)

    async def _connect(self) -> bool:
        headers = {"Last-Event-ID": self._last_id or "0"}
        request = self._http.build_request("GET", f"/runs/{self.run_id}/events", headers=headers)
        try:
            async with asyncio.timeout(self._timeouts.connect + self._timeouts.first_byte):
                response = await self._http.send(request, stream=True)
        except (httpx.TransportError, TimeoutError):
            return False
        if response.status_code == OK:
            retry_ms = self._decoder.retry_ms
            self._response = response
            self._chunks = response.aiter_bytes()
            self._decoder = SseDecoder()
            self._decoder.retry_ms = retry_ms
            self._resumed_after = self._last_id
            return True
        await response.aclose()
        if response.status_code in _PASSING:
            return False
        raise self._cannot_resume(response)

    def _cannot_resume(self, response: httpx.Response) -> Exception:
        status = response.status_code
        why = {
            204: "The process that answered has ended, and nothing more of this answer comes",
            404: "The server no longer knows this run; it may have been restarted",
            410: "The events that were missed are no longer kept",
        }.get(status)
        return self._cut_off(why) if why else refusal(self._url, status, response.headers, b"")

    def _cut_off(self, why: str) -> NetworkError:
        fix = "Ask again" if self.run_id else "Ask again; this server cannot resume an answer"
        return NetworkError("The answer was cut off", why=why, fix=fix)


def _no_event(error: InvalidEventError) -> NetworkError:
    return NetworkError(
        "The server sent what is no event",
        why=f"{error.what}. {error.why}".rstrip(". "),
        fix="Check that the URL is that of a Sentient agent, and that both speak the protocol in version 1.0",
    )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18  # noqa: PLR2004 - fits 64 bits
