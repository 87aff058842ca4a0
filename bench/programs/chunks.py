"""A server of models that does nothing but send chunks, each in a packet of its own. Prints its port.

It is told the pause between two of them, whose wire it speaks, ``openai`` or ``anthropic``, and how many there are.
"""

from __future__ import annotations

import asyncio
import socket
import sys

CHUNKS = 500
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_FRAME = (
    b'data: {"id":"chatcmpl-Bx0aYk1cQ7","object":"chat.completion.chunk","created":1750000000,"model":"small-1",'
    b'"service_tier":"default","system_fingerprint":"fp_1","choices":[{"index":0,"delta":%b,"logprobs":null,'
    b'"finish_reason":%b}],"usage":null,"obfuscation":"a1b2c3"}\n\n'
)
_USAGE = (
    b'data: {"id":"chatcmpl-Bx0aYk1cQ7","object":"chat.completion.chunk","created":1750000000,"model":"small-1",'
    b'"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":500,"total_tokens":512}}\n\ndata: [DONE]\n\n'
)
_DELTA = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":" token%d"}}\n\n'
)
_BEGINNING = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_01Bx0aYk1cQ7","type":"message","role":'
    b'"assistant","model":"small-1","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":12,'
    b'"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1,"service_tier":"standard"}}}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":'
    b'""}}\n\nevent: ping\ndata: {"type":"ping"}\n\n'
)
_ENDING = (
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
    b'"usage":{"output_tokens":500}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
)


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _of_openai(count: int) -> list[bytes]:
    texts = [_FRAME % (b'{"content":" token%d"}' % number, b"null") for number in range(count)]
    return [_FRAME % (b'{"role":"assistant","content":""}', b"null"), *texts, _FRAME % (b"{}", b'"stop"'), _USAGE]


def _of_anthropic(count: int) -> list[bytes]:
    return [_BEGINNING, *(_DELTA % number for number in range(count)), _ENDING]


def pieces(wire: str, count: int) -> list[bytes]:
    """The body of an answer, in what is sent at a time."""
    said = _of_anthropic(count) if wire == "anthropic" else _of_openai(count)
    return [*map(_chunked, said), b"0\r\n\r\n"]


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pause: float, answer: list[bytes]) -> None:
    peer: socket.socket = writer.get_extra_info("socket")
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0
            )
            await reader.readexactly(length)
            if pause >= 0:
                writer.write(_HEAD)
                for piece in answer:
                    writer.write(piece)
                    await asyncio.sleep(pause)
            else:
                writer.write(_HEAD + b"".join(answer))
            await writer.drain()
    except (asyncio.IncompleteReadError, OSError):
        writer.close()


async def main(pause: float, wire: str, count: int) -> None:
    answer = pieces(wire, count)

    async def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve(reader, writer, pause, answer)

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    _, how_long, *more = sys.argv
    asyncio.run(main(float(how_long), more[0] if more else "openai", int(more[1]) if more[1:] else CHUNKS))
