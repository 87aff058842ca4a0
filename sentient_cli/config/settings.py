"""The settings, their types and their defaults. A new setting is one line here: files, environment and docs follow."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Self, TypeAlias

from pydantic import Field, PrivateAttr

from sentient_cli.config.credentials import CredentialSettings
from sentient_cli.config.experiments import ExperimentSettings
from sentient_cli.config.fields import (
    MIB,
    Bytes,
    Count,
    HostName,
    Name,
    Origin,
    Port,
    Positive,
    PositiveBytes,
    PositiveSeconds,
    Seconds,
    Section,
    StoreUrl,
    Text,
    Token,
    Workers,
)
from sentient_cli.config.llm import LlmSettings, Url

__all__ = [
    "AuditSettings",
    "CredentialSettings",
    "DevSettings",
    "ExperimentSettings",
    "LlmSettings",
    "LogSettings",
    "MetricsSettings",
    "ProfileBy",
    "ServerSettings",
    "Settings",
    "StoreSettings",
    "TelemetrySettings",
]


class ServerSettings(Section):
    """How agents are served. Durations are seconds, sizes are bytes.

    Example:
        >>> settings = ServerSettings(port=9000, allow_origins=("https://chat.example",))
        >>> settings.host, settings.port, settings.drain_timeout
        ('127.0.0.1', 9000, 10.0)
    """

    host: Text = Field(default="127.0.0.1", description="The address to listen on.")
    port: Port = Field(default=8000, description="The port to listen on; 0 takes any that is free.")
    workers: Workers = Field(default=1, description="How many processes serve.")
    token: Token | None = Field(default=None, description="What a caller must present as its bearer token.")
    insecure: bool = Field(default=False, description="Allow a public address without a token.")
    allow_origins: tuple[Origin, ...] = Field(default=(), description="Origins of web pages that may call.")
    allow_hosts: tuple[HostName, ...] = Field(default=(), description="Host headers to accept beside the server's own.")
    drain_delay: Seconds = Field(default=2.0, description="How long a server that was told to stop still accepts.")
    drain_timeout: Seconds = Field(default=10.0, description="How long runs may go on after that.")
    run_timeout: PositiveSeconds = Field(default=600.0, description="The deadline of a run.")
    on_disconnect: Literal["cancel", "continue"] = Field(
        default="cancel", description="What a run does when its client leaves."
    )
    disconnect_grace: Seconds = Field(default=2.0, description="How long a client that left may come back.")
    heartbeat: PositiveSeconds = Field(default=15.0, description="The time between two comments on a silent stream.")
    header_timeout: PositiveSeconds = Field(default=10.0, description="How long a request's headers may take.")
    body_timeout: PositiveSeconds = Field(default=30.0, description="How long a request's body may take.")
    body_limit: PositiveBytes = Field(default=8 * MIB, description="How large a request's body may be.")
    send_timeout: PositiveSeconds = Field(
        default=30.0, description="How long a client may take nothing of what is sent."
    )
    max_runs: Positive = Field(default=4000, description="How many runs may go on at once.")
    keep_runs: Count = Field(default=1000, description="How many finished runs are kept.")
    keep_seconds: Seconds = Field(default=3600.0, description="How long a finished run is kept.")
    keep_bytes: Bytes = Field(default=256 * MIB, description="How much of finished runs is kept.")
    session_memory: bool = Field(default=False, description="Remember sessions on the server.")
    keep_sessions: Count = Field(default=10_000, description="How many sessions are remembered.")
    keep_session_seconds: Seconds = Field(
        default=30 * 24 * 3600.0, description="How long a session is remembered after its last query."
    )
    keep_session_bytes: Bytes = Field(default=256 * MIB, description="How much of sessions is remembered.")


class StoreSettings(Section):
    """Where runs and sessions are kept.

    Example:
        >>> StoreSettings(url="sqlite:runs.db").url, StoreSettings().url
        ('sqlite:runs.db', 'memory')
    """

    url: StoreUrl = Field(default="memory", description="`memory`, `sqlite:PATH` or `file:DIR`.")
    keep_runs: Count = Field(default=10_000, description="How many finished runs a store on disk keeps.")
    keep_seconds: Seconds = Field(
        default=30 * 24 * 3600.0, description="How long a store on disk keeps a finished run."
    )
    keep_bytes: Bytes = Field(default=1024 * MIB, description="How much of finished runs a store on disk keeps.")


class LogSettings(Section):
    """What a server logs.

    Example:
        >>> LogSettings(level="warning").format
        'json'
    """

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least important level shown."
    )
    format: Literal["json", "text"] = Field(default="json", description="One JSON object a line, or text for a reader.")


class MetricsSettings(Section):
    """What is counted of calls of models, for Prometheus.

    Example:
        >>> MetricsSettings().enabled
        False
    """

    enabled: bool = Field(default=False, description="Whether `GET /metrics` answers; it needs the extra `metrics`.")


class TelemetrySettings(Section):
    """Where spans of calls of models go. What is left out, the variables ``OTEL_…`` of OpenTelemetry say.

    Example:
        >>> TelemetrySettings(enabled=True, endpoint="http://127.0.0.1:4318").service is None
        True
    """

    enabled: bool = Field(default=False, description="Whether spans are sent; it needs the extra `otel`.")
    endpoint: Url | None = Field(default=None, description="The collector, such as `http://127.0.0.1:4318`.")
    service: Text | None = Field(default=None, description="What this service is called.")


class AuditSettings(Section):
    """Where the audit log is signed for.

    Example:
        >>> AuditSettings().checkpoint is None
        True
    """

    checkpoint: Path | None = Field(
        default=None, description="The file of its signed checkpoint, best on another disk; beside the log if not set."
    )


class DevSettings(Section):
    """What `sentient dev` watches and keeps.

    Example:
        >>> settings = DevSettings(ignore=("data", "notes/*.md"))
        >>> settings.start, settings.keep_runs
        ('auto', 1000)
    """

    watch: tuple[Path, ...] = Field(default=(), description="Files and directories to watch beside the project's.")
    include: tuple[Text, ...] = Field(default=(), description="Patterns of files to watch beside the usual ones.")
    ignore: tuple[Text, ...] = Field(default=(), description="Patterns of files and directories not to watch.")
    keep_runs: Count = Field(default=1000, description="How many finished runs are kept.")
    keep_bytes: Bytes = Field(default=256 * MIB, description="How much of finished runs is kept.")
    grow_bytes: Bytes = Field(
        default=1024 * MIB, description="How much its process may grow before a fresh one replaces it; 0: any."
    )
    start: Literal["auto", "fork", "spawn"] = Field(
        default="auto", description="How new code gets its process: `fork` is quicker, `spawn` works everywhere."
    )


ProfileBy: TypeAlias = Literal["nobody", "call", "user", "project"]
"""Who has named the profile. A call does so with a flag or a variable of the shell."""


class RootSettings(Section):
    """The settings that stand in no table.

    Example:
        >>> RootSettings(agent="agent.py").profile
        'default'
    """

    agent: Name | None = Field(default=None, description="The agent: `module:attr`, a module or a file.")
    profile: Text = Field(default="default", description="The profile whose values are laid over the others.")


class Settings(RootSettings):
    """All settings, frozen.

    Example:
        >>> Settings().server.port
        8000
    """

    server: ServerSettings = Field(default_factory=ServerSettings.defaults)
    store: StoreSettings = Field(default_factory=StoreSettings.defaults)
    llm: LlmSettings = Field(default_factory=LlmSettings.defaults)
    log: LogSettings = Field(default_factory=LogSettings.defaults)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings.defaults)
    telemetry: TelemetrySettings = Field(default_factory=TelemetrySettings.defaults)
    dev: DevSettings = Field(default_factory=DevSettings.defaults)
    audit: AuditSettings = Field(default_factory=AuditSettings.defaults)
    credentials: CredentialSettings = Field(default_factory=CredentialSettings.defaults)
    experiments: dict[str, ExperimentSettings] = Field(
        default_factory=dict, description="What is put on trial in real traffic, by name."
    )
    _profile_by: ProfileBy = PrivateAttr(default="nobody")
    _elsewhere: frozenset[str] = PrivateAttr(default=frozenset())

    @property
    def profile_by(self) -> ProfileBy:
        """Who has named the profile: nobody, a call, this user's settings, or the project, which may say anything."""
        return self._profile_by

    @property
    def experiment_names(self) -> frozenset[str]:
        """The experiments, and those of profiles that are not chosen now: what is known of these is still wanted."""
        return self._elsewhere | frozenset(self.experiments)

    def as_read(self, profile_by: ProfileBy, experiments: Iterable[str] = ()) -> Self:
        """The same, with what files say beside the settings that hold.

        Args:
            profile_by: Who has named the profile.
            experiments: The names of experiments in any profile.

        Example:
            >>> settings = Settings(profile="production").as_read("project", ["tone"])
            >>> settings.profile_by, settings.experiment_names
            ('project', frozenset({'tone'}))
        """
        settings = self.model_copy()
        settings._profile_by, settings._elsewhere = profile_by, frozenset(experiments)  # noqa: SLF001 - a copy of this
        return settings
