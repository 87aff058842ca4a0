"""HTTP/1.1 and SSE by hand over a socket, so that a test sees every byte and can break off anywhere."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeAlias, cast

Address: TypeAlias = tuple[str, int]
Headers: TypeAlias = Mapping[str, str]

PATIENCE = 120.0
"""Seconds after which a silent server has failed a test; a healthy one never gets near."""

JSON_BODY = {"Content-Type": "application/json"}
_START = re.compile(r"id: (\d+)\nevent: ([^\n\r]+)\ndata: ")
_READ = 1024 * 1024


def as_object(value: object) -> dict[str, object]:
    """A JSON object, or a failed test."""
    assert isinstance(value, dict), f"no object: {value!r}"
    return cast("dict[str, object]", value)


def as_list(value: object) -> list[object]:
    """A JSON list, or a failed test."""
    assert isinstance(value, list), f"no list: {value!r}"
    return cast("list[object]", value)


def dig(value: object, *path: str | int) -> object:
    """What stands at a path in decoded JSON.

    >>> dig({"a": [{"b": 1}]}, "a", 0, "b")
    1
    """
    for step in path:
        value = as_object(value)[step] if isinstance(step, str) else as_list(value)[step]
    return value


@dataclass(frozen=True)
class Frame:
    """One SSE frame of a run."""

    id: int
    event: str
    data: str

    @property
    def json(self) -> dict[str, object]:
        """The event."""
        value: dict[str, object] = json.loads(self.data)
        return value

    @property
    def content(self) -> object:
        """The content of the event."""
        return self.json["content"]


class Wire:
    """One connection to a server.

    Args:
        address: Where the server listens.
        receive_buffer: Bytes that the kernel may take in for this end, for clients that read slowly.
    """

    def __init__(self, address: Address, *, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        try:
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        self._buffer = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def request(self, method: str, path: str, headers: Headers | None = None, body: bytes | None = None) -> Answer:
        """Send a request and read the head of its answer."""
        self.send(head(method, path, headers or {}, body) + (body or b""))
        return self.answer()

    def answer(self) -> Answer:
        """Read the head of an answer."""
        lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        pairs = [line.partition(": ") for line in lines[1:] if line]
        return Answer(self, status, {name.lower(): value for name, _, value in pairs})

    def until(self, mark: bytes) -> bytes:
        """Read up to and without a mark."""
        while (at := self._buffer.find(mark)) < 0:
            self._more()
        found = bytes(self._buffer[:at])
        del self._buffer[: at + len(mark)]
        return found

    def exactly(self, count: int) -> bytes:
        """Read a number of bytes."""
        while len(self._buffer) < count:
            self._more()
        found = bytes(self._buffer[:count])
        del self._buffer[:count]
        return found

    def rest(self) -> bytes:
        """Read until the server closes; a reset counts as the end."""
        try:
            while True:
                self._more()
        except ConnectionError:
            return bytes(self._buffer)

    def _more(self) -> None:
        data = self.socket.recv(_READ)
        if not data:
            raise ConnectionError(f"the server closed after {bytes(self._buffer[:200])!r}")
        self._buffer += data


class Answer:
    """The answer to one request.

    Args:
        wire: Where its body comes from.
        status: Of HTTP.
        headers: By their names in small letters.
    """

    def __init__(self, wire: Wire, status: int, headers: dict[str, str]) -> None:
        self.status = status
        self.headers = headers
        self.comments: list[str] = []
        self._wire = wire

    @property
    def run_id(self) -> str:
        """The run that the answer is of."""
        return self.headers["sentient-run-id"]

    def read(self) -> bytes:
        """The whole body."""
        if self.status == 204:
            return b""
        if self.headers.get("transfer-encoding") == "chunked":
            return b"".join(self._chunks())
        return self._wire.exactly(int(self.headers["content-length"]))

    def json(self) -> dict[str, object]:
        """The body as a JSON object."""
        value: dict[str, object] = json.loads(self.read())
        return value

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._wire.until(b"\r\n"), 16):
            yield self._wire.exactly(size)
            assert self._wire.exactly(2) == b"\r\n"
        assert self._wire.exactly(2) == b"\r\n"

    def frames(self) -> Iterator[Frame]:
        """The frames as they come; a byte that the format does not allow fails the test."""
        assert self.status == 200, (self.status, self.headers)
        text = ""
        for chunk in self._chunks():
            text += chunk.decode()
            *blocks, text = text.split("\n\n")
            for block in blocks:
                yield self._frame(block)
        while text:  # heartbeats need no blank line
            line, newline, text = text.partition("\n")
            assert newline, f"a cut line at the end: {line!r}"
            self._comment(line)

    def first(self) -> Frame:
        """The first frame of a body that is read whole."""
        frames = list(self.frames())
        return frames[0]

    def _frame(self, block: str) -> Frame:
        while block.startswith(":"):
            line, _, block = block.partition("\n")
            self._comment(line)
        found = _START.match(block)
        assert found, f"not a frame: {block!r}"
        data = block[found.end() :]
        assert data, f"a frame without data: {block!r}"
        assert "\n" not in data, f"a line too many: {block!r}"
        assert "\r" not in data, f"a line too many: {block!r}"
        return Frame(int(found[1]), found[2], data)

    def _comment(self, line: str) -> None:
        assert line.startswith(":"), f"neither a frame nor a comment: {line!r}"
        self.comments.append(line)


def head(method: str, path: str, headers: Headers, body: bytes | None = None) -> bytes:
    """The head of a request, with a Host that a server on loopback takes unless another is given."""
    given = {"Host": "127.0.0.1", **headers}
    if body is not None and not {"Content-Length", "Transfer-Encoding"} & given.keys():
        given["Content-Length"] = str(len(body))
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


QUERY_ID = "01JS4F4Z5V0000000000000001"
ACTIVITY_ID = "01JS4F4Z5V0000000000000002"
REQUEST_ID = "01JS4F4Z5V0000000000000003"
SOURCE = "sentient-chat-client"


def session(interactions: Iterable[object] = ()) -> dict[str, object]:
    """A session as a client sends it."""
    ids = {"processor_id": SOURCE, "activity_id": ACTIVITY_ID, "request_id": REQUEST_ID}
    return {**ids, "interactions": list(interactions)}


def interaction(prompt: str, responses: Iterable[object] = (), **request: object) -> dict[str, object]:
    """An earlier turn as a client sends it."""
    part: dict[str, object] = {"prompt": prompt, "fileIds": list[str]()}
    content = {"capability": "assist", "request_payload": {"parts": [part]}}
    event = {"id": REQUEST_ID, "chatId": ACTIVITY_ID, "content": content, **request}
    sent = [{"sender": SOURCE, "recipients": ["user"], "event": response} for response in responses]
    return {"request": {"sender": "user", "recipients": [SOURCE], "event": event}, "responses": sent}


def question(prompt: str, chat: object = None) -> bytes:
    """The body of ``POST /assist``."""
    return json.dumps(
        {"query": {"id": QUERY_ID, "prompt": prompt}, "session": session() if chat is None else chat}
    ).encode()


def ask(wire: Wire, prompt: str, chat: object = None, headers: Headers | None = None) -> Answer:
    """Ask on a connection, and return the answer whose frames can then be read."""
    return wire.request("POST", "/assist", {**JSON_BODY, **(headers or {})}, question(prompt, chat))


def ask_all(address: Address, prompt: str, chat: object = None) -> list[Frame]:
    """Ask on a connection of its own, and return all frames."""
    with Wire(address) as wire:
        return list(ask(wire, prompt, chat).frames())


def fetch(
    address: Address, path: str, method: str = "GET", headers: Headers | None = None, body: bytes | None = None
) -> tuple[Answer, bytes]:
    """One request on a connection of its own: the answer, and its whole body."""
    with Wire(address) as wire:
        answer = wire.request(method, path, headers, body)
        return answer, b"" if method == "HEAD" else answer.read()


def fetch_json(
    address: Address, path: str, method: str = "GET", headers: Headers | None = None, body: bytes | None = None
) -> tuple[int, dict[str, object]]:
    """The same where JSON is answered: the status and the object."""
    answer, data = fetch(address, path, method, headers, body)
    assert answer.headers["content-type"] == "application/json"
    value: dict[str, object] = json.loads(data)
    return answer.status, value


def wait_finished(address: Address, run_id: str) -> dict[str, object]:
    """Ask after a run until it has ended. Every question lets the server's loop turn, so there is no need to sleep."""
    run: dict[str, object] = {}
    with Wire(address) as wire:
        for _ in range(20_000):
            run = wire.request("GET", f"/runs/{run_id}").json()
            if run["status"] == "finished":
                return run
    raise AssertionError(f"the run does not end: {run}")
