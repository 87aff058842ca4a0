"""A debugger attaches to the running agent, stops at a line, and finds the new code after a save."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import cast

import pytest

from tests.dev.developing import AGENT, Stream, developing
from tests.support.wire import PATIENCE

_SLOW = """
import time

def listen(address, **_):
    time.sleep(2)  # so long it takes
    print("it listens")
    return address
"""


class _Editor:
    """Speaks the Debug Adapter Protocol, as far as an editor needs it to attach and stop at a line."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._file = self._socket.makefile("rb")
        self._last = 0
        self._heard: list[dict[str, object]] = []

    def send(self, command: str, arguments: dict[str, object] | None = None) -> None:
        self._last += 1
        message = {"seq": self._last, "type": "request", "command": command, "arguments": arguments or {}}
        data = json.dumps(message).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n" % len(data) + data)

    def wait(self, kind: str, name: str) -> dict[str, object]:
        while True:
            for index, message in enumerate(self._heard):
                if message["type"] == kind and message.get("command" if kind == "response" else "event") == name:
                    return self._heard.pop(index)
            size = 0
            while line := self._file.readline().strip():
                if line.lower().startswith(b"content-length:"):
                    size = int(line.split(b":")[1])
            assert size, "the debugger is gone"
            self._heard.append(cast("dict[str, object]", json.loads(self._file.read(size))))

    def attach(self, file: Path, line: int) -> None:
        self.send("initialize", {"adapterID": "tests", "pathFormat": "path", "linesStartAt1": True})
        self.wait("response", "initialize")
        self.send("attach", {"justMyCode": False})
        self.wait("event", "initialized")
        self.send("setBreakpoints", {"source": {"path": str(file)}, "breakpoints": [{"line": line}]})
        found = cast("dict[str, list[dict[str, object]]]", self.wait("response", "setBreakpoints")["body"])
        assert found["breakpoints"][0]["verified"], found
        self.send("configurationDone")
        self.wait("response", "attach")

    def stopped_at(self) -> dict[str, object]:
        thread = cast("dict[str, object]", self.wait("event", "stopped")["body"])["threadId"]
        self.send("stackTrace", {"threadId": thread})
        body = cast("dict[str, list[dict[str, object]]]", self.wait("response", "stackTrace")["body"])
        return {**body["stackFrames"][0], "thread": thread}

    def go_on(self, frame: dict[str, object]) -> None:
        self.send("continue", {"threadId": frame["thread"]})
        self.wait("response", "continue")

    def is_let_go(self) -> bool:
        while self._file.read(4096):
            pass
        return True

    def close(self) -> None:
        self._file.close()
        self._socket.close()


@pytest.mark.slow
@pytest.mark.story("18.7")
def test_a_debugger_stops_in_the_agent_and_again_after_a_save(tmp_path: Path, free_port: int) -> None:
    line = AGENT.splitlines().index('        await stream.write(VERSION + " ")') + 1
    with developing(tmp_path / "project", "--debugpy-port", free_port) as dev:
        for version in ("one", "two"):
            if version != "one":
                dev.save(version)
            editor = _Editor(free_port)
            try:
                editor.attach(dev.project / "agent.py", line)
                stream = Stream(dev.url, "", wait=False)
                frame = editor.stopped_at()
                assert (frame["name"], frame["line"]) == ("versions", line)
                editor.go_on(frame)
                assert stream.words() == {version}
                if version == "one":
                    dev.save("between")
                    assert editor.is_let_go()
            finally:
                editor.close()


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_a_debugger_that_takes_long_to_listen_is_no_blocked_loop(tmp_path: Path, free_port: int) -> None:
    packages = tmp_path / "site-packages"
    packages.mkdir()
    (packages / "debugpy.py").write_text(_SLOW)
    with developing(tmp_path / "project", "--debugpy-port", free_port, env={"PYTHONPATH": str(packages)}) as dev:
        assert dev.wait("ready")["debugger"] == f"127.0.0.1:{free_port}"
        assert dev.ask() == "one"
        dev.wait("output", where=lambda event: event["text"] == "it listens")
        assert not any("blocked" in str(event) for event in dev.events)
