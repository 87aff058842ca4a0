"""A server of chat completions that does nothing but send chunks, each in a packet of its own. Prints its port."""

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


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def pieces() -> list[bytes]:
    texts = [_FRAME % (b'{"content":" token%d"}' % number, b"null") for number in range(CHUNKS)]
    frames = [_FRAME % (b'{"role":"assistant","content":""}', b"null"), *texts, _FRAME % (b"{}", b'"stop"'), _USAGE]
    return [*map(_chunked, frames), b"0\r\n\r\n"]


PIECES = pieces()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pause: float) -> None:
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
                for piece in PIECES:
                    writer.write(piece)
                    await asyncio.sleep(pause)
            else:
                writer.write(_HEAD + b"".join(PIECES))
            await writer.drain()
    except (asyncio.IncompleteReadError, OSError):
        writer.close()


async def main(pause: float) -> None:
    async def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve(reader, writer, pause)

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
