"""The server that the tests of providers stand on: what it sends is HTTP, and nothing of it is left."""

from __future__ import annotations

import gc
import socket

import pytest

from tests.support.llm_server import Answer, LLMServer

ASKED = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.mark.parametrize("body", [b"", [], [b""], [b"", b"12", b""]])
def test_the_end_of_a_body_is_sent_once(body: bytes | list[bytes]) -> None:
    with LLMServer(Answer(body)) as server, socket.create_connection(("127.0.0.1", server.port), 20) as client:
        client.sendall(ASKED)
        told = b""
        while not told.endswith(b"0\r\n\r\n"):
            told += client.recv(65536)
        client.sendall(ASKED)
        client.shutdown(socket.SHUT_WR)
        while more := client.recv(65536):
            told += more
    assert told.count(b"0\r\n\r\n") == told.count(b"HTTP/1.1 200") == 2
    assert told.endswith(b"\r\n0\r\n\r\n")


@pytest.mark.slow
def test_it_ends_while_clients_come() -> None:
    for _ in range(20):
        with LLMServer(Answer(delay=3600.0)) as server:
            clients = [socket.create_connection(("127.0.0.1", server.port), 20) for _ in range(10)]
            for client in clients[::2]:
                client.sendall(ASKED)
        for client in clients:
            client.close()
    gc.collect()  # a socket of the server that nobody closed gives a warning, which is an error


@pytest.mark.slow
def test_it_ends_though_a_client_does_not_read() -> None:
    with LLMServer(Answer(b"x" * 2**24)) as server, socket.create_connection(("127.0.0.1", server.port), 20) as client:
        client.sendall(ASKED)
        assert client.recv(1)
    gc.collect()
