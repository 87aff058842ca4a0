"""Processes that read streamed answers with libraries of others. Part of `bench.llm_chunks`."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.peers import node, npm_packages, npm_versions, peer_python, versions

__all__ = ["AI_SDK", "PEERS", "peer", "peer_versions"]

AI_SDK: Final = "Vercel's AI SDK"
PEERS: Final[Mapping[str, float]] = {"litellm": 0.05, "pydantic-ai": 0.1, "any-llm": 0.2, AI_SDK: 0.5}
"""By name, how much of their CPU time ours may take."""
_PROGRAMS = Path(__file__).parent / "programs"


def _command(name: str, url: str) -> list[str]:
    if name == AI_SDK:
        return [str(node()), str(_PROGRAMS / "peer_chunks.mjs"), str(npm_packages()), url]
    return [str(peer_python("llm")), str(_PROGRAMS / "peer_chunks.py"), name, url]


@contextmanager
def peer(name: str, url: str) -> Generator[Callable[[int, int], float], None, None]:
    """A process that reads with another library: gives what measures so many answers, so many at once.

    Args:
        name: Of the library, one of `PEERS`.
        url: Where the server is.
    """
    with subprocess.Popen(_command(name, url), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        orders, figures = process.stdin, process.stdout

        def take(answers: int, at_once: int) -> float:
            print(answers, at_once, file=orders, flush=True)
            return float(figures.readline())

        try:
            yield take
        finally:
            process.kill()


def peer_versions() -> str:
    """What is compared with, with its versions."""
    return f"{versions('llm', ('litellm', 'pydantic-ai-slim', 'any-llm-sdk'))}, {npm_versions()}"
