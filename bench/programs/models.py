"""A server of chat completions that does as a scene says, and counts. ``python -m bench.programs.models SCENE [JSON]``.

Prints its port, and that with TLS. The path begins with the name of a provider: ``/a/v1/chat/completions``; ``/stats``
tells the counts.
The first message of a request is JSON that says what to answer. Scenes:

- ``paced``: ``{"pieces": 20, "pause": 0.5}``, so many pieces, so many seconds apart.
- ``cuts``: ``{"number": 7, "cut": 512, "manner": "repeats"}``: the answer to a number breaks off after so many bytes
  of its body, once; asked to go on, the model does it in its manner.
- ``faults``: ``{"number": 7}``: the options are the share of each fault, and of the time in which ``a`` is down.
- ``broken``: every request fails.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import ssl
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias, cast

import msgspec

from bench.programs.prose import pieces_of, text_of

_ASK_ENDS: Final = "nothing a second time.\n\n"
_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_STATUS: Final = b"HTTP/1.1 %d No\r\ncontent-type: application/json\r\n%scontent-length: %d\r\n\r\n%s"
_ERROR: Final = b'{"error":{"message":"Told to fail","type":"server_error","code":null}}'

FAMILIES: Final = (
    ("reset", "close", "reset within", "close within", "early end"),
    ("silence", "silence within"),
    ("500", "502", "503", "529", "error in band"),
    ("408", "429"),
    ("html", "bad JSON"),
)
"""What can go wrong, what is alike together: the connection, silence, the model's server, its limits, what it says."""
FAULTS: Final = tuple(kind for family in FAMILIES for kind in family)

_PAGE: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>"
_BEFORE: Final[dict[str, list[bytes]]] = {"html": [_PAGE], "reset": [], "close": [], "silence": []}

Json: TypeAlias = dict[str, object]


class Message(msgspec.Struct):
    content: str


class Asked(msgspec.Struct):
    """What matters of a request."""

    messages: list[Message]


class Order(msgspec.Struct):
    """What the first message says."""

    number: int = 0
    pieces: int = 0
    pause: float = 0.0
    cut: int = 0
    manner: str = "repeats"
    where: str = ""


class Options(msgspec.Struct):
    """The options of a scene."""

    share: float = 0.01
    """Of each kind of fault, or of each family."""
    families: bool = False
    down: float = 0.0
    cycle: float = 12.0
    seed: int = 1
    certificate: str = ""
    """A file with key and certificate: with it another port has TLS."""


class Reply(NamedTuple):
    """What is sent, and how it ends."""

    pieces: list[bytes]
    pause: float = 0.0
    end: str = ""
    """Nothing: as it should; else ``reset``, ``close`` or ``silence``."""


def frame(text: str) -> bytes:
    told: Json = {"id": "1", "model": "m", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
    return b"data: " + json.dumps(told).encode() + b"\n\n"


ENDING: Final = (
    b'data: {"id":"1","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"id":"1","model":"m","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":99}}\n\n'
    b"data: [DONE]\n\n"
)


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def answer_of(text: str, seed: int) -> list[bytes]:
    """The body of a whole answer, piece by piece, not yet chunked."""
    return [*map(frame, pieces_of(text, seed)), ENDING]


def sent(body: list[bytes], pause: float = 0.0) -> Reply:
    *pieces, last = map(chunked, body)
    return Reply([_HEAD, *pieces, last + b"0\r\n\r\n"], pause)


def continued(manner: str, anchor: str, rest: str, draw: random.Random) -> str:
    """What a model says that is asked to go on after its answer was cut off."""
    if manner == "repeats":
        return anchor + rest
    if manner == "repeats, spaced":
        return draw.choice(["\n", " ", "\n\n"]) + " ".join(anchor.split()) + anchor[len(anchor.rstrip()) :] + rest
    if manner == "forgets":
        return rest.lstrip()
    if manner == "preamble":
        return draw.choice(["Sure, here is the rest:\n\n", "Continuing:\n", "Of course: "]) + anchor + rest
    words = anchor.split()
    words[draw.randrange(max(1, len(words) - 1))] = "indeed"
    return " ".join(words) + anchor[len(anchor.rstrip()) :] + rest


class Scene:
    """Decides what is answered."""

    def __init__(self, name: str, options: Options) -> None:
        self._by: Callable[[str, Asked, Order], Reply] = {
            "paced": self._paced,
            "cuts": self._cuts,
            "faults": self._faults,
            "broken": self._broken,
        }[name]
        self._options = options
        self._draw = random.Random(options.seed)
        self._cut: set[tuple[int, str]] = set()
        self.began = time.monotonic()
        self.counts: Counter[str] = Counter()

    def reply(self, provider: str, asked: Asked) -> Reply:
        self.counts[f"requests of {provider}"] += 1
        return self._by(provider, asked, msgspec.json.decode(asked.messages[0].content, type=Order))

    def _paced(self, _: str, __: Asked, order: Order) -> Reply:
        return sent([*(frame(f" token{number}") for number in range(order.pieces)), ENDING], order.pause)

    def _rest(self, asked: Asked, order: Order) -> str:
        """The answer, or, asked to go on, what comes after what was there."""
        text = text_of(order.number)
        if len(asked.messages) == 1:
            return text
        anchor = asked.messages[-1].content.partition(_ASK_ENDS)[2]
        before = asked.messages[-2].content
        before += anchor[len(anchor.rstrip()) :]
        assert text.startswith(before), "the model is shown what it said"
        assert before.endswith(anchor)
        self.counts["asked to go on"] += 1
        return continued(order.manner, anchor, text[len(before) :], random.Random(order.number))

    def _cuts(self, provider: str, asked: Asked, order: Order) -> Reply:
        rest = self._rest(asked, order)
        if len(asked.messages) > 1:
            # Every second answer is gone on with by the other provider, since this one has gone.
            is_gone = order.where == "other" and provider == "a"
            return refusal(503) if is_gone else sent(answer_of(rest, order.number + 1))
        if (order.number, order.manner) in self._cut:
            return sent(answer_of(rest, order.number))
        self._cut.add((order.number, order.manner))
        body = b"".join(answer_of(rest, order.number))
        cut = body[: order.cut % len(body.partition(ENDING)[0])]
        return Reply([_HEAD + chunked(cut)] if cut else [_HEAD], end=("close", "reset")[order.number % 2])

    def _faults(self, provider: str, asked: Asked, order: Order) -> Reply:
        elapsed = (time.monotonic() - self.began) % self._options.cycle
        if provider == "a" and elapsed < self._options.down * self._options.cycle:
            self.counts["while down"] += 1
            return self._draw.choice((Reply([], end="reset"), refusal(503)))
        body = answer_of(self._rest(asked, order), order.number)
        place = int(self._draw.random() / self._options.share)
        families = FAMILIES if self._options.families else [(kind,) for kind in FAULTS]
        if place >= len(families):
            return sent(body)
        kind = self._draw.choice(families[place])
        self.counts[kind] += 1
        return self._fault(kind, body)

    def _fault(self, kind: str, body: list[bytes]) -> Reply:
        if kind.isdecimal():
            return refusal(int(kind))
        if kind in _BEFORE:
            return Reply(_BEFORE[kind], end="" if kind == "html" else kind)
        half = [_HEAD, *map(chunked, body[: self._draw.randrange(1, len(body))])]
        if kind == "early end":
            return Reply([*half, b"0\r\n\r\n"])
        if kind == "bad JSON":
            return Reply([*half, chunked(b'data: {"choices":[{\n\n'), b"0\r\n\r\n"])
        if kind == "error in band":
            return Reply([*half, chunked(b"data: " + _ERROR + b"\n\n"), b"0\r\n\r\n"])
        return Reply(half, end=kind.partition(" ")[0])

    def _broken(self, _: str, __: Asked, ___: Order) -> Reply:
        return refusal(500)


def refusal(status: int) -> Reply:
    more = b"retry-after: 1\r\n" if status == 429 else b""
    return Reply([_STATUS % (status, more, len(_ERROR), _ERROR)])


class Server:
    """Speaks HTTP/1.1 on loopback."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._open = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        counts = self._scene.counts
        counts["accepted"] += 1
        self._open += 1
        counts["most open"] = max(counts["most open"], self._open)
        peer: socket.socket = writer.get_extra_info("socket")
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self._open -= 1
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
        path = head[0].split(b" ")[1].decode()
        length = next((int(line[15:]) for line in head if line.startswith(b"content-length:")), 0)
        body = await reader.readexactly(length)
        if path == "/stats":
            told = json.dumps({**self._scene.counts, "open": self._open}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(told), told))
            return True
        reply = self._scene.reply(path.split("/")[1], msgspec.json.decode(body, type=Asked))
        for place, piece in enumerate(reply.pieces):
            if reply.pause and place:
                await asyncio.sleep(reply.pause)
                if writer.is_closing():
                    return False
            writer.write(piece)
        await writer.drain()
        return await self._end(reply.end, reader, writer)

    async def _end(self, end: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if end == "silence":
            await reader.read(1)  # until the client has had enough
        if end == "reset":
            peer: socket.socket = writer.get_extra_info("socket")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        return not end


async def main(name: str, options: str = "{}") -> None:
    chosen = msgspec.json.decode(options, type=Options)
    server = Server(Scene(name, chosen))
    ports = [await asyncio.start_server(server.serve, "127.0.0.1", 0, backlog=4096)]
    if chosen.certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(chosen.certificate)
        ports.append(await asyncio.start_server(server.serve, "127.0.0.1", 0, backlog=4096, ssl=context))
    print(*(cast("tuple[str, int]", port.sockets[0].getsockname())[1] for port in ports), flush=True)
    await ports[0].serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(*sys.argv[1:]))
