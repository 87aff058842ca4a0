"""Health, in the terms of Kubernetes' probes: alive, ready for traffic, started; and the details."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sentient_cli
from sentient_cli.host import Host
from sentient_cli.server.answers import send_json

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

__all__ = ["Health"]


class Health:
    """The health endpoints of one host.

    Args:
        host: Whose health it is.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._began = host.clock.now_ns()

    async def live(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Whether the process answers at all."""
        await send_json(send, 200, {"status": "ok"})

    async def ready(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Whether new runs are welcome."""
        status = "draining" if self._host.leaving else self._started()
        await send_json(send, 200 if status == "ok" else 503, {"status": status})

    async def startup(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Whether the agent is set up."""
        status = self._started()
        await send_json(send, 200 if status == "ok" else 503, {"status": status})

    def _started(self) -> str:
        # Mounted in another application nothing starts the host but the first run, and whoever asks here sends no run
        # before the answer is yes.
        self._host.begin_start()
        return "ok" if self._host.started else "starting"

    async def details(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Everything that is known."""
        host = self._host
        status = "draining" if host.leaving else "ok" if host.started else "starting"
        body = {
            "status": status,
            "version": sentient_cli.__version__,
            "agent": host.agent_name,
            "uptime_seconds": round((host.clock.now_ns() - self._began) / 1e9, 3),
            "runs": {"live": host.runs.live, "limit": host.limits.runs},
        }
        await send_json(send, 200 if status == "ok" else 503, body)
