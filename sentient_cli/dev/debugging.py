"""Lets a debugger attach to the generation that answers, always at the same port.

The hub listens there and passes on what an editor and the current worker say to each other; each worker listens at a
port of its own. When another generation answers, the editor loses its connection, and finds the new one when it comes
back: editors do that by themselves when they are told to (``"restart": true`` in VS Code).
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from typing import Final, Protocol, cast

__all__ = ["QUIET", "DebugRelay", "listen"]

QUIET: Final = {"PYDEVD_DISABLE_FILE_VALIDATION": "1"}
"""Variables that keep the debugger from talking to the terminal."""
_CHUNK: Final = 65536
_LOCAL: Final = "127.0.0.1"


class _Debugpy(Protocol):
    def listen(self, address: tuple[str, int], *, in_process_debug_adapter: bool) -> tuple[str, int]: ...


def listen() -> int:
    """Have debugpy listen in this process.

    Returns:
        At which port of this machine.

    Raises:
        ImportError: it is not installed.
        RuntimeError, OSError: it cannot.
    """
    debugpy = cast("_Debugpy", importlib.import_module("debugpy"))
    # With an adapter of its own, a process would be left that outlives this one.
    return debugpy.listen((_LOCAL, 0), in_process_debug_adapter=True)[1]


class DebugRelay:
    """Passes on between editors and the worker that answers. For one event loop."""

    def __init__(self) -> None:
        self._port: int | None = None
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self, address: tuple[str, int]) -> None:
        """Begin to listen.

        Args:
            address: As host and port.

        Raises:
            OSError: that cannot be listened on.
        """
        self._server = await asyncio.start_server(self._relay, *address)

    def switch(self, port: int | None) -> None:
        """From now on another worker is debugged; who is connected has to come again.

        Args:
            port: Where it listens; None: nobody does.
        """
        if port != self._port:
            self._port = port
            for writer in self._writers:
                writer.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._port is None:
                return
            far_reader, far_writer = await asyncio.open_connection(_LOCAL, self._port)
        except OSError:
            return
        else:
            ends = {writer, far_writer}
            self._writers |= ends
            try:
                await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
            finally:
                self._writers -= ends
                far_writer.close()
        finally:
            writer.close()

    async def aclose(self) -> None:
        """Listen no more, and let everybody go."""
        self.switch(None)
        if self._server is not None:
            self._server.close()
            self._server = None


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()
