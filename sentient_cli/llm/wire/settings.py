"""The settings of a provider that is reached over a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from sentient_cli.config.secret import Secret
from sentient_cli.errors import ConfigError
from sentient_cli.llm.provider import ProviderConfig
from sentient_cli.llm.types import JsonValue

__all__ = ["RemoteConfig", "with_changes"]

C = TypeVar("C", bound=ProviderConfig)
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Count = Annotated[int, Meta(ge=1, le=100_000)]


class RemoteConfig(ProviderConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every remote provider can be told. What is around it (deadlines of attempts, limits) is the manager's.

    Args:
        base_url: Where it is.
        api_key: What it knows us by; None: nothing.
        api_keys: More of them, between which calls are spread; one that has no quota left rests.
        organization: On whose account, where an account has several.
        project: The same, one level below.
        headers: More headers of each request.
        connect_timeout: Seconds until a connection stands.
        max_connections: How many connections there are at most; more calls than that wait.
        pool_timeout: Seconds that a call waits for a connection.
        keepalive: Seconds that an unused connection stays open.
        proxy: A proxy for all requests; None: none, whatever the environment says.
        ca_file: A file of certificates to trust in the place of the system's.

    Example:
        >>> config = RemoteConfig(default_model="small", base_url="http://127.0.0.1:8080/v1", api_key=Secret("sk-1"))
        >>> config.api_key
        Secret('**********')
    """

    base_url: str = ""
    api_key: Secret | None = None
    api_keys: tuple[Secret, ...] = ()
    organization: str | None = None
    project: str | None = None
    headers: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    connect_timeout: Seconds = 10.0
    max_connections: Count = 1000
    pool_timeout: Seconds = 10.0
    keepalive: Seconds = 60.0
    proxy: str | None = None
    ca_file: str | None = None

    @property
    def keys(self) -> tuple[Secret, ...]:
        """All keys, each once."""
        return tuple(dict.fromkeys((*((self.api_key,) if self.api_key else ()), *self.api_keys)))


def _secret(kind: type, value: object) -> object:
    if kind is Secret and isinstance(value, str | Secret):
        return Secret(value)
    raise NotImplementedError(kind)


def with_changes(config: C, changes: Mapping[str, JsonValue | Secret], provider: str) -> C:
    """Settings with some of them changed.

    Args:
        config: Those that there are.
        changes: The others, by name.
        provider: Whose they are, for the error.

    Raises:
        ConfigError: a name is unknown or a value does not fit.

    Example:
        >>> with_changes(RemoteConfig(default_model="small"), {"timeout": 5, "api_key": "sk-2"}, "mine").timeout
        5.0
    """
    merged = {**msgspec.structs.asdict(config), **changes}
    try:
        return msgspec.convert(merged, type(config), dec_hook=_secret)
    except (msgspec.ValidationError, NotImplementedError) as error:
        raise ConfigError(
            f"The settings of the provider {provider!r} are not valid",
            why=str(error),
            fix=f"The settings are {', '.join(type(config).__struct_fields__)}",
        ) from None
