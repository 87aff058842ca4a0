"""A model server that plays a scene, in a process and on a core of its own, and providers that speak to it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from bench.process import cpu_seconds
from bench.reference import ROOT
from bench.servers import spawn
from sentient_cli.llm.compatible import CompatibleConfig, CompatibleProvider

__all__ = ["Models", "provider", "scene"]


@dataclass(frozen=True, slots=True)
class Models:
    """A running server of `bench.programs.models`.

    Args:
        port: Where it listens.
        pid: Its process.
        tls: Where it listens with TLS, if it does.
    """

    port: int
    pid: int
    tls: int = 0

    def url(self, name: str) -> str:
        """The base of a provider's address."""
        return f"http://127.0.0.1:{self.port}/{name}/v1"

    @property
    def counts(self) -> dict[str, int]:
        """What it counted; what is missing did not happen. ``open`` has the connection that asks."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/stats") as answer:
            return cast("dict[str, int]", json.load(answer))

    @property
    def cpu(self) -> float:
        """Seconds of CPU time used so far."""
        return cpu_seconds(self.pid)


@contextmanager
def scene(name: str, **options: float | bool | str) -> Generator[Models, None, None]:
    """Play a scene until the end of the block.

    Args:
        name: Which.
        options: Of `bench.programs.models.Options`.

    Raises:
        RuntimeError: it does not come up, or has complained on its standard error.
    """
    command = [sys.executable, "-m", "bench.programs.models", name, json.dumps(options)]
    with tempfile.TemporaryFile() as said:
        process = spawn(command, {}, said, ROOT, output=subprocess.PIPE)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if line:
                port, *tls = map(int, line.split())
                yield Models(port, process.pid, *tls)
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
        said.seek(0)
        if complaint := said.read():
            raise RuntimeError(f"The model server failed:\n{complaint.decode(errors='replace')[-2000:]}")


def provider(models: Models, name: str, *, timeout: float = 30.0, connections: int = 1000) -> CompatibleProvider:
    """A provider that speaks to it.

    Args:
        models: The server.
        name: Its id, and which one it is there.
        timeout: Seconds of silence that it bears.
        connections: How many it may have.
    """
    config = CompatibleConfig(
        base_url=models.url(name), default_model="m", timeout=timeout, max_connections=connections, pool_timeout=60.0
    )
    return CompatibleProvider("compatible", config, provider_id=name)
