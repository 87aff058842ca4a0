"""The framework's own server with the benchmarks' agent. Run by the framework's Python as ``framework.py PORT``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Protocol, cast

sys.path.insert(0, str(Path(__file__).parent))

from agent import flood  # noqa: E402  # pyright: ignore[reportImplicitRelativeImport]


class _Server(Protocol):
    def run(self, host: str, port: int) -> None: ...


def _server() -> _Server:
    import sentient_agent_framework as framework  # type: ignore[import-not-found]  # its own environment has it

    return cast("_Server", framework.DefaultServer(flood))


if __name__ == "__main__":
    _server().run("127.0.0.1", int(sys.argv[1]))
