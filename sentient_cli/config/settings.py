"""The settings, their types and their defaults. A new setting is one line here: files, environment and docs follow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetPydanticSchema,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import core_schema

from sentient_cli.config.origins import check_host, check_origin
from sentient_cli.config.secret import Secret

__all__ = ["DevSettings", "LlmSettings", "LogSettings", "ServerSettings", "Settings", "StoreSettings"]

MIB: Final = 1024 * 1024


def _no_flag(value: object) -> object:
    # True would pass for 1.
    if isinstance(value, bool):
        raise ValueError("Input should be a valid number")  # noqa: TRY004 - Pydantic turns only a ValueError into an error
    return value


def _secret_schema(*_: object) -> core_schema.CoreSchema:
    text = core_schema.str_schema(min_length=1)
    return core_schema.union_schema(
        [core_schema.is_instance_schema(Secret), core_schema.no_info_after_validator_function(Secret, text)],
        custom_error_type="secret",
        custom_error_message="Input should be a string that is not empty",
    )


def _keep_undecoded(value: object, check: ValidatorFunctionWrapHandler) -> object:
    # Where the locale knows no UTF-8, Python has the name of a file with lone surrogates, which no string may have.
    undecoded = isinstance(value, str) and not value.isascii() and any("\udc80" <= char <= "\udcff" for char in value)
    if not undecoded:
        return check(value)
    check(str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
    return value


Seconds = Annotated[float, BeforeValidator(_no_flag), Field(ge=0, allow_inf_nan=False)]
"""A duration in seconds, 0 or more."""
PositiveSeconds = Annotated[float, BeforeValidator(_no_flag), Field(gt=0, allow_inf_nan=False)]
Port = Annotated[int, BeforeValidator(_no_flag), Field(ge=0, le=65535)]
Positive = Annotated[int, BeforeValidator(_no_flag), Field(ge=1)]
Count = Annotated[int, BeforeValidator(_no_flag), Field(ge=0)]
Text = Annotated[str, Field(min_length=1)]
Origin = Annotated[str, AfterValidator(check_origin)]
HostName = Annotated[str, AfterValidator(check_host)]
Token = Annotated[Secret, GetPydanticSchema(_secret_schema)]
Name = Annotated[str, Field(min_length=1), WrapValidator(_keep_undecoded)]
"""Text that can be the name of a file."""
StoreUrl = Annotated[str, Field(pattern=r"^(memory|sqlite:.+|file:.+)$"), WrapValidator(_keep_undecoded)]


class _Section(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True, validate_default=True
    )


class ServerSettings(_Section):
    """How agents are served. Durations are seconds, sizes are bytes.

    Example:
        >>> settings = ServerSettings(port=9000, allow_origins=("https://chat.example",))
        >>> settings.host, settings.port, settings.drain_timeout
        ('127.0.0.1', 9000, 10.0)
    """

    host: Text = Field(default="127.0.0.1", description="The address to listen on.")
    port: Port = Field(default=8000, description="The port to listen on; 0 takes any that is free.")
    workers: Positive = Field(default=1, description="How many processes serve.")
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
    body_limit: Positive = Field(default=8 * MIB, description="How large a request's body may be.")
    send_timeout: PositiveSeconds = Field(
        default=30.0, description="How long a client may take nothing of what is sent."
    )
    max_runs: Positive = Field(default=4000, description="How many runs may go on at once.")
    keep_runs: Count = Field(default=1000, description="How many finished runs are kept.")
    keep_seconds: Seconds = Field(default=3600.0, description="How long a finished run is kept.")
    keep_bytes: Count = Field(default=256 * MIB, description="How much of finished runs is kept.")
    session_memory: bool = Field(default=False, description="Remember sessions on the server.")
    keep_sessions: Count = Field(default=10_000, description="How many sessions are remembered.")
    keep_session_seconds: Seconds = Field(
        default=30 * 24 * 3600.0, description="How long a session is remembered after its last query."
    )
    keep_session_bytes: Count = Field(default=256 * MIB, description="How much of sessions is remembered.")


class StoreSettings(_Section):
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
    keep_bytes: Count = Field(default=1024 * MIB, description="How much of finished runs a store on disk keeps.")


class LlmSettings(_Section):
    """Which model an agent gets that names none.

    Example:
        >>> LlmSettings().model, LlmSettings(model="offline:echo").model
        ('offline', 'offline:echo')
    """

    model: Text = Field(default="offline", description="`provider:model`, or a provider alone for its default model.")
    script: Path | None = Field(default=None, description="A script for the offline model.")


class LogSettings(_Section):
    """What a server logs.

    Example:
        >>> LogSettings(level="warning").format
        'json'
    """

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least important level shown."
    )
    format: Literal["json", "text"] = Field(default="json", description="One JSON object a line, or text for a reader.")


class DevSettings(_Section):
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
    keep_bytes: Count = Field(default=256 * MIB, description="How much of finished runs is kept.")
    start: Literal["auto", "fork", "spawn"] = Field(
        default="auto", description="How new code gets its process: `fork` is quicker, `spawn` works everywhere."
    )


class Settings(_Section):
    """All settings, frozen.

    Example:
        >>> Settings().server.port
        8000
    """

    agent: Name | None = Field(default=None, description="The agent: `module:attr`, a module or a file.")
    profile: Text = Field(default="default", description="The profile whose values are laid over the others.")
    server: ServerSettings = ServerSettings()
    store: StoreSettings = StoreSettings()
    llm: LlmSettings = LlmSettings()
    log: LogSettings = LogSettings()
    dev: DevSettings = DevSettings()
