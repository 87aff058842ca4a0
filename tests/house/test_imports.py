"""Importing a module does nothing but define."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.house.sources import package

_PROBE = """
import importlib, json, sys
modules = json.loads(sys.argv[1])
seen = []
def audit(event, args):
    writes = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wxa+")
    if writes or event.startswith(("socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess", "os.fork")):
        seen.append([current, event, repr(args[:2])])
    if event in ("os.mkdir", "os.remove", "os.rename", "sqlite3.connect"):
        seen.append([current, event, repr(args[:2])])
current = ""
sys.addaudithook(audit)
for current in modules:
    importlib.import_module(current)
print(json.dumps(seen))
"""


@pytest.mark.usefixtures("unmeasured")
def test_importing_touches_no_file_socket_or_process() -> None:
    names = [source.name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for source in package()]
    modules = [name for name in names if not name.endswith("__main__")]
    command = [sys.executable, "-B", "-c", _PROBE, json.dumps(modules)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
