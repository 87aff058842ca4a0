"""The framework's own server with the benchmarks' agent. Run by the framework's Python as ``framework.py PORT``."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.programs.agent import flood


class _Server(Protocol):
    def run(self, host: str, port: int) -> None: ...


def _server() -> _Server:
    # Only the Python of the framework's own environment has it.
    framework = importlib.import_module("sentient_agent_framework")
    make = cast("Callable[[object], _Server]", vars(framework)["DefaultServer"])
    return make(flood)


if __name__ == "__main__":
    _server().run("127.0.0.1", int(sys.argv[1]))
