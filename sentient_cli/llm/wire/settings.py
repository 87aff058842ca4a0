"""The settings of a provider that is reached over a network."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from sentient_cli.config.pools import Profile
from sentient_cli.config.secret import Secret
from sentient_cli.errors import ConfigError
from sentient_cli.llm.provider import ProviderConfig
from sentient_cli.llm.types import JsonValue
from sentient_cli.llm.wire.pooling import PROFILES, Pooling

__all__ = ["RemoteConfig", "with_changes"]

C = TypeVar("C", bound=ProviderConfig)
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Count = Annotated[int, Meta(ge=1, le=100_000)]


class RemoteConfig(ProviderConfig, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """What every remote provider can be told. What is around it (deadlines of attempts, limits) is the manager's.

    Args:
        base_url: Where it is.
        api_key: What it knows us by; None: nothing.
        api_keys: More of them, between which calls are spread; one that has no quota left rests.
        organization: On whose account, where an account has several.
        project: The same, one level below.
        headers: More headers of each request.
        connect_timeout: Seconds until a connection stands.
        stall_timeout: Seconds without anything of an answer, though there are signs of life such as comments; also what
            its headers may take. Four times the ``timeout`` unless given.
        http2: Whether HTTP/2 is spoken, and nothing else; it needs the extra ``http2``.
        pool: What the traffic is like, which says how many connections there are and for how long, where the next five
            do not say otherwise.
        max_connections: How many connections there are at most; more calls than that wait. With HTTP/2 up to a hundred
            calls share one.
        max_idle: How many unused connections stay open.
        keepalive: Seconds that an unused connection stays open.
        lifetime: Seconds after which a connection takes no new call, and another is opened in its place.
        pool_timeout: Seconds that a call waits for a connection.
        proxy: A proxy for all requests; None: none, whatever the environment says.
        ca_file: A file of certificates to trust in the place of the system's.

    Example:
        >>> config = RemoteConfig(default_model="small", base_url="http://127.0.0.1:8080/v1", api_key=Secret("sk-1"))
        >>> config.api_key
        Secret('**********')
        >>> pooling = RemoteConfig(default_model="small", pool="bursty", max_connections=50).pooling
        >>> pooling.max_connections, pooling.keepalive
        (50, 300.0)
    """

    base_url: str = ""
    api_key: Secret | None = None
    api_keys: tuple[Secret, ...] = ()
    organization: str | None = None
    project: str | None = None
    headers: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    connect_timeout: Seconds = 10.0
    stall_timeout: Seconds | None = None
    http2: bool = False
    pool: Profile = "steady"
    max_connections: Count | None = None
    max_idle: Annotated[int, Meta(ge=0, le=100_000)] | None = None
    keepalive: Seconds | None = None
    lifetime: Seconds | None = None
    pool_timeout: Seconds | None = None
    proxy: str | None = None
    ca_file: str | None = None

    @cached_property  # each call asks, and settings never change: others are another object
    def patience(self) -> float:
        """Seconds without anything of an answer."""
        return 4 * self.timeout if self.stall_timeout is None else self.stall_timeout

    @cached_property
    def keys(self) -> tuple[Secret, ...]:
        """All keys, each once."""
        return tuple(dict.fromkeys((*((self.api_key,) if self.api_key else ()), *self.api_keys)))

    def own(self, key: Secret | None) -> Secret | None:
        """A key that is told under these settings, and so to nobody whom it is not for.

        Args:
            key: That of a call; when it is none of these, other settings hold since it was taken.
        """
        keys = self.keys
        return key if key in keys else keys[0] if keys else None

    @cached_property
    def pooling(self) -> Pooling:
        """How many connections there are, and for how long: what is set, else what the profile has."""
        profile = PROFILES[self.pool]
        return Pooling(
            max_connections=profile.max_connections if self.max_connections is None else self.max_connections,
            max_idle=profile.max_idle if self.max_idle is None else self.max_idle,
            keepalive=profile.keepalive if self.keepalive is None else self.keepalive,
            lifetime=profile.lifetime if self.lifetime is None else self.lifetime,
            pool_timeout=profile.pool_timeout if self.pool_timeout is None else self.pool_timeout,
        )


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
