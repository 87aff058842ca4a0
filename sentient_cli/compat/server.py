"""The framework's server: its interface, our server."""

from __future__ import annotations

import contextlib
import importlib
import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from sentient_cli.config.settings import ServerSettings, Settings
from sentient_cli.errors import AgentImportError
from sentient_cli.runtime.agent import AgentLike
from sentient_cli.runtime.loader import loading

if TYPE_CHECKING:
    from types import ModuleType


__all__ = ["DefaultServer", "ServeOptions", "serve_with"]


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """How servers that a script starts serve.

    Args:
        settings: All settings.
        fixed: Those of ``host``, ``port`` and ``log-level`` that win over what the script says.
        log_style: What the log looks like, unless the script has set logging up.
        on_ready: Told the agent's name and the URL once requests are answered.
        heeded: Takes the names of the flags of ``sentient run`` that a server was made with.

    Example:
        >>> options = ServeOptions(Settings(server=ServerSettings(port=9000)), fixed=frozenset({"port"}))
        >>> options.settings.server.port, options.log_style
        (9000, 'json')
    """

    settings: Settings = field(default_factory=Settings)
    fixed: frozenset[str] = frozenset()
    log_style: Literal["json", "text"] = "json"
    on_ready: Callable[[str, str], None] | None = None
    heeded: set[str] = field(default_factory=set, compare=False)


_options = [ServeOptions()]
_BY_APP = frozenset({"store", "model", "script"})
_BY_SERVER = frozenset({"host", "port", "insecure", "log-level"})


def _serving() -> ModuleType:
    # The web stack is for those who serve, not for everybody who imports an agent.
    return importlib.import_module("sentient_cli.compat.serving")


@contextlib.contextmanager
def serve_with(options: ServeOptions) -> Generator[None]:
    """Use these options in every `DefaultServer` that is run while this is entered, in any thread.

    Example:
        >>> from sentient_cli import Query, Response, Session, agent
        >>> from sentient_cli.errors import AddressNotAllowedError
        >>> @agent
        ... async def echo(session: Session, query: Query, response: Response) -> None:
        ...     await response.respond("ANSWER", query.prompt)
        >>> with serve_with(ServeOptions(Settings(server=ServerSettings(host="0.0.0.0")))):
        ...     try:
        ...         DefaultServer(echo).run()
        ...     except AddressNotAllowedError as error:
        ...         print(error.code)
        address-not-allowed
    """
    _options.append(options)
    try:
        yield
    finally:
        _options.remove(options)


class DefaultServer:
    """Serves an agent.

    Args:
        agent: Answers.
    """

    def __init__(self, agent: AgentLike) -> None:
        self._agent = agent
        self._built: object = None

    @property
    def _app(self) -> object:
        # Scripts that start a server of their own reach for this name.
        if self._built is None:
            _options[-1].heeded.update(_BY_APP)
            self._built = _serving().make_app(self._agent, _options[-1].settings)
        return self._built

    def run(self, host: str | None = None, port: int | None = None) -> None:
        """Serve until a signal says to stop, then drain.

        Args:
            host: The address to listen on; the one of the settings unless given, and that is 127.0.0.1.
            port: The port to listen on; 8000 unless given.

        Raises:
            AddressInUseError: the port is taken.
            AddressNotAllowedError: the port is privileged, or the address is public and nothing protects it.
            AgentImportError: the script is only being imported.
            AgentSignatureError: the agent has no `assist`, or not one that can answer.
        """
        if loading.get():
            raise AgentImportError(
                "The module starts a server while it is imported",
                fix='Call run() below `if __name__ == "__main__":`, or use `sentient run`',
            )
        options = _options[-1]
        options.heeded.update(_BY_APP, _BY_SERVER)
        if "log-level" in options.fixed:
            logging.getLogger().setLevel(options.settings.log.level.upper())
        given = {"host": host, "port": port}
        changes = {name: value for name, value in given.items() if value is not None and name not in options.fixed}
        server = ServerSettings.model_validate({**dict(options.settings.server), **changes})
        settings = options.settings.model_copy(update={"server": server})
        _serving().serve_agent(self._agent, settings, log_style=options.log_style, on_ready=options.on_ready)
