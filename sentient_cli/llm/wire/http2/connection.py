"""One connection in HTTP/2 (RFC 9113): the library knows the protocol, this moves the bytes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final, TypeAlias, cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError, StreamClosedError
from h2.settings import SettingCodes, Settings
from typing_extensions import override

from sentient_cli.llm.wire.broken import BrokenError, GarbledError, NoHttp2Error
from sentient_cli.llm.wire.http2.answer import WINDOW, Stream, UnprocessedError
from sentient_cli.llm.wire.http2.frames import Farewell, FrameReader

__all__ = ["CALLS", "Connection"]

Header: TypeAlias = tuple[bytes, bytes]

CALLS: Final = 100
"""Calls at a time on one connection, where the other side does not allow fewer."""
_CONNECTION_WINDOW: Final = 16 * 1024 * 1024
_LAST: Final = 2**30
"""Numbers of streams do not begin anew: near their end another connection is opened."""
_LARGEST_HEAD: Final = 256 * 1024


class Connection(asyncio.Protocol):
    """A connection, as the loop sees it.

    Args:
        lost: Called when it takes no new calls any more, and once more when it is gone.
    """

    def __init__(self, lost: Callable[[], None]) -> None:
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._h2 = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self._h2.local_settings = Settings(
            client=True,
            initial_values={
                SettingCodes.ENABLE_PUSH: 0,
                SettingCodes.INITIAL_WINDOW_SIZE: WINDOW,
                SettingCodes.MAX_HEADER_LIST_SIZE: _LARGEST_HEAD,
            },
        )
        self._frames = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._streams: dict[int, Stream] = {}
        self._untold = 0
        self._writable = asyncio.Event()
        self._paused = False
        self._heard = self._loop.time()
        self.leaving: bool = False
        """Whether it takes no new calls."""
        self.ready: asyncio.Future[None] = self._loop.create_future()
        """Done when the other side has said what it allows."""
        self.gone: asyncio.Future[None] = self._loop.create_future()
        """Done when it is closed."""

    @property
    def allowed(self) -> int:
        """Calls that there may be at a time."""
        return min(CALLS, self._h2.remote_settings.max_concurrent_streams) if self.ready.done() else CALLS

    # ------------------------------------------------------------------------------------------- what the loop calls
    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # no subclass of it under uvloop
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(_CONNECTION_WINDOW)
        self._flush()

    @override
    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        whole, farewells = self._frames.read(data)
        try:
            events = self._h2.receive_data(whole)
        except ProtocolError as error:
            self._flush()
            self._garbled(error)
            return
        for event in events:
            self._take(event)
        for farewell in farewells:
            self._part(farewell)
        self._flush()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.leaving = True
        if not self.ready.done():
            early = NoHttp2Error("{} closed the connection before it had said anything in HTTP/2")
            self.ready.set_exception(exc or early)
            self.ready.exception()  # perhaps nobody waits for it
        for stream in tuple(self._streams.values()):
            stream.fail(exc or BrokenError("The answer ended in the middle" if stream.status else _UNANSWERED))
        self._writable.set()
        if not self.gone.done():
            self.gone.set_result(None)
        self._lost()

    @override
    def pause_writing(self) -> None:
        self._paused = True

    @override
    def resume_writing(self) -> None:
        self._paused = False
        self._writable.set()

    # --------------------------------------------------------------------------------------------------- what came in
    def _take(self, event: Event) -> None:
        if isinstance(event, DataReceived):
            self._data(event)
        elif isinstance(event, ResponseReceived):
            stream = self._streams.get(event.stream_id or 0)
            if stream is not None:
                self._begin(stream, event.headers or [])
        elif isinstance(event, StreamEnded):
            self._over(event.stream_id, Stream.end)
        elif isinstance(event, StreamReset):
            self._over(event.stream_id, partial(Stream.fail, failure=_reset(event.error_code)))
            self._streams.pop(event.stream_id or 0, None)
        elif isinstance(event, RemoteSettingsChanged):
            self._writable.set()
            if not self.ready.done():
                self.ready.set_result(None)
        elif isinstance(event, WindowUpdated):
            self._writable.set()

    @staticmethod
    def _begin(stream: Stream, headers: Iterable[tuple[bytes | str, bytes | str]]) -> None:
        told: dict[str, str] = {}
        for raw_name, raw_value in headers:
            name, value = _text(raw_name), _text(raw_value)
            told[name] = f"{told[name]}, {value}" if name in told else value
        status = told.pop(":status", "")
        if status.isascii() and status.isdigit():
            stream.begin(int(status), told)
        else:
            stream.fail(GarbledError("The answer has no status"))

    def _data(self, event: DataReceived) -> None:
        size = event.flow_controlled_length or 0
        # The whole connection is never held up by somebody who reads slowly; each stream has its own window for that.
        self._untold += size
        if self._untold >= _CONNECTION_WINDOW // 4:
            self._h2.increment_flow_control_window(self._untold)
            self._untold = 0
        stream = self._streams.get(event.stream_id or 0)
        if stream is not None:
            stream.feed(event.data or b"", size)

    def _over(self, number: int | None, tell: Callable[[Stream], None]) -> None:
        stream = self._streams.get(number or 0)
        if stream is not None:
            tell(stream)
            self._writable.set()

    def _part(self, farewell: Farewell) -> None:
        self.leaving = True
        for number, stream in tuple(self._streams.items()):
            if number > farewell.last:
                stream.fail(UnprocessedError("{} closes the connection, and had not looked at the request"))
        self._writable.set()
        self._lost()
        if not self._streams:
            self.close()

    def _garbled(self, error: ProtocolError) -> None:
        self.leaving = True
        failure = GarbledError(f"What it sends is no HTTP/2 ({type(error).__name__})")
        if not self.ready.done():
            self.ready.set_exception(NoHttp2Error("What {} sends is no HTTP/2"))
            self.ready.exception()
        for stream in tuple(self._streams.values()):
            stream.fail(failure)
        self.close()

    # ------------------------------------------------------------------------------------------------ what is sent out
    async def request(self, head: Sequence[Header], body: bytes | None, patience: float) -> Stream:
        """Send a request, and give its answer when the head of that is there. Close it.

        Args:
            head: Its headers, those of the protocol first.
            body: What it carries.
            patience: Seconds that the other side may be silent.

        Raises:
            TimeoutError: it was.
            UnprocessedError: the connection takes no request any more.
            BrokenError: there is no answer.
        """
        if self.leaving or self._transport is None:
            raise UnprocessedError(_UNANSWERED)
        number = self._h2.get_next_available_stream_id()
        self.leaving = number >= _LAST
        stream = Stream(self, number, patience)
        try:
            self._h2.send_headers(number, head, end_stream=not body)
        except ProtocolError:  # it has become fewer that are allowed
            raise UnprocessedError("{} allows fewer calls at a time than it had") from None
        self._streams[number] = stream
        stream.is_sent = not body
        try:
            self._flush()
            if body:
                await self._send(number, stream, body, patience)
            await stream.head()
        except BaseException:
            stream.close()
            raise
        return stream

    async def _send(self, number: int, stream: Stream, body: bytes, patience: float) -> None:
        place = 0
        while place < len(body) and not stream.is_over:
            room = min(self._h2.local_flow_control_window(number), self._h2.max_outbound_frame_size)
            if room <= 0 or self._paused:
                self._writable.clear()
                async with asyncio.timeout(patience):
                    await self._writable.wait()
                continue
            piece = body[place : place + room]
            place += len(piece)
            stream.is_sent = place == len(body)
            self._h2.send_data(number, piece, end_stream=stream.is_sent)
            self._flush()

    def taken(self, stream: int, size: int) -> None:
        """So many bytes of a stream were read: as many more may come."""
        try:
            self._h2.increment_flow_control_window(size, stream)
        except (StreamClosedError, ProtocolError):
            return  # its last piece is there
        self._flush()

    def drop(self, stream: int) -> None:
        """A stream is given up: the other side is told, when it still answers."""
        dropped = self._streams.pop(stream, None)
        if dropped is not None and not dropped.is_complete:
            try:
                self._h2.reset_stream(stream, ErrorCodes.CANCEL)
            except ProtocolError:
                pass  # the connection is closed
            else:
                self._flush()
        if self.leaving and not self._streams:
            self.close()

    def doubt(self, since: float) -> None:
        """Nothing came on a stream; if nothing came on the whole connection since then, it takes no new calls."""
        if self._heard <= since:
            self.leaving = True
            self._lost()

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """Say farewell, and close it. May be called twice."""
        self.leaving = True
        if self._transport is None:
            if not self.gone.done():
                self.gone.set_result(None)
            return
        if not self._transport.is_closing():
            with contextlib.suppress(ProtocolError):  # it was garbled
                self._h2.close_connection()
            self._flush()
            self._transport.close()

    def abort(self) -> None:
        """Close it without waiting for the other side."""
        if self._transport is not None:
            self._transport.abort()


_UNANSWERED: Final = "{} closed the connection before it had answered"


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def _reset(code: ErrorCodes | int | None) -> BrokenError:
    if code == ErrorCodes.REFUSED_STREAM:
        return UnprocessedError("{} refused the request without looking at it")
    name = code.name if isinstance(code, ErrorCodes) else code
    return BrokenError(f"{{}} broke the answer off ({name})")
