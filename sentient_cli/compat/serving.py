"""Serves an agent for a script, with our server."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sentient_cli.compat.adapting import adapt
from sentient_cli.host.compose import build_host
from sentient_cli.runtime.loading.choosing import Candidate
from sentient_cli.runtime.loading.making import make_agent
from sentient_cli.server.app import create_app
from sentient_cli.server.exposure import check_exposure
from sentient_cli.server.logs import configure_logging
from sentient_cli.server.serving import serve
from sentient_cli.server.sockets import bind

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from sentient_cli.config.settings import Settings
    from sentient_cli.runtime.agent import AgentLike

__all__ = ["make_app", "serve_agent"]

_logger = logging.getLogger(__name__)


def _usable(agent: AgentLike) -> AgentLike:
    """The agent, checked: a script may hand over anything."""
    kind = agent if isinstance(agent, type) else type(agent)
    return adapt(make_agent(Candidate(kind.__name__, agent), "the script", "agent"))


def make_app(agent: AgentLike, settings: Settings) -> object:
    """The ASGI application that serves an agent.

    Raises:
        AgentSignatureError: it cannot answer.
    """
    return create_app(build_host(_usable(agent), settings), settings.server)


def serve_agent(
    agent: AgentLike,
    settings: Settings,
    *,
    log_style: Literal["json", "text"],
    on_ready: Callable[[str, str], None] | None,
) -> None:
    """Serve until a signal says to stop, then drain.

    Args:
        agent: Answers.
        settings: All settings.
        log_style: What the log looks like, unless logging is set up already.
        on_ready: Told the agent's name and the URL once requests are answered.

    Raises:
        AgentSignatureError: the agent cannot answer.
        ConfigError: the token protects nothing, or a setting leads nowhere.
        NetworkError: the address cannot be listened on.
    """
    server = settings.server
    doubt = check_exposure(server)
    if not logging.getLogger().handlers:
        configure_logging(settings.log.level, log_style)
    if doubt:
        _logger.warning("%s", doubt)
    usable = _usable(agent)
    with bind(server.host, server.port) as listener:
        host = build_host(usable, settings)
        name = f"[{server.host}]" if ":" in server.host else server.host
        url = f"http://{name}:{listener.getsockname()[1]}"
        ready = None if on_ready is None else lambda: on_ready(host.agent_name, url)
        serve(create_app(host, server), host, server, [listener], on_ready=ready)
