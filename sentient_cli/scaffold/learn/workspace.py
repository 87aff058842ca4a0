"""What a lesson looks at: the learner's project, its files as they were made, and its agent while it is served."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from sentient_cli.config import Settings, load
from sentient_cli.errors import SentientError
from sentient_cli.runtime.events import ErrorEvent, Event, TextBlockEvent, TextChunkEvent
from sentient_cli.scaffold.learn.developing import served_at
from sentient_cli.scaffold.pristine import load as load_pristine

__all__ = ["PROJECT", "Reply", "Workspace"]

PROJECT = "learn-agent"
_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What the agent answered.

    Args:
        events: Everything that a client received.
    """

    events: tuple[Event, ...]

    @property
    def text(self) -> str:
        """The text that a reader would see."""
        shown = (event.content for event in self.events if isinstance(event, TextBlockEvent | TextChunkEvent))
        return "".join(shown).strip()

    @property
    def error(self) -> str:
        """The first error among the events; empty when there is none."""
        return next((event.content.error_message for event in self.events if isinstance(event, ErrorEvent)), "")


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where somebody learns.

    Args:
        base: The directory in which the project is made.
        environment: The variables of the process.
    """

    base: Path
    environment: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def project(self) -> Path:
        """The project's directory, which may not be there yet."""
        return self.base / PROJECT

    @property
    def settings(self) -> Settings:
        """The project's settings.

        Raises:
            ConfigError: they cannot be read.
        """
        start = self.project if self.project.is_dir() else self.base
        return load(project=start, environment=self.environment).settings

    @property
    def url(self) -> str | None:
        """Where its agent is served; None: nowhere."""
        found = served_at(self.project)
        if found is None and os.name == "nt":  # there `sentient serve` has to do
            server = self.settings.server
            return f"http://{server.host}:{server.port}"
        return found

    @property
    def agent_file(self) -> PurePosixPath:
        """The file of its agent, as its settings name it."""
        module = (self.settings.agent or "").partition(":")[0]
        return PurePosixPath("src", *module.split(".")).with_suffix(".py")

    @property
    def python(self) -> str:
        """The Python of the project's own environment; ours while it has none."""
        own = self.project / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        return str(own) if own.is_file() else sys.executable

    def as_made(self, path: str) -> str:
        """A file of the project as its template had it; empty when it had none.

        Raises:
            ProjectError: the project keeps nothing of its template.
        """
        file = load_pristine(self.project).rendering.files.get(PurePosixPath(path))
        return "" if file is None else file.content.decode("utf-8", "replace")

    def fields(self) -> dict[str, str]:
        """What the texts of lessons refer to."""
        known = {"project": PROJECT, "base": str(self.base)}
        try:
            return {**known, "agent": str(self.agent_file)}
        except SentientError:
            return {**known, "agent": "agent.py"}

    def question(self, prompt: str) -> Reply:
        """Ask the agent that is served.

        Raises:
            NetworkError: nobody is there, or the answer did not come.
        """
        return asyncio.run(self._question(prompt))

    async def _question(self, prompt: str) -> Reply:
        from sentient_cli.client.agent_client import AgentClient
        from sentient_cli.client.session import ClientSession
        from sentient_cli.errors import NetworkError

        url, token = self.url, self.settings.server.token
        if url is None:
            raise NetworkError(f"`sentient dev` does not run in {PROJECT}", fix="Start it with `sentient dev &`")
        client = AgentClient(url, token=token.reveal() if token else None)
        try:
            async with asyncio.timeout(_SECONDS), client, client.ask(prompt, ClientSession()) as answer:
                return Reply(tuple([event async for event in answer]))
        except TimeoutError:
            raise NetworkError(f"{url} did not answer in time") from None
